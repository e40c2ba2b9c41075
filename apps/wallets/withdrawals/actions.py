"""What the owner of a withdrawal does: asks for it, confirms it, calls it off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from apps.accounts.factors.actions import Given, check_second_factor
from apps.accounts.factors.queries import has_second_factor
from apps.accounts.models import User
from apps.accounts.queries import is_frozen, security_changed_at
from apps.core import clock, ratelimit
from apps.core.errors import (
    Conflict,
    Invalid,
    Locked,
    NotAllowed,
    NotSignedIn,
    Paused,
    Refused,
    TooMany,
)
from apps.core.money import parse_positive
from apps.engine.messages import Hold
from apps.matching.gateway import derived_command_id, get_gateway, valid_until_ns
from apps.wallets.assets import Asset, asset_by_code
from apps.wallets.models import TradingAccount
from apps.wallets.welcome import account_of
from apps.wallets.withdrawals import codes, judging, limits
from apps.wallets.withdrawals.addresses import (
    check_address,
    entry_of,
    is_book_only,
    policy_of,
    require_usable,
)
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalAddress
from apps.wallets.withdrawals.moving import (
    CANCELLABLE,
    State,
    begin_end,
    end,
    locked,
    move,
    require_state,
    tell,
)
from apps.wallets.withdrawals.queries import withdrawal_of
from apps.wallets.worth import worth_minor

# So long nothing leaves after a new password or second factor: who took the account waits, and
# the owner, who is told, can step in.
SECURITY_FREEZE: Final = timedelta(hours=24)
CODE_TRIES_MAX: Final = 5
CODES_MAX: Final = 5
CODE_PAUSE: Final = timedelta(seconds=60)
HOLD_VALID_SECONDS: Final = 60
TRIES: Final = ratelimit.Bucket(60, 0.1)


@dataclass(frozen=True, slots=True)
class Destination:
    chain: str
    address: str
    in_book: bool


def request_withdrawal(
    *,
    actor: User,
    asset: str,
    amount: str,
    now: datetime,
    address_id: UUID | str | None = None,
    address: str | None = None,
    account: object = None,
    effect_id: str = "",
) -> Withdrawal:
    """Take the amount aside and have its owner asked to confirm. The same effect id is one."""
    _hold_back(actor)
    check_may_withdraw(actor, now)
    found, mine = asset_by_code(asset), account_of(viewer=actor, public_id=account)
    amount_minor = parse_positive(amount, found.scale)
    where = _destination(actor, found, address_id, address, now)
    worth = worth_minor(found.id, amount_minor, now=now)
    withdrawal = Withdrawal(
        owner=actor, account=mine, asset_id=found.id, chain=where.chain, address=where.address,
        in_book=where.in_book, amount_minor=amount_minor, worth_minor=worth,
        effect_id=effect_id or None, requested_at=now,
    )  # fmt: skip
    # Written before anything is held: a hold without a row would never be found again.
    withdrawal = _write(withdrawal)
    # Says when it was tried last: until no command of that can come late, the row is left alone.
    fresh = Withdrawal.objects.filter(pk=withdrawal.pk, state=State.NEW)
    if fresh.update(requested_at=now):
        return _take_aside(withdrawal, mine, found, now)
    if withdrawal.code_sent_at is None:
        raise refusal_of(withdrawal.reason)
    return withdrawal


def confirm_withdrawal(
    *,
    actor: User,
    public_id: UUID | str,
    now: datetime,
    code: str = "",
    passkey: Given | None = None,
) -> Withdrawal:
    """Confirm by the second factor, or by the code of an e-mail where the actor has none.

    Whoever reads somebody's mail must not need less than who signs in. The fifth wrong one calls
    the withdrawal off.
    """
    _hold_back(actor)
    check_may_withdraw(actor, now)
    asked = withdrawal_of(viewer=actor, public_id=public_id)
    # Before anything is judged, so that no code is used up in vain.
    require_state(asked, State.REQUESTED)
    by_factor = has_second_factor(person=actor)
    is_right = by_factor and _is_second_factor(actor, passkey or Given(code=code), now)
    with transaction.atomic():
        withdrawal = locked(asked.pk)
        require_state(withdrawal, State.REQUESTED)
        if is_right or (not by_factor and codes.is_code(withdrawal, code)):
            judging.judge(withdrawal, actor=actor, now=now)
            return withdrawal
        # Kept although it is refused, so outside what an exception would take back.
        _count_wrong_code(withdrawal, now)
    if withdrawal.ends_as:
        end(withdrawal.pk, now=now)
        raise Refused(
            "withdrawal_cancelled",
            "That was the fifth wrong code: the withdrawal is cancelled, and the money is back.",
        )
    words = "This is not the code. Look at the latest e-mail."
    if by_factor:
        words = "This is wrong, or was used already. Give your app's newest code."
    raise Invalid("wrong_code", words, field="code")


def send_code_again(*, actor: User, public_id: UUID | str, now: datetime) -> Withdrawal:
    """Send another code; the ones before it are of no use any more."""
    if has_second_factor(person=actor):
        raise Conflict("second_factor_required", "You confirm with your second factor.")
    withdrawal_id = withdrawal_of(viewer=actor, public_id=public_id).pk
    with transaction.atomic():
        withdrawal = locked(withdrawal_id)
        require_state(withdrawal, State.REQUESTED)
        sent_at = withdrawal.code_sent_at
        if sent_at is not None and now - sent_at < CODE_PAUSE:
            raise TooMany(
                "code_just_sent", "A code was sent less than a minute ago. Look there first.",
                retry_after_seconds=int((sent_at + CODE_PAUSE - now).total_seconds()) + 1,
            )  # fmt: skip
        if withdrawal.code_number >= CODES_MAX:
            raise Conflict("no_more_codes", "Five codes were sent. Cancel, and begin again.")
        withdrawal.code_number += 1
        withdrawal.code_sent_at = now
        withdrawal.save(update_fields=["code_number", "code_sent_at"])
        codes.ask_to_send(withdrawal, now)
    return withdrawal


def cancel_withdrawal(*, actor: User, public_id: UUID | str, now: datetime) -> Withdrawal:
    """Call it off, as long as nothing may have left; the money is back when this returns."""
    withdrawal_id = withdrawal_of(viewer=actor, public_id=public_id).pk
    with transaction.atomic():
        withdrawal = locked(withdrawal_id)
        require_state(withdrawal, *CANCELLABLE)
        begin_end(withdrawal, State.CANCELLED, reason="cancelled by you", now=now, actor=actor)
    return end(withdrawal_id, now=now)


def check_may_withdraw(actor: User, now: datetime) -> None:
    """Refuse who is frozen, and for a day who has changed how he signs in."""
    if is_frozen(person_id=actor.pk):
        raise NotAllowed(
            "account_frozen", "Your account is frozen, so nothing can leave it. Nothing moved."
        )
    changed_at = security_changed_at(person_id=actor.pk)
    if changed_at is not None and now < changed_at + SECURITY_FREEZE:
        until = changed_at + SECURITY_FREEZE
        raise Locked(
            "security_freeze",
            "Your password or second factor changed, so nothing leaves your account before"
            f" {until:%d %B %Y, %H:%M} UTC. Nothing moved.",
            until=clock.iso(until),
        )


def _hold_back(actor: User) -> None:
    """Limit the tries. Without Valkey nobody is counted, and nothing leaves."""
    verdict = ratelimit.take(f"withdrawal:{actor.pk}", TRIES)
    if not verdict.allowed:
        raise TooMany(
            "rate_limited", "Too many tries to withdraw. Wait a little. Nothing moved.",
            retry_after_seconds=verdict.retry_after_seconds,
        )  # fmt: skip


def _destination(
    actor: User, asset: Asset, address_id: UUID | str | None, address: str | None, now: datetime
) -> Destination:
    if address_id is not None and address is None:
        entry = entry_of(viewer=actor, public_id=address_id)
        if entry.asset_id != asset.id:
            raise Refused(
                "account_asset_mismatch",
                f"This address is for {entry.asset.code}, not for {asset.code}. Nothing moved.",
                field="address",
            )
        require_usable(entry, now)
        check_address(actor=actor, asset=asset.code, address=entry.address)
        return Destination(entry.chain, entry.address, in_book=True)
    if address is None or address_id is not None:
        raise Invalid(
            "address_required", "Choose one address to send to. Nothing moved.", field="address"
        )
    if is_book_only(policy_of(viewer=actor), now):
        raise Refused(
            "address_book_only",
            "Your coins can go to your address book only. Add the address there first.",
            field="address",
        )
    chain = check_address(actor=actor, asset=asset.code, address=address)
    rows = WithdrawalAddress.objects.filter(person=actor, removed_at=None)
    known = rows.filter(asset_id=asset.id, address=address).first()
    if known is not None:
        require_usable(known, now)
    return Destination(chain, address, in_book=known is not None)


def _write(withdrawal: Withdrawal) -> Withdrawal:
    if withdrawal.effect_id is None:
        withdrawal.save()
        return withdrawal
    Withdrawal.objects.bulk_create([withdrawal], ignore_conflicts=True)
    return Withdrawal.objects.select_related("asset").get(effect_id=withdrawal.effect_id)


def _take_aside(
    withdrawal: Withdrawal, account: TradingAccount, asset: Asset, now: datetime
) -> Withdrawal:
    """Check the limits and have the engine hold the amount, one withdrawal of a person at a time.

    Who dies in here leaves a new row behind, and its hold, if there is one, is released.
    """
    refusal = ""
    with transaction.atomic():
        _wait_for_turn(account)
        withdrawal = locked(withdrawal.pk)
        require_state(withdrawal, State.NEW)
        limits.check_room(
            person=withdrawal.owner, asset=asset, amount_minor=withdrawal.amount_minor,
            worth_minor=withdrawal.worth_minor, now=now,
        )  # fmt: skip
        refusal = _hold(withdrawal)
        if refusal:
            # Nothing was held, so there is nothing to give back.
            withdrawal.state = withdrawal.ends_as = State.FAILED
            withdrawal.reason, withdrawal.ended_at = refusal, now
            withdrawal.save(update_fields=["state", "ends_as", "reason", "ended_at"])
        else:
            withdrawal.code_sent_at = now
            move(withdrawal, State.REQUESTED, now=now, actor=withdrawal.owner)
            if not has_second_factor(person=withdrawal.owner):
                codes.ask_to_send(withdrawal, now)
            tell(withdrawal, "withdrawal_requested", now)
    if refusal:
        raise refusal_of(refusal)
    return withdrawal


def _wait_for_turn(account: TradingAccount) -> None:
    """Hold the account: limits are sums over all its withdrawals. Each waits for those before it,
    however long they wait for the engine, rather than to be sent away half done."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '20s'")
        cursor.execute("SET LOCAL statement_timeout = '20s'")
    TradingAccount.objects.select_for_update().get(pk=account.pk)


