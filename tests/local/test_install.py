"""The installer: nothing when nothing changed, and a clear end when pip fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from apps.local import install


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a venv that is only a folder: to run pip in it would fail."""
    monkeypatch.setattr(install, "BASE_DIR", tmp_path)
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    for name in ("constraints.txt", "requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text("")
    program = tmp_path / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.symlink_to(sys.executable)
    return tmp_path


def pretend_pip(monkeypatch: pytest.MonkeyPatch, code: int, says: str) -> list[list[str]]:
    asked: list[list[str]] = []
    popen = subprocess.Popen

    def start(command: list[str], **options: object) -> subprocess.Popen[str]:
        asked.append(command)
        script = f"import sys; print({says!r}); sys.exit({code})"
        return popen([sys.executable, "-c", script], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(install.subprocess, "Popen", start)
    return asked


def test_what_is_installed_is_not_installed_again(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pretend_pip(monkeypatch, 0, "Collecting django==5.2.19")

    codes = [install.main("requirements.txt") for _ in range(2)]

    assert codes == [0, 0]
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["constraints.txt", "requirements.txt", "requirements-dev.txt"])
def test_a_changed_pin_is_installed(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked = pretend_pip(monkeypatch, 0, "")
    install.main("requirements-dev.txt")

    (checkout / name).write_text("django==5.2.20\n")

    assert install.main("requirements-dev.txt") == 0
    assert len(asked) == 2


def test_a_failure_is_shown_and_tried_again_next_time(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = pretend_pip(monkeypatch, 1, "ERROR: No matching distribution found")

    codes = [install.main("requirements.txt") for _ in range(2)]

    assert codes == [1, 1]
    assert len(asked) == 2
    assert "No matching distribution found" in capsys.readouterr().out
