"""Changing what an account may risk: its owner narrows it, staff set the bounds and lift blocks.

What is decided is written first, with a version; the engine is told next, and again every second
until it has heard (``apply_account``). Telling it twice changes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.core.errors import Conflict, Invalid, NotAllowed, NotFound, Refused, Unavailable
from apps.engine.messages import (
    BLOCKED,
    BUY,
    KILL_ACCOUNT,
    NORMAL,
    CancelAll,
    Kill,
    SetAccount,
)
from apps.engine.messages import Limits as EngineLimits
from apps.matching.gateway import derived_command_id, get_gateway, valid_until_ns
from apps.trades.positions import VALUE_ASSET_ID
from apps.trades.risk.models import Restriction, RiskLimits, RiskState
from apps.trades.risk.rules import (
    DRAWDOWN,
    LIMIT_NAMES,
    ONLY_SELL,
    OUTSIDE_NAMES,
    Breach,
    LimitSet,
    looser_names,
    narrower,
    unsaid,
    wider_than_house,
)
from apps.wallets.actions import PERSON_LIMITS
from apps.wallets.models import TradingAccount

# Whoever wants to risk more has a day to sleep on it.
LOOSENING_DELAY: Final = timedelta(hours=24)
# How long a drawdown past the owner's own limit keeps him from buying.
OWN_DRAWDOWN_PAUSE: Final = timedelta(hours=24)
VALID_SECONDS: Final = 30.0
REASON_LENGTH_MAX: Final = 200
LOCK: Final = 0x5249534B

HOUSE_DEFAULTS: Final = LimitSet(
    max_open_orders=PERSON_LIMITS.max_open_orders,
    orders_per_second=PERSON_LIMITS.orders_per_second,
    repeated_orders_per_second=PERSON_LIMITS.repeated_orders_per_second,
    breach_action=ONLY_SELL,
)
# Where staff name none of these, a person's account has the usual ones.
ALWAYS_LIMITED: Final = (
    "max_open_orders", "orders_per_second", "repeated_orders_per_second", "breach_action",
)  # fmt: skip
_Source = RiskLimits.Source


def set_own_limits(
    *, actor: User, account: TradingAccount, wanted: LimitSet, now: datetime
) -> None:
    """Set the owner's own limits: narrower ones hold at once, wider ones after a day.

    Sent again, it changes nothing and does not begin the day anew.
    """
    if account.owner_id != actor.pk or not actor.is_active:
        raise NotFound("unknown_account", "You have no such trading account.")
    with transaction.atomic():
        state = locked_state(account.id)
        sets = limit_sets(account.id)
        house = house_limits(sets)
        wider = wider_than_house(wanted, house)
        if wider:
            raise Invalid(
                "looser_than_house",
                "Your own limit can only be narrower than the one your account has.",
                field=OUTSIDE_NAMES[wider[0]],
            )
        own, later = limits_in(sets.get(_Source.OWN)), sets.get(_Source.OWN_LATER)
        at_once = narrower(unsaid(own, wanted), wanted)
        in_force_at = now + LOOSENING_DELAY
        if later is not None and not looser_names(wanted, unsaid(limits_in(later), wanted)):
            in_force_at = later.in_force_at or in_force_at
        RiskLimits.objects.filter(account=account, source=_Source.OWN_LATER).delete()
        _write(account, _Source.OWN, at_once, actor, now)
        if at_once != wanted:
            _write(account, _Source.OWN_LATER, wanted, actor, now, in_force_at)
        if at_once != own:
            want(state)
    tell_engine(account.id, now=now)


def set_house_limits(
    *, actor: User, account: TradingAccount, wanted: LimitSet, now: datetime
) -> None:
    """Set what the house lets an account risk; the owner's own limits narrow it further."""
    _check_staff(actor)
    _check_personal(account)
    with transaction.atomic():
        state = locked_state(account.id)
        _write(account, _Source.HOUSE, wanted, actor, now)
        want(state)
    tell_engine(account.id, now=now)


def restrict_account(
    *, actor: User, account: TradingAccount, state: int, reason: str, now: datetime
) -> Restriction:
    """Let an account only sell, or do nothing, until staff lift it; its orders that may no longer
    be there are cancelled."""
    _check_staff(actor)
    _check_personal(account)
    _check_reason(reason)
    if state not in Restriction.State.values:
        raise Invalid("invalid_state", "An account is restricted to reduce-only or blocked.")
    with transaction.atomic():
        kept = locked_state(account.id)
        if active_restrictions(account.id).filter(cause=Restriction.Cause.STAFF).exists():
            raise Conflict("already_restricted", "Staff have restricted this account already.")
        placed = Restriction.objects.create(
            account=account, cause=Restriction.Cause.STAFF, state=state, own_limit=False,
            measured=0, limit=0, reason=reason, placed_by=actor, since=now,
        )  # fmt: skip
        want(kept, strictest(account.id))
    tell_engine(account.id, now=now)
    return placed


