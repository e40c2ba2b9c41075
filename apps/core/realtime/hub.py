"""The live data of this process."""

from __future__ import annotations


async def close_hub() -> None:
    """Close every socket and let go of Valkey."""
