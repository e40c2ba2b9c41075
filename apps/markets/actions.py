"""Listing markets and changing their terms: staff's commands to the engine.

The tables are written by the projection of what the engine answers, never here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from django.db import connection, transaction

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Conflict, Invalid, NotAllowed, Refused, Unavailable
from apps.core.money import parse_decimal, parse_positive
from apps.engine.messages import (
    KILL_MARKET,
    AnyCommand,
    CallAuction,
    ListInstrument,
    ReopenMarket,
    SetInstrument,
    SetReference,
)
from apps.engine.messages import Instrument as EngineInstrument
from apps.markets.catalogue import InstrumentSpec
from apps.markets.models import Asset, Instrument, MarketChange
from apps.markets.queries import forget_instruments
from apps.matching.actions import kill
from apps.matching.gateway import (
    Reply,
    derived_command_id,
    get_gateway,
    new_command_id,
    valid_until_ns,
)
from apps.matching.queries import journaled_seq, wait_for_seq

RUN_MARKETS: Final = "markets.change_instrument"
REASON_LENGTH_MAX: Final = 200
# Assets, tick and lot of a market never change; nor does its name.
CHANGEABLE: Final = frozenset(
    {
        "state", "maker_fee_ppm", "taker_fee_ppm", "band_bps", "min_quantity_lots",
        "max_quantity_lots", "min_notional_minor", "max_notional_minor", "max_position_lots",
        "limit_state_seconds", "halt_seconds",
    }
)  # fmt: skip
STATES: Final[Mapping[int, str]] = {
    Instrument.State.OPEN: MarketChange.Kind.OPENED,
    Instrument.State.CANCEL_ONLY: MarketChange.Kind.CANCEL_ONLY,
    Instrument.State.HALTED: MarketChange.Kind.HALTED,
}
VALID_SECONDS = 60
COMMAND_SECONDS = 10.0
CATCH_UP_SECONDS = 1.0
LOCK = 0x4D41524B


def list_instrument(
    *,
    actor: User | None,
    spec: InstrumentSpec,
    approved_by: User | None = None,
    reason: str = "",
) -> int:
    """List a market and return the seq of it; listing the same market again changes nothing.

    An actor of None is the venue itself, which sets up a new installation.
    """
    check_two(actor, approved_by)
    instrument = listable(spec)
    reply = get_gateway().submit(
        ListInstrument(
            derived_command_id("list_instrument", repr(spec)),
            valid_until_ns(VALID_SECONDS),
            instrument,
        )
    )
    if reply.rejected is not None and reply.rejected.reason == "market_exists":
        return _listed_before(instrument, reply)
    seq = _checked(reply)
    by = _By(actor, approved_by, reason)
    _note(by, MarketChange.Kind.LISTED, spec.market_id, seq)
    return seq


def listable(spec: InstrumentSpec) -> EngineInstrument:
    """Return the market in the engine's units; refuse one that cannot be listed."""
    if Instrument.objects.filter(symbol=spec.symbol).exclude(id=spec.market_id).exists():
        # The engine knows markets by number alone; the tables could not be written any more.
        raise Conflict("market_exists", f"{spec.symbol} is listed under another number already.")
    return engine_instrument(spec)


def set_instrument(
    *,
    actor: User | None,
    instrument: Instrument,
    approved_by: User | None = None,
    reason: str = "",
    before: Mapping[str, int] | None = None,
    **terms: int,
) -> int:
    """Change the state or terms of a market, for orders from now on; return the seq of it.

    ``terms`` are those of ``CHANGEABLE``; what is not named stays as the last change has left it,
    whenever ``instrument`` was read. Where ``before`` says what terms were, they must be so still.
    Stopping a market takes one member of staff; whatever else is changed takes two.
    """
    unknown = terms.keys() - CHANGEABLE
    if unknown or not terms:
        raise Invalid("invalid_terms", f"No such terms of a market: {', '.join(unknown)}.")
    closes = terms.keys() == {"state"} and terms["state"] != Instrument.State.OPEN
    if closes:
        check_staff(actor)
    else:
        check_two(actor, approved_by)
    with transaction.atomic():
        present = _present_terms(instrument.id, at_once=closes)
        if any(getattr(present, name) != value for name, value in (before or {}).items()):
            raise Conflict(
                "terms_changed",
                "These terms have changed since this was asked for. Nothing was changed now:"
                " turn it down, and ask again.",
            )
        wanted = msgspec.structs.replace(present, **terms)
        command = SetInstrument(new_command_id(), valid_until_ns(VALID_SECONDS), wanted)
        seq = _checked(get_gateway().submit(command))
        changes = {name: [getattr(present, name), value] for name, value in terms.items()}
        kind = STATES[terms["state"]] if "state" in terms else MarketChange.Kind.TERMS
        _note(_By(actor, approved_by, reason), kind, instrument.id, seq, changes)
    return seq