def _hold(withdrawal: Withdrawal) -> str:
    """Have the engine hold the amount; return why it will not."""
    reply = get_gateway().submit(
        Hold(
            derived_command_id("withdrawal", "hold", str(withdrawal.pk)),
            valid_until_ns(HOLD_VALID_SECONDS),
            withdrawal.account_id,
            withdrawal.asset_id,
            withdrawal.amount_minor,
            withdrawal.pk,
        )
    )
    return "" if reply.rejected is None else reply.rejected.reason


def refusal_of(reason: str) -> Refused | Paused:
    """Return what the engine's reason means to who asked."""
    if reason == "insufficient_balance":
        return Refused(
            "insufficient_funds", "Your available balance is too small. Nothing moved.",
            field="amount",
        )  # fmt: skip
    if reason == "venue_halted":
        return Paused(
            "venue_halted", "The venue is halted, and nothing can leave. Nothing moved.",
            retry_after_seconds=10,
        )  # fmt: skip
    return Refused(reason, f"This is not possible now ({reason}). Nothing moved.")


def _is_second_factor(actor: User, given: Given, now: datetime) -> bool:
    """Judge it where all second factors are judged and counted."""
    try:
        check_second_factor(person=actor, given=given, now=now)
    except NotSignedIn:
        return False
    return True


def _count_wrong_code(withdrawal: Withdrawal, now: datetime) -> None:
    withdrawal.code_tries += 1
    withdrawal.save(update_fields=["code_tries"])
    if withdrawal.code_tries >= CODE_TRIES_MAX:
        begin_end(withdrawal, State.CANCELLED, reason="five wrong codes", now=now)
