"""What takes two members of staff: listing a market, and opening one that stands still.

One asks, another decides, and only then is the engine told. Stopping things takes one.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict, Invalid, NotAllowed, NotFound, Refused
from apps.engine.messages import AnyCommand, CallAuction, ReopenMarket, SetReference
from apps.markets.actions import check_staff, list_instrument, set_instrument
from apps.markets.catalogue import InstrumentSpec
from apps.markets.models import Instrument, StaffRequest
from apps.markets.queries import forget_instruments
from apps.markets.rules import parse_price
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns

VALID_FOR: Final = timedelta(hours=24)
AUCTION_SECONDS: Final = 300
COMMAND_SECONDS: Final = 10.0


def ask_for(
    *,
    actor: User,
    kind: str,
    instrument: Instrument | None = None,
    reference: str = "",
    spec: str = "",
    now: datetime,
) -> StaffRequest:
    """Ask for something that another member of staff has to approve.

    ``reference`` is a price for the band when an auction is ended; ``spec`` a market as JSON.
    """
    check_staff(actor)
    if kind not in StaffRequest.Kind.values:
        raise Invalid("invalid_kind", "There is no such request.", field="kind")
    if kind == StaffRequest.Kind.LIST:
        _spec_of(spec)
    elif instrument is None:
        raise Invalid("market_required", "Choose the market.", field="instrument")
    elif reference:
        parse_price(reference, instrument)
    return StaffRequest.objects.create(
        kind=kind,
        instrument=instrument,
        reference=reference,
        spec=spec,
        asked_by=actor,
        asked_at=now,
        expires_at=now + VALID_FOR,
    )


def approve(*, actor: User, request_id: int, now: datetime) -> int:
    """Carry a request out and return the seq of it. Nobody approves his own."""
    with transaction.atomic():
        asked = _pending(actor, request_id, now)
        if asked.asked_by_id == actor.pk:
            raise NotAllowed(
                "second_person_required", "Another member of staff has to approve this."
            )
        seq = _carry_out(asked, actor)
        _decide(asked, actor, StaffRequest.Status.APPROVED, now)
    forget_instruments()
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


def _carry_out(asked: StaffRequest, actor: User) -> int:
    instrument = asked.instrument
    if asked.kind == StaffRequest.Kind.LIST:
        return list_instrument(actor=actor, spec=_spec_of(asked.spec))
    if instrument is None:
        raise Invalid("market_required", "The request names no market.")
    if asked.kind == StaffRequest.Kind.OPEN:
        return set_instrument(actor=actor, instrument=instrument, state=Instrument.State.OPEN)
    head = (new_command_id(), valid_until_ns(COMMAND_SECONDS))
    if asked.kind == StaffRequest.Kind.CALL_AUCTION:
        return _sent([CallAuction(*head, instrument.id, AUCTION_SECONDS)])
    commands: list[AnyCommand] = [ReopenMarket(*head, instrument.id)]
    if asked.reference:
        price_ticks = parse_price(asked.reference, instrument)
        until_ns = valid_until_ns(COMMAND_SECONDS)
        commands.insert(0, SetReference(new_command_id(), until_ns, instrument.id, price_ticks))
    return _sent(commands)


def _sent(commands: list[AnyCommand]) -> int:
    replies = get_gateway().submit_many(commands)
    for reply in replies:
        if reply.rejected is not None:
            reason = reply.rejected.reason
            raise Refused(reason, f"The engine refused this ({reason}). The market is as it was.")
    return replies[-1].seq


def _spec_of(text: str) -> InstrumentSpec:
    try:
        fields: dict[str, Any] = json.loads(text)
        return InstrumentSpec(**fields)
    except (ValueError, TypeError) as error:
        raise Invalid("invalid_spec", f"This is no market: {error}", field="spec") from error
