"""Whether tables and static files are up to date, without asking the database.

The stamps are digests of names, sizes and times of what they are made from. They say nothing of a
database that others use too, so only a database of our own may be trusted to match them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from django.conf import settings

from apps.local.folder import DataFolder


def pending(folder: DataFolder, *, own_database: bool) -> dict[str, str]:
    """Return the jobs that have something to do, with the stamp that they leave when done.

    The stamp is of now: what changes while a job runs is for the next start.
    """
    jobs = {}
    tables, static = _stamp("tables"), _stamp("static")
    if not own_database or _noted(_stamp_file(folder, "tables")) != tables:
        jobs["tables"] = tables
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    if not manifest.exists() or _noted(_stamp_file(folder, "static")) != static:
        jobs["static"] = static
    return jobs


def note(folder: DataFolder, job: str, stamp: str) -> None:
    """Keep the stamp of a job that is done, beside what it made."""
    _stamp_file(folder, job).write_text(stamp)


def _stamp_file(folder: DataFolder, job: str) -> Path:
    if job == "static":
        root = Path(settings.STATIC_ROOT)
        return root.with_name(f"{root.name}.stamp")
    return folder.run / f"{job}.stamp"


def _noted(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _stamp(job: str) -> str:
    """Return the digest of everything that the job works from."""
    base_dir: Path = settings.BASE_DIR
    digest = hashlib.sha256(str(base_dir).encode())
    # The files of installed packages change only with their versions.
    for path in (base_dir / "requirements.txt", *_SOURCES[job](base_dir)):
        about = path.stat()
        name = path.relative_to(base_dir)
        digest.update(f"{name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _migrations(base_dir: Path) -> Iterator[Path]:
    yield from sorted((base_dir / "apps").glob("*/migrations/*.py"))


def _static_files(base_dir: Path) -> Iterator[Path]:
    for folder in (base_dir / "static", *sorted((base_dir / "apps").glob("*/static"))):
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


_SOURCES: Final[Mapping[str, Callable[[Path], Iterator[Path]]]] = {
    "tables": _migrations,
    "static": _static_files,
}
