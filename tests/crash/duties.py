"""Background work that must have its effect once, whoever is killed while it is done.

``python -m tests.crash.duties NUMBER LOG STOP_FILE`` is one more client: it restricts an account
whose time is over already, and waits until the watch over accounts has lifted that and the engine
has heard; now and then it writes a letter. ``python -m tests.crash.duties LOG WORKER_LOG`` judges:
each restriction was lifted once and the engine told of each change, each letter was sent.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import django

from tests.crash.client import Log

if TYPE_CHECKING:
    from apps.accounts.models import User

POLL_SECONDS: Final = 0.05
LETTER_EVERY: Final = 4
# A round of letters is sent every 15 seconds, and begun anew where the worker died in it.
SETTLE_SECONDS: Final = 60.0
# Out of the way of those who trade.
WATCHED: Final = "watched@example.com"


def main(log_path: Path, stop_file: Path) -> None:
    django.setup()
    from django.db import Error, close_old_connections

    from apps.accounts.models import User

    log, count = Log(log_path), 0
    person = User.objects.get(email=WATCHED)
    while not stop_file.exists():
        count += 1
        asked_at = time.time()
        while not stop_file.exists():
            close_old_connections()
            try:
                if count % LETTER_EVERY == 0:
                    _write_letter(person, f"duty-{count}", log)
                _restrict_and_wait(person, stop_file)
                break
            except Error:
                time.sleep(POLL_SECONDS)
        log.write({"told": f"duty-{count}", "asked_at": asked_at, "at": time.time()})


def _write_letter(person: User, name: str, log: Log) -> None:
    """Sent in any case, where this returns; where the answer got lost it is there, or is not."""
    from apps.accounts.models import Letter
    from apps.core import clock

    if not Letter.objects.filter(subject=name).exists():
        Letter.objects.create(person=person, subject=name, text="Do it.", written_at=clock.now())
        log.write({"letter": name})


def _restrict_and_wait(person: User, stop_file: Path) -> None:
    from apps.core import clock
    from apps.trades.risk.actions import OWN_DRAWDOWN_PAUSE, restrict_for_breach
    from apps.trades.risk.models import Restriction
    from apps.trades.risk.rules import DRAWDOWN, Breach
    from apps.wallets.models import TradingAccount

    account = TradingAccount.objects.get(owner=person)
    # Placed as of yesterday, so that it has ended by now.
    then = clock.now() - OWN_DRAWDOWN_PAUSE
    restrict_for_breach(account_id=account.id, breach=Breach(DRAWDOWN, 2, 1, True), now=then)
    open_ones = Restriction.objects.filter(account=account, lifted_at=None)
    while open_ones.exists() and not stop_file.exists():
        time.sleep(POLL_SECONDS)


def judge(log_path: Path, worker_log: Path) -> dict[str, Any]:
    """Wait for what is under way, then count."""
    django.setup()
    from django.db.models import F

    from apps.accounts.models import Letter
    from apps.trades.risk.models import Restriction, RiskState

    give_up_at = time.monotonic() + SETTLE_SECONDS
    untold = RiskState.objects.exclude(applied_version=F("wanted_version"))
    waiting = Restriction.objects.filter(lifted_at=None)
    while Letter.objects.exists() or untold.exists() or waiting.exists():
        if time.monotonic() > give_up_at:
            break
        time.sleep(POLL_SECONDS)
    lines = [json.loads(text) for text in log_path.read_text().splitlines()]
    written = {line["letter"] for line in lines if "letter" in line}
    said = worker_log.read_text(errors="replace")
    sent = Counter(re.findall(r"Subject: SUM\+1: (duty-\d+)", said))
    changes = sum(RiskState.objects.values_list("applied_version", flat=True))
    return {
        "duties": sum("told" in line for line in lines),
        "undone": untold.count() + waiting.count() + Letter.objects.count(),
        # Each restriction is two changes, placed and lifted; one lifted twice would be three.
        "changes_too_many": changes - 2 * Restriction.objects.count(),
        "letters": len(written),
        "letters_lost": sorted(written - set(sent)),
        "letters_sent_again": sum(sent.values()) - len(sent),
    }


if __name__ == "__main__":
    if len(sys.argv) > 3:
        main(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.stdout.write(json.dumps(judge(Path(sys.argv[1]), Path(sys.argv[2]))))