def kill_market(*, actor: User, instrument: Instrument, reason: str = "") -> int:
    """End every order of a market and let it take only cancels; return the seq of it."""
    check_staff(actor)
    seq = kill(scope=KILL_MARKET, target_id=instrument.id)
    forget_instruments()
    _note(_By(actor, None, reason), MarketChange.Kind.KILLED, instrument.id, seq)
    return seq


def call_auction(
    *, actor: User, approved_by: User, instrument: Instrument, seconds: int, reason: str = ""
) -> int:
    """Open a market that stands still by an auction, and return the seq of it."""
    check_two(actor, approved_by)
    seq = _carried_out(CallAuction(*_head(), instrument.id, seconds))
    _note(_By(actor, approved_by, reason), MarketChange.Kind.AUCTION, instrument.id, seq)
    return seq


def reopen_market(
    *,
    actor: User,
    approved_by: User,
    instrument: Instrument,
    reference_ticks: int = 0,
    reason: str = "",
) -> int:
    """End the call of an auction now, around this price where one is given; return the seq."""
    check_two(actor, approved_by)
    if reference_ticks:
        # First this alone: where it is refused, the market must not open by its old reference.
        _carried_out(SetReference(*_head(), instrument.id, reference_ticks))
    seq = _carried_out(ReopenMarket(*_head(), instrument.id))
    _note(_By(actor, approved_by, reason), MarketChange.Kind.REOPENED, instrument.id, seq)
    return seq


@dataclass(frozen=True, slots=True)
class _By:
    """Who has something done, with whom, and why."""

    actor: User | None
    approved_by: User | None
    reason: str


def _note(
    by: _By,
    kind: str,
    market_id: int,
    seq: int,
    changes: Mapping[str, list[int]] | None = None,
) -> None:
    MarketChange.objects.create(
        instrument_id=market_id, kind=kind, at=clock.now(), seq=seq, changes=dict(changes or {}),
        reason=by.reason[:REASON_LENGTH_MAX], actor=by.actor, approved_by=by.approved_by,
    )  # fmt: skip


def _head() -> tuple[bytes, int]:
    return new_command_id(), valid_until_ns(COMMAND_SECONDS)


def _carried_out(command: AnyCommand) -> int:
    reply = get_gateway().submit(command)
    forget_instruments()
    if reply.rejected is not None:
        reason = reply.rejected.reason
        raise Refused(
            reason, f"The engine refused this ({reason}). The state of the market is as it was."
        )
    return reply.seq


