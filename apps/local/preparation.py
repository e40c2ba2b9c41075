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
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    jobs = {}
    tables, static = stamp("tables"), stamp("static")
    if not own_database or folder.stamp("tables") != tables:
        jobs["tables"] = tables
    if not manifest.exists() or folder.stamp("static") != static:
        jobs["static"] = static
    return jobs


def stamp(job: str) -> str:
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
