"""Where documents of people lie: a folder, or a private bucket at a service that speaks S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config import env


def private_files(folder: Path) -> dict[str, Any]:
    """Return Django's description of the storage; ``folder`` is where nothing else is said."""
    bucket = env.text("S3_BUCKET")
    if bucket:
        return {
            "BACKEND": "apps.core.s3.S3Storage",
            "OPTIONS": {
                "endpoint": env.required("S3_ENDPOINT"),
                "bucket": bucket,
                "region": env.text("S3_REGION", "us-east-1"),
                "access_key": env.required("S3_ACCESS_KEY"),
                "secret_key": env.required("S3_SECRET_KEY"),
            },
        }
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": env.path("PRIVATE_FILES", folder),
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    }
