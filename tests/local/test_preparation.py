"""What is up to date is not done again; what changed is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.local.folder import MARK, DataFolder
from apps.local.management.commands import prepare
from apps.local.preparation import note, pending


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> DataFolder:
    base_dir = tmp_path / "code"
    for name in ("static/site.css", "apps/trades/migrations/0001_orders.py", "requirements.txt"):
        path = base_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one")
    settings.BASE_DIR = base_dir
    settings.STATIC_ROOT = tmp_path / "static"
    folder = DataFolder(tmp_path / "data")
    folder.run.mkdir(parents=True)
    return folder


def finish(folder: DataFolder, jobs: dict[str, str], static_root: Path) -> None:
    for job, stamp in jobs.items():
        note(folder, job, stamp)
    static_root.mkdir(exist_ok=True)
    (static_root / "staticfiles.json").write_text("{}")


@pytest.mark.parametrize(
    ("static_root", "is_emptied"),
    [("data/static", True), ("data", False), ("data/postgres", False), ("work", False)],
)
def test_only_the_static_folder_of_our_own_data_is_emptied(
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    static_root: str,
    is_emptied: bool,
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(
        prepare, "call_command", lambda _name, *, clear, **_options: asked.append(clear)
    )
    settings.DATA_DIR, settings.STATIC_ROOT = tmp_path / "data", tmp_path / static_root

    prepare.Command().handle(what=["static"])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / MARK).write_text("1")
    prepare.Command().handle(what=["static"])

    assert asked == [False, is_emptied]


def test_everything_is_done_once(folder: DataFolder, settings: Any) -> None:
    first = pending(folder, own_database=True)
    finish(folder, first, settings.STATIC_ROOT)

    assert list(first) == ["tables", "static"]
    assert pending(folder, own_database=True) == {}


def test_a_changed_file_is_collected_again(folder: DataFolder, settings: Any) -> None:
    finish(folder, pending(folder, own_database=True), settings.STATIC_ROOT)

    (settings.BASE_DIR / "static" / "new.js").write_text("")

    assert list(pending(folder, own_database=True)) == ["static"]


def test_a_new_migration_is_applied(folder: DataFolder, settings: Any) -> None:
    finish(folder, pending(folder, own_database=True), settings.STATIC_ROOT)

    (settings.BASE_DIR / "apps/trades/migrations/0002_more.py").write_text("")

    assert list(pending(folder, own_database=True)) == ["tables"]


def test_what_changes_while_a_job_runs_is_for_the_next_start(
    folder: DataFolder, settings: Any
) -> None:
    begun = pending(folder, own_database=True)
    (settings.BASE_DIR / "static" / "late.js").write_text("")
    finish(folder, begun, settings.STATIC_ROOT)

    assert list(pending(folder, own_database=True)) == ["static"]


def test_a_database_of_somebody_else_is_always_asked(folder: DataFolder, settings: Any) -> None:
    finish(folder, pending(folder, own_database=True), settings.STATIC_ROOT)

    assert list(pending(folder, own_database=False)) == ["tables"]


def test_missing_static_files_are_collected_whatever_the_stamp_says(
    folder: DataFolder, settings: Any
) -> None:
    finish(folder, pending(folder, own_database=True), settings.STATIC_ROOT)

    (settings.STATIC_ROOT / "staticfiles.json").unlink()

    assert list(pending(folder, own_database=True)) == ["static"]
