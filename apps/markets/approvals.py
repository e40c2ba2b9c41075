"""What takes two members of staff: listing a market, changing its terms, opening one that stands.

One asks, another decides, and only then is the engine told. Stopping things takes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict, Invalid, NotFound
from apps.markets.actions import (
    REASON_LENGTH_MAX,
    call_auction,
    check_staff,
    list_instrument,
    listable,
    may_run_markets,
    reopen_market,
    set_instrument,
)
from apps.markets.catalogue import InstrumentSpec
from apps.markets.models import Instrument, StaffRequest
from apps.markets.rules import parse_price
from apps.markets.terms import changes_from

VALID_FOR: Final = timedelta(hours=24)
AUCTION_SECONDS: Final = 300


def ask_for(
    *,
    actor: User,
    kind: str,
    instrument: Instrument | None = None,
    reference: str = "",
    spec: str = "",
    wanted: Mapping[str, int] | None = None,
    reason: str,
    now: datetime,
) -> StaffRequest:
    """Ask for something that another member of staff has to approve.

    ``reference`` is a price for the band when an auction is ended, ``spec`` a market as JSON, and
    ``wanted`` are terms of a market in the engine's units.
    """
    check_staff(actor)
    words = check_reason(reason)
    changes: dict[str, list[int]] = {}
    if kind not in StaffRequest.Kind.values:
        raise Invalid("invalid_kind", "There is no such request.", field="kind")
    if kind == StaffRequest.Kind.LIST:
        listable(_spec_of(spec))
    elif instrument is None:
        raise Invalid("market_required", "Choose the market.", field="instrument")
    elif kind == StaffRequest.Kind.CHANGE:
        changes = changes_from(instrument, wanted or {})
        if not changes:
            raise Invalid("nothing_changed", "All of this holds already. Nothing was asked for.")
    elif reference:
        parse_price(reference, instrument)
    return StaffRequest.objects.create(
        kind=kind,
        instrument=instrument,
        reference=reference,
        spec=spec,
        changes=changes,
        reason=words,
        asked_by=actor,
        asked_at=now,
        expires_at=now + VALID_FOR,
    )


def check_reason(text: str) -> str:
    """Return why something is done; nothing is done for no reason."""
    words = text.strip()
    if not 1 <= len(words) <= REASON_LENGTH_MAX or "\x00" in words:
        raise Invalid(
            "reason_required",
            f"Say why, in up to {REASON_LENGTH_MAX} characters: it is kept. Nothing has changed.",
            field="reason",
        )
    return words


def approve(*, actor: User, request_id: int, now: datetime) -> int:
    """Carry a request out and return the seq of it. Nobody approves his own."""
    with transaction.atomic():
        asked = _pending(actor, request_id, now)
        asker = asked.asked_by
        if not may_run_markets(asker):
            raise Conflict(
                "asker_not_staff",
                "Who asked for this no longer runs the markets. Turn the request down, and ask for"
                " it yourself, so that another member of staff approves it.",
            )
        seq = _carry_out(asked, actor)
        _decide(asked, actor, StaffRequest.Status.APPROVED, now)
    return seq


def reject(*, actor: User, request_id: int, now: datetime) -> None:
    """Turn a request down; who asked may take it back so."""
    with transaction.atomic():
        asked = _pending(actor, request_id, now)
        _decide(asked, actor, StaffRequest.Status.REJECTED, now)


def _pending(actor: User, request_id: int, now: datetime) -> StaffRequest:
    check_staff(actor)
    asked = StaffRequest.objects.select_for_update().filter(id=request_id).first()
    if asked is None:
        raise NotFound("request_not_found", "There is no such request.")
    if asked.status != StaffRequest.Status.PENDING:
        raise Conflict("request_decided", "This request has been decided already.")
    if asked.expires_at <= now:
        raise Conflict("request_expired", "This request is too old. Ask again.")
    return asked


def _decide(asked: StaffRequest, actor: User, status: str, now: datetime) -> None:
    asked.status = status
    asked.decided_by = actor
    asked.decided_at = now
    asked.save(update_fields=["status", "decided_by", "decided_at"])


def _carry_out(asked: StaffRequest, approver: User) -> int:
    """The action itself asks whether these are two, so that nobody goes around it."""
    instrument = asked.instrument
    by: dict[str, Any] = {
        "actor": asked.asked_by, "approved_by": approver, "reason": asked.reason,
    }  # fmt: skip
    if asked.kind == StaffRequest.Kind.LIST:
        return list_instrument(**by, spec=_spec_of(asked.spec))
    if instrument is None:
        raise Invalid("market_required", "The request names no market.")
    by["instrument"] = instrument
    if asked.kind == StaffRequest.Kind.OPEN:
        return set_instrument(**by, state=Instrument.State.OPEN)
    if asked.kind == StaffRequest.Kind.CHANGE:
        before = {name: values[0] for name, values in asked.changes.items()}
        after = {name: values[1] for name, values in asked.changes.items()}
        return set_instrument(**by, before=before, **after)
    if asked.kind == StaffRequest.Kind.CALL_AUCTION:
        return call_auction(**by, seconds=AUCTION_SECONDS)
    ticks = parse_price(asked.reference, instrument) if asked.reference else 0
    return reopen_market(**by, reference_ticks=ticks)


def _spec_of(text: str) -> InstrumentSpec:
    try:
        fields: dict[str, Any] = json.loads(text)
        return InstrumentSpec(**fields)
    except (ValueError, TypeError) as error:
        raise Invalid("invalid_spec", f"This is no market: {error}", field="spec") from error
