"""A withdrawal whose sender is killed is sent once, wherever it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps.wallets.custody import simulated
from apps.wallets.custody.models import ChainTransaction
from apps.wallets.withdrawals import sending
from tests.wallets.withdrawing import confirmed, go_on, rich, state_of

SENDER = """
import django
django.setup()
from datetime import UTC, datetime
from apps.wallets.withdrawals import sending
sending.advance_all(now=datetime(2026, 3, 10, 12, tzinfo=UTC))
"""


def _send(places: Path) -> int:
    """Send in a process of its own and return how it ended."""
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings.test", "FAILPOINTS": str(places)}
    sender = subprocess.run(
        [sys.executable, "-c", SENDER], env={**os.environ, **settings}, check=False, timeout=120
    )
    return sender.returncode


@pytest.mark.crash
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", [sending.MARKED, sending.SENT])
def test_who_is_killed_while_sending_sends_once(tmp_path: Path, place: str) -> None:
    ada = rich()
    withdrawal = confirmed(ada, "100")
    (tmp_path / place).touch()

    killed = _send(tmp_path)
    withdrawal.refresh_from_db()
    left = (withdrawal.state, withdrawal.txid, ChainTransaction.objects.count())
    ended = _send(tmp_path)
    again = _send(tmp_path)
    go_on(rounds=7)

    assert killed == -signal.SIGKILL
    assert left == ("broadcast", "", 1 if place == sending.SENT else 0)
    assert (ended, again) == (0, 0)
    assert ChainTransaction.objects.count() == 1
    assert state_of(withdrawal) == "settled"
    assert ada.has("USDT")[1] == 0
    assert simulated.tip_height("ethereum") == 7
