"""Places at which a process can be made to die, for the crash campaign and nothing else.

``FAILPOINTS`` names a folder. A process that reaches a place whose file lies there removes the
file and is gone that instant, as with ``kill -9``. Without the setting nothing is looked for.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

from django.conf import settings

BEFORE_INSERT: Final = "before-insert"
SENT_NOT_COMMITTED: Final = "sent-not-committed"
COMMITTED_NOT_ACKED: Final = "committed-not-acked"
ACKED_NOT_PROJECTED: Final = "acked-not-projected"
MID_PROJECTION: Final = "mid-projection"
MID_SNAPSHOT: Final = "mid-snapshot"
LETTER_READ: Final = "letter-read"
LETTER_SENT: Final = "letter-sent"


def reach(name: str) -> None:
    """Die here where that was asked for: once, and of all processes only one."""
    if settings.FAILPOINTS:
        try:
            Path(settings.FAILPOINTS, name).unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
