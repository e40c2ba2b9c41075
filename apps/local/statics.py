"""Static files as one machine serves them to itself: named by their content, lightly packed."""

from __future__ import annotations

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


class LocalStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """As in production without Brotli, which takes most of the time of a first start."""

    def create_compressor(self, **options: Any) -> Compressor:
        return super().create_compressor(use_brotli=False, **options)
