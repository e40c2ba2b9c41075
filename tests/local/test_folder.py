"""The data folder: recognised, locked, never mistaken for somebody else's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from apps.local.folder import DataFolder
from apps.local.problems import DataFolderProblem, DiskFull

Usage = namedtuple("Usage", "total used free")


def test_a_new_folder_is_made_and_recognised_again(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")

    folder.open()
    folder.close()
    folder.open()
    folder.close()

    assert (tmp_path / "data" / "sum1-data").read_text() == "1\n"


def test_a_folder_of_somebody_else_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear")

    with pytest.raises(DataFolderProblem, match="not a data folder of SUM\\+1"):
        DataFolder(tmp_path).open()

    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sum1-data").write_text("99\n")

    with pytest.raises(DataFolderProblem, match="another version"):
        DataFolder(tmp_path).open()


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(DataFolderProblem, match="is a file"):
        DataFolder(tmp_path / "data").open()


def test_a_folder_in_use_is_refused_and_names_who_uses_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from apps.local.folder import DataFolder\n"
        "DataFolder(Path(sys.argv[1])).open(); print(flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "data")],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()

    with pytest.raises(DataFolderProblem, match=f"in use by another running copy .*{holder.pid}"):
        DataFolder(tmp_path / "data").open()

    holder.kill()
    holder.wait()
    holder.stdout.close()
    folder = DataFolder(tmp_path / "data")
    folder.open()
    folder.close()


def test_a_full_disk_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12, 12_000_000))

    with pytest.raises(DiskFull, match="Only 12 MB are free"):
        DataFolder(tmp_path / "data").open()

    # With room again, the folder is still a new one and nobody else's.
    monkeypatch.undo()
    folder = DataFolder(tmp_path / "data")
    folder.open()
    folder.close()


def test_secrets_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.open()

    first = folder.secret("django")

    assert folder.secret("django") == first
    assert len(first) == 64
    path = tmp_path / "data" / "secrets" / "django"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    folder.close()


def test_what_a_killed_copy_left_running_is_ended(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.open()
    left = subprocess.Popen(["sleep", "60"], process_group=0)
    other = subprocess.Popen(["sleep", "60"], process_group=0)
    folder.note_processes({"web": left.pid})
    noted = json.loads((folder.run / "processes").read_text())
    # The number of a process that ended long ago now belongs to somebody else.
    noted["worker"] = [other.pid, psutil.Process(other.pid).create_time() - 3600]
    (folder.run / "processes").write_text(json.dumps(noted))

    DataFolder._end_leftovers(folder)

    assert not psutil.pid_exists(left.pid)
    assert psutil.pid_exists(other.pid)
    for process in (left, other):
        process.kill()
        process.wait()
    folder.close()