def restrict_for_breach(*, account_id: int, breach: Breach, now: datetime) -> Restriction | None:
    """Write down that a limit was breached, once; the engine is told by ``tell_engine``.

    Who has lost his day's limit may only sell, or nothing, until the day (UTC) is over. A drawdown
    past the owner's own limit lasts a day, one past the house's until staff lift it. The house's
    limit takes the place of the owner's, when that was not enough.
    """
    with transaction.atomic():
        state = locked_state(account_id)
        before = active_restrictions(account_id).filter(cause=breach.cause).first()
        if before is not None:
            if breach.own_limit or not before.own_limit:
                return None
            before.lifted_at, before.lift_reason = now, "The house's limit was reached, too."
            before.save(update_fields=["lifted_at", "lift_reason"])
        blocks = breach.kills or (before is not None and before.state == BLOCKED)
        until: datetime | None = now.replace(hour=0, minute=0, second=0, microsecond=0)
        until = until + timedelta(days=1) if until else None
        if breach.cause == DRAWDOWN:
            until = now + OWN_DRAWDOWN_PAUSE if breach.own_limit else None
        placed = Restriction.objects.create(
            account_id=account_id, cause=breach.cause,
            state=Restriction.State.BLOCKED if blocks else Restriction.State.REDUCE_ONLY,
            own_limit=breach.own_limit, measured=breach.measured, limit=breach.limit,
            since=now, until=until,
        )  # fmt: skip
        want(state, strictest(account_id))
    return placed


def lift_restriction(
    *, actor: User | None, restriction: Restriction, reason: str, now: datetime
) -> None:
    """End a restriction. What was lost until now counts no more against the limit it was for.

    What was lost since midnight counts, where the restriction is of the day before.
    An actor of None is the watch, when the time of the restriction is over.
    """
    if actor is not None:
        _check_staff(actor)
        _check_reason(reason)
    account_id = restriction.account_id
    with transaction.atomic():
        # A pass that has read the figures already would write down the old beginning again.
        take_watch(wait=True)
        state = locked_state(account_id)
        lifted = active_restrictions(account_id).filter(id=restriction.id)
        if not lifted.update(lifted_at=now, lifted_by=actor, lift_reason=reason):
            raise Conflict("already_lifted", "This restriction has been lifted already.")
        if restriction.cause == Restriction.Cause.DAILY_LOSS:
            if restriction.since.date() == now.date():
                state.day = None
        elif restriction.cause == Restriction.Cause.DRAWDOWN:
            state.peak_profit_minor = None
        want(state, strictest(account_id))
    tell_engine(account_id, now=now)


def loosen_in_time(*, account_id: int, now: datetime) -> None:
    """Put the owner's wider limits in force, where their day is over."""
    with transaction.atomic():
        state = locked_state(account_id)
        later = limit_sets(account_id).get(_Source.OWN_LATER)
        if later is None or later.in_force_at is None or later.in_force_at > now:
            return
        RiskLimits.objects.filter(account_id=account_id, source=_Source.OWN_LATER).delete()
        _write(state.account, _Source.OWN, limits_in(later), later.changed_by, now)
        want(state)
    tell_engine(account_id, now=now)


def tell_engine(account_id: int, *, now: datetime) -> bool:
    """Try to tell the engine; where it is away the watch will. Return whether it has heard."""
    try:
        apply_account(account_id=account_id, now=now)
    except Unavailable:
        return False
    return True


def apply_account(*, account_id: int, now: datetime) -> None:
    """Have the engine know the limits and the state of an account as they were decided.

    One at a time for an account: the row is locked until the engine has answered.
    """
    with transaction.atomic():
        state = locked_state(account_id)
        if state.applied_version >= state.wanted_version:
            return
        version = f"{account_id}.{state.wanted_version}"
        reply = get_gateway().submit(
            SetAccount(
                derived_command_id("risk", version),
                valid_until_ns(VALID_SECONDS),
                account_id,
                state.wanted_state or NORMAL,
                state.account.trade_group,
                engine_limits(limit_sets(account_id)),
                keeps_state=not state.wanted_state,
            )
        )
        if reply.rejected is not None:
            raise Refused(
                reply.rejected.reason,
                f"The engine refused this ({reply.rejected.reason}). It will be told again.",
            )
        fresh = active_restrictions(account_id).filter(applied_seq=None)
        states = set(fresh.values_list("state", flat=True))
        if states:
            _end_orders(account_id, version, blocked=BLOCKED in states)
        fresh.update(applied_seq=reply.seq)
        state.applied_version, state.wanted_state = state.wanted_version, 0
        state.save(update_fields=["applied_version", "wanted_state"])