def _present_terms(market_id: int, *, at_once: bool) -> EngineInstrument:
    """Return a market's terms after all that was decided before; one change at a time.

    The engine takes all terms of a market together, so one made from older ones would undo the
    change between: open a market that was just halted. Closing one does not wait for long.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, market_id])
    if not wait_for_seq(journaled_seq(), CATCH_UP_SECONDS) and not at_once:
        raise Unavailable(
            "not_yet_projected",
            "The present terms cannot be read yet. Nothing has changed; try again in a moment.",
            retry_after_seconds=1,
        )
    rows = Instrument.objects.select_related("base", "quote")
    return as_engine_has_it(rows.get(id=market_id))


def engine_instrument(spec: InstrumentSpec) -> EngineInstrument:
    """Return the spec in the engine's units; refuse what is not whole."""
    base, quote = _asset(spec.base), _asset(spec.quote)
    tick_minor = parse_positive(spec.tick_size, quote.scale)
    lot_minor = parse_positive(spec.lot_size, base.scale)
    tick_lot_minor, rest = divmod(tick_minor * lot_minor, 10**base.scale)
    if rest or tick_lot_minor == 0:
        raise Invalid("invalid_instrument", "One tick times one lot must be whole minor units.")
    return EngineInstrument(
        market_id=spec.market_id,
        base_asset_id=base.id,
        quote_asset_id=quote.id,
        lot_minor=lot_minor,
        tick_lot_minor=tick_lot_minor,
        min_quantity_lots=_lots(spec.min_quantity, base, lot_minor),
        max_quantity_lots=_lots(spec.max_quantity, base, lot_minor),
        min_notional_minor=parse_decimal(spec.min_notional, quote.scale),
        max_notional_minor=parse_decimal(spec.max_notional, quote.scale),
        maker_fee_ppm=spec.maker_fee_ppm,
        taker_fee_ppm=spec.taker_fee_ppm,
        band_bps=spec.band_bps,
        max_position_lots=_lots(spec.max_position, base, lot_minor) if spec.max_position else 0,
        symbol=spec.symbol,
        limit_state_seconds=spec.limit_state_seconds,
        halt_seconds=spec.halt_seconds,
    )


def as_engine_has_it(instrument: Instrument) -> EngineInstrument:
    """Return the row in the engine's own form."""
    return EngineInstrument(
        market_id=instrument.id,
        base_asset_id=instrument.base_id,
        quote_asset_id=instrument.quote_id,
        lot_minor=instrument.lot_minor,
        tick_lot_minor=instrument.tick_lot_minor,
        min_quantity_lots=instrument.min_quantity_lots,
        max_quantity_lots=instrument.max_quantity_lots,
        min_notional_minor=instrument.min_notional_minor,
        max_notional_minor=instrument.max_notional_minor,
        maker_fee_ppm=instrument.maker_fee_ppm,
        taker_fee_ppm=instrument.taker_fee_ppm,
        band_bps=instrument.band_bps,
        state=instrument.state,
        max_position_lots=instrument.max_position_lots,
        symbol=instrument.symbol,
        limit_state_seconds=instrument.limit_state_seconds,
        halt_seconds=instrument.halt_seconds,
    )


def check_staff(actor: User | None) -> None:
    """Refuse whoever is not staff with a role that runs markets; None is the venue itself."""
    if actor is not None and not may_run_markets(actor):
        raise NotAllowed("staff_only", "Only staff who run the markets can list and change them.")


def may_run_markets(actor: User) -> bool:
    return actor.is_active and actor.is_staff and actor.has_perm(RUN_MARKETS)


def check_two(actor: User | None, approved_by: User | None) -> None:
    """Refuse what only one member of staff wants; the venue itself needs nobody."""
    check_staff(actor)
    if actor is None:
        return
    if approved_by is None or approved_by.pk == actor.pk:
        raise NotAllowed("second_person_required", "Another member of staff has to approve this.")
    check_staff(approved_by)


def _asset(code: str) -> Asset:
    asset = Asset.objects.filter(code=code).first()
    if asset is None:
        raise Invalid("unknown_asset", f"There is no asset {code} here.")
    return asset


def _lots(text: str, base: Asset, lot_minor: int) -> int:
    lots, rest = divmod(parse_positive(text, base.scale), lot_minor)
    if rest:
        raise Invalid("lot_size", "Quantities of a market must be whole lots.")
    return lots


def _listed_before(wanted: EngineInstrument, reply: Reply) -> int:
    row = Instrument.objects.filter(id=wanted.market_id).first()
    if row is not None and row.symbol == wanted.symbol:
        return reply.seq
    raise Conflict("market_exists", f"Another market has the number {wanted.market_id} already.")


def _checked(reply: Reply) -> int:
    forget_instruments()
    rejected = reply.rejected
    if rejected is not None:
        raise Refused(
            rejected.reason, f"The engine refused this ({rejected.reason}). Nothing has changed."
        )
    return reply.seq
