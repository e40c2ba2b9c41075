"""Makes .venv and installs what is pinned, only where that has changed. Needs nothing installed.

Run by whichever Python the Makefile finds: `python3 apps/local/install.py requirements.txt`.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
VENV = BASE_DIR / ".venv"


def main(requirements: str) -> int:
    wanted = _digest(requirements)
    stamp = VENV / f".{requirements}.stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    if not (VENV / "bin" / "python").exists() and not _make_venv():
        return 1
    if not _install(requirements):
        return 1
    stamp.write_text(wanted)
    return 0


def _digest(requirements: str) -> str:
    """What is asked for, and by which Python: a newer one needs other wheels."""
    digest = hashlib.sha256(sys.version.encode())
    for name in sorted({"constraints.txt", "requirements.txt", requirements}):
        digest.update((BASE_DIR / name).read_bytes())
    return digest.hexdigest()


def _make_venv() -> bool:
    print(f"Making {VENV.name} with Python {sys.version.split()[0]} …", flush=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        print(made.stdout + made.stderr)
        print("Python's venv module is incomplete. On Debian: apt install python3-venv")
    return made.returncode == 0


def _install(requirements: str) -> bool:
    """Run pip, and show on one line how far it is."""
    began = time.monotonic()
    print(f"Installing {requirements}; the first time takes a minute or two …", flush=True)
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--no-input"]
    command += ["--disable-pip-version-check", "-r", str(BASE_DIR / requirements)]
    said, seen = [], 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=BASE_DIR
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            said.append(line)
            if line.startswith(("Collecting", "Requirement already")):
                seen += 1
                _show(f"{seen} packages: {line.split()[1 if line[0] == 'C' else 3]}")
            elif line.startswith("Installing collected"):
                _show(f"{seen} packages: unpacking")
    _show("")
    if pip.returncode:
        print("".join(said[-30:]))
        print("pip could not install what is needed; see above.")
        return False
    print(f"Installed in {time.monotonic() - began:.0f} s.", flush=True)
    return True


def _show(text: str) -> None:
    if sys.stdout.isatty():
        print(f"\r\x1b[K  {text}", end="" if text else "\r", flush=True)
    elif text.endswith("unpacking"):
        print(f"  {text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