def take_watch(*, wait: bool) -> bool:
    """Keep other passes of the watch out until the transaction is over; say whether it could."""
    taken = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {taken}(%s, 0)", [LOCK])
        row = cursor.fetchone()
    return wait or bool(row[0])


def limit_sets(account_id: int) -> dict[str, RiskLimits]:
    """Return the sets of limits of an account that there are, by their source."""
    return {row.source: row for row in RiskLimits.objects.filter(account_id=account_id)}


def limits_in(row: RiskLimits | None) -> LimitSet:
    return LimitSet() if row is None else LimitSet(*(getattr(row, name) for name in LIMIT_NAMES))


def house_limits(sets: dict[str, RiskLimits]) -> LimitSet:
    """Return the house's limits of an account, the usual ones where staff named none."""
    found = limits_in(sets.get(_Source.HOUSE))
    usual = {name: getattr(found, name) or getattr(HOUSE_DEFAULTS, name) for name in ALWAYS_LIMITED}
    return LimitSet(
        **usual,
        max_order_value_minor=found.max_order_value_minor,
        max_daily_loss_minor=found.max_daily_loss_minor,
        max_drawdown_bps=found.max_drawdown_bps,
    )


def effective_limits(sets: dict[str, RiskLimits]) -> LimitSet:
    """Return the limits that hold: the narrower of the house's and the owner's own."""
    return narrower(house_limits(sets), limits_in(sets.get(_Source.OWN)))


def engine_limits(sets: dict[str, RiskLimits]) -> EngineLimits:
    """Return those of the limits that the engine keeps, before an order enters."""
    limits = effective_limits(sets)
    value_minor = limits.max_order_value_minor or 0
    return EngineLimits(
        max_open_orders=limits.max_open_orders or 0,
        orders_per_second=limits.orders_per_second or 0,
        repeated_orders_per_second=limits.repeated_orders_per_second or 0,
        max_order_notional_minor=value_minor,
        notional_asset_id=VALUE_ASSET_ID if value_minor else 0,
    )


def _end_orders(account_id: int, version: str, *, blocked: bool) -> None:
    """Cancel what may no longer be there, in one command: all orders, or the purchases.

    Sales, and the stops that protect a holding, stay where the account may still sell.
    """
    head = derived_command_id("risk cancel", version), valid_until_ns(VALID_SECONDS)
    command = (
        Kill(*head, KILL_ACCOUNT, account_id)
        if blocked
        else CancelAll(*head, account_id, side=BUY, reduce_only=True)
    )
    get_gateway().submit(command)


def locked_state(account_id: int) -> RiskState:
    RiskState.objects.get_or_create(account_id=account_id)
    return (
        RiskState.objects.select_for_update(of=("self",))
        .select_related("account")
        .get(account_id=account_id)
    )


def want(state: RiskState, wanted_state: int = 0) -> None:
    state.wanted_version += 1
    state.wanted_state = wanted_state or state.wanted_state
    state.save(update_fields=["wanted_version", "wanted_state", "day", "peak_profit_minor"])


def strictest(account_id: int) -> int:
    return max(active_restrictions(account_id).values_list("state", flat=True), default=NORMAL)


def active_restrictions(account_id: int) -> QuerySet[Restriction]:
    return Restriction.objects.filter(account_id=account_id, lifted_at=None)


def _write(
    account: TradingAccount, source: str, limits: LimitSet, actor: User | None, now: datetime,
    in_force_at: datetime | None = None,
) -> None:  # fmt: skip
    values = {name: getattr(limits, name) for name in LIMIT_NAMES}
    RiskLimits.objects.update_or_create(
        account=account, source=source,
        defaults={
            **values, "changed_by": actor, "changed_at": now, "in_force_at": in_force_at,
        },
    )  # fmt: skip


def _check_staff(actor: User) -> None:
    if not (actor.is_active and actor.is_staff):
        raise NotAllowed("staff_only", "Only staff can do this.")


def _check_personal(account: TradingAccount) -> None:
    if account.owner_id is None:
        raise NotAllowed("house_account", "The house's own accounts have no limits here.")


def _check_reason(reason: str) -> None:
    if not 1 <= len(reason.strip()) <= REASON_LENGTH_MAX:
        raise Invalid(
            "reason_required", "Say why, in up to 200 characters: it is kept.", field="reason"
        )
