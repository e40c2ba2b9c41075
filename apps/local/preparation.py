"""Whether tables and static files are up to date, without asking the database.

The stamp is a digest of names, sizes and times of what they are made from. It says nothing of a
database that others use too, so only a database of our own may be trusted to match it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from apps.local.folder import DataFolder

STAMP = "prepare"


def is_prepared(folder: DataFolder) -> bool:
    """Return whether migrations and static files are what they were when they were last done."""
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    return manifest.exists() and folder.stamp(STAMP) == preparation_stamp()


def preparation_stamp() -> str:
    """Return the digest of everything that tables and static files are made from."""
    return _digest(settings.BASE_DIR, [*_sources(), *_migrations()])


def static_stamp() -> str:
    """Return the digest of everything that static files are made from."""
    return _digest(settings.BASE_DIR, _sources())


def _sources() -> Iterator[Path]:
    base_dir: Path = settings.BASE_DIR
    # The files of installed packages change only with their versions.
    yield base_dir / "requirements.txt"
    for folder in (base_dir / "static", *sorted((base_dir / "apps").glob("*/static"))):
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _migrations() -> Iterator[Path]:
    yield from sorted((settings.BASE_DIR / "apps").glob("*/migrations/*.py"))


def _digest(base_dir: Path, paths: list[Path] | Iterator[Path]) -> str:
    digest = hashlib.sha256(str(base_dir).encode())
    for path in paths:
        about = path.stat()
        digest.update(
            f"{path.relative_to(base_dir)}\0{about.st_size}\0{about.st_mtime_ns}\n".encode()
        )
    return digest.hexdigest()
