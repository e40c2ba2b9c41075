"""Uploads become pictures that we have drawn ourselves, or nothing.

Whatever came is read by what it is, not by what it is called, and drawn anew: what was hidden in
it, and where and when it was taken, stays behind. How large it is is asked before it is drawn.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from apps.core.errors import DomainError, Refused, TooLarge, Unsupported

FILE_BYTES_MAX: Final = 1_900_000
SIDE_PIXELS_MAX: Final = 10_000
AREA_PIXELS_MAX: Final = 40_000_000
# Large enough to read small print, small enough to be kept.
SIDE_PIXELS_KEPT: Final = 2_400
QUALITY: Final = 88
CONTENT_TYPE: Final = "image/jpeg"
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_JPEG_END: Final = b"\xff\xd9"
_PNG_END: Final = b"\x00\x00\x00\x00IEND\xaeB`\x82"


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG of ours."""

    data: bytes
    width: int
    height: int


def redraw(data: bytes) -> Picture:
    """Return the picture, drawn anew."""
    if len(data) > FILE_BYTES_MAX:
        raise TooLarge("file_too_large", "The file is too large: 1.9 MB at most. Nothing was kept.")
    if zipfile.is_zipfile(io.BytesIO(data)):
        raise _refusal_of_archive(data)
    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
        _check_size(picture)
        if _holds_more(picture.format, data):
            raise _no_picture()
        return _drawn(picture)
    except (UnidentifiedImageError, OSError, SyntaxError, EOFError):
        raise _no_picture() from None
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except ValueError:
        # Text in it that would unpack to far more than it is.
        raise TooLarge(
            "file_too_large", "The file unpacks to too much. Nothing was kept."
        ) from None


def _check_size(picture: Image.Image) -> None:
    width, height = picture.size
    if max(width, height) > SIDE_PIXELS_MAX or width * height > AREA_PIXELS_MAX:
        raise _too_many_pixels()


def _drawn(picture: Image.Image) -> Picture:
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((SIDE_PIXELS_KEPT, SIDE_PIXELS_KEPT))
    # A fresh canvas has no metadata that could be written along.
    canvas = Image.new("RGB", upright.size)
    canvas.paste(upright)
    into = io.BytesIO()
    canvas.save(into, "JPEG", quality=QUALITY, optimize=True)
    return Picture(into.getvalue(), canvas.width, canvas.height)


def _holds_more(kind: str | None, data: bytes) -> bool:
    """Say whether something follows the picture: a file that is a picture and something else."""
    if kind == "JPEG":
        return not data.rstrip(b"\x00").endswith(_JPEG_END)
    if kind == "PNG":
        return not data.endswith(_PNG_END)
    return int.from_bytes(data[4:8], "little") + 8 != len(data)


def _refusal_of_archive(data: bytes) -> DomainError:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return _no_picture()
    if unpacked > FILE_BYTES_MAX:
        return TooLarge("file_too_large", "The file unpacks to too much. Nothing was kept.")
    return _no_picture()


def _no_picture() -> DomainError:
    return Unsupported(
        "not_a_picture", "Send a picture and nothing else: JPEG, PNG or WebP. Nothing was kept."
    )


def _too_many_pixels() -> DomainError:
    return Refused(
        "too_many_pixels", "The picture has too many pixels: at most 40 million. Nothing was kept."
    )
