"""QR codes as the outline of one SVG shape, drawn here: no address goes to another service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import qrcode

QUIET_MODULES: Final = 3


@dataclass(frozen=True, slots=True)
class QrCode:
    """``path`` draws the dark modules, each a unit square, in a square of ``size`` units."""

    size: int
    path: str


def qr_code(text: str) -> QrCode:
    """Return the QR code of a text."""
    made = qrcode.QRCode(border=QUIET_MODULES)
    made.add_data(text)
    matrix = made.get_matrix()
    path = "".join(
        f"M{x} {y}h1v1h-1z" for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark
    )
    return QrCode(len(matrix), path)
