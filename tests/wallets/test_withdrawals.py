"""Withdrawals: who confirms, who agrees, what is held back, and where the money is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from apps.accounts.models import User
from apps.core import outbox
from apps.core.errors import (
    Conflict,
    DomainError,
    Invalid,
    Locked,
    NotAllowed,
    NotFound,
    Refused,
    TooMany,
)
from apps.core.models import OutboxEvent
from apps.wallets.custody import simulated
from apps.wallets.custody.interface import get_custody
from apps.wallets.custody.models import ChainTransaction
from apps.wallets.deposits.actions import address_for
from apps.wallets.models import LedgerEntry
from apps.wallets.withdrawals import addresses, codes, reviewing, sending
from apps.wallets.withdrawals.actions import (
    cancel_withdrawal,
    confirm_withdrawal,
    send_code_again,
)
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalAddress, WithdrawalLimit
from apps.wallets.withdrawals.moving import end
from tests import factories
from tests.wallets.withdrawing import (
    DAY,
    HOUR,
    NOW,
    confirm,
    confirmed,
    go_on,
    outside,
    request,
    rested,
    reviewer,
    rich,
    state_of,
)

pytestmark = pytest.mark.django_db
UNIT = 1_000_000


@pytest.fixture
def ada() -> factories.Trader:
    return rich()


def _scale() -> int:
    from apps.wallets.assets import asset_by_code

    return 10 ** asset_by_code("USDT").scale


def _has(who: factories.Trader) -> tuple[int, int]:
    available, held = who.has("USDT")
    return available // _scale(), held // _scale()


def _code_of(failure: Any) -> str:
    return str(failure.value.code)


def test_the_whole_way_out(ada: factories.Trader) -> None:
    withdrawal = request(ada, "100")
    asked = (withdrawal.state, _has(ada))
    confirm(ada, withdrawal)
    go_on()
    sent = (state_of(withdrawal), _has(ada))
    go_on(rounds=5)
    withdrawal.refresh_from_db()

    assert asked == ("requested", (9900, 100))
    assert sent == ("broadcast", (9900, 100))
    assert (withdrawal.state, _has(ada)) == ("settled", (9900, 0))
    assert withdrawal.confirmations == 6
    assert withdrawal.txid == ChainTransaction.objects.get().txid
    steps = [(step.state, step.actor_id) for step in withdrawal.steps.all()]
    assert steps == [
        ("requested", ada.user.pk), ("confirmed", ada.user.pk), ("approved", None),
        ("broadcast", None), ("settled", None),
    ]  # fmt: skip
    entry = LedgerEntry.objects.get(account=ada.account, kind="withdrawal")
    assert (entry.amount_minor, entry.reference) == (-100 * _scale(), str(withdrawal.pk))


def test_the_code_comes_by_mail_and_is_kept_nowhere(ada: factories.Trader) -> None:
    withdrawal = request(ada, "100")

    outbox.deliver(now=NOW)
    outbox.deliver(now=NOW)

    code = codes.code_of(withdrawal)
    assert [letter.to for letter in mail.outbox] == [["ada@example.com"]]
    assert code in mail.outbox[0].body
    assert outside() in mail.outbox[0].body
    assert not any(code in str(event.data) for event in OutboxEvent.objects.all())
    assert len(code) == 6


def test_five_wrong_codes_call_it_off(ada: factories.Trader) -> None:
    withdrawal = request(ada, "100")
    wrong = "000000" if codes.code_of(withdrawal) != "000000" else "111111"
    told = []

    for _ in range(5):
        with pytest.raises(DomainError) as failure:
            confirm_withdrawal(actor=ada.user, public_id=withdrawal.public_id, code=wrong, now=NOW)
        told.append(_code_of(failure))

    assert told == ["wrong_code"] * 4 + ["withdrawal_cancelled"]
    assert (state_of(withdrawal), _has(ada)) == ("cancelled", (10000, 0))
    with pytest.raises(Conflict):
        confirm(ada, withdrawal)


def test_a_new_code_makes_the_old_one_useless(ada: factories.Trader) -> None:
    withdrawal = request(ada, "100")
    old = codes.code_of(withdrawal)

    with pytest.raises(TooMany):
        send_code_again(actor=ada.user, public_id=withdrawal.public_id, now=NOW)
    later = NOW + timedelta(minutes=2)
    withdrawal = send_code_again(actor=ada.user, public_id=withdrawal.public_id, now=later)

    assert codes.code_of(withdrawal) != old
    with pytest.raises(Invalid, match="not the code"):
        confirm_withdrawal(actor=ada.user, public_id=withdrawal.public_id, code=old, now=later)
    assert confirm(ada, withdrawal, later).state == "approved"


def test_what_nobody_confirms_is_called_off_after_a_day(ada: factories.Trader) -> None:
    withdrawal = request(ada, "100")

    sending.advance_all(now=NOW + DAY)
    before = state_of(withdrawal)
    sending.advance_all(now=NOW + DAY + HOUR)

    assert before == "requested"
    assert (state_of(withdrawal), _has(ada)) == ("cancelled", (10000, 0))


def test_its_owner_calls_it_off_until_it_may_have_left(ada: factories.Trader) -> None:
    first, second = confirmed(ada, "100"), confirmed(ada, "200")

    cancel_withdrawal(actor=ada.user, public_id=first.public_id, now=NOW)
    go_on()

    with pytest.raises(Conflict):
        cancel_withdrawal(actor=ada.user, public_id=second.public_id, now=NOW)
    assert (state_of(first), state_of(second)) == ("cancelled", "broadcast")
    assert _has(ada) == (9800, 200)
    assert ChainTransaction.objects.count() == 1


def test_what_fails_on_the_chain_comes_back(ada: factories.Trader) -> None:
    withdrawal = confirmed(ada, "100")
    sending.advance_all(now=NOW)
    simulated.let_fail(txid=ChainTransaction.objects.get().txid)

    go_on(rounds=7)

    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.reason) == ("failed", "it failed on the chain")
    assert _has(ada) == (10000, 0)
    kinds = [event.data.get("kind") for event in OutboxEvent.objects.order_by("id")]
    assert kinds[-1] == "withdrawal_failed"


def test_a_reorganisation_sends_nothing_again(ada: factories.Trader) -> None:
    withdrawal = confirmed(ada, "100")
    go_on(rounds=3)

    simulated.reorganise("ethereum", depth=2, now=NOW, shuffle=True)
    go_on(rounds=6)

    assert (state_of(withdrawal), _has(ada)) == ("settled", (9900, 0))
    assert ChainTransaction.objects.count() == 1


def test_a_large_one_takes_two_of_staff(ada: factories.Trader) -> None:
    one, two, third = reviewer(), reviewer(), reviewer()
    withdrawal = confirmed(ada, "1000")
    asked: dict[str, Any] = {"withdrawal_id": withdrawal.pk, "reason": "known", "now": NOW}
    go_on()
    before = (state_of(withdrawal), withdrawal.approvals_needed)

    reviewing.approve_withdrawal(actor=one, **asked)
    after_one = state_of(withdrawal)
    with pytest.raises(Conflict) as again:
        reviewing.approve_withdrawal(actor=one, **asked)
    reviewing.approve_withdrawal(actor=two, **asked)

    assert before == ("risk_review", 2)
    assert after_one == "risk_review"
    assert _code_of(again) == "already_approved"
    assert state_of(withdrawal) == "approved"
    with pytest.raises(Conflict) as late:
        reviewing.approve_withdrawal(actor=third, **asked)
    assert _code_of(late) == "withdrawal_state"


def test_nobody_agrees_to_his_own_or_without_the_right(ada: factories.Trader) -> None:
    boss = reviewer("boss@example.com")
    mine = factories.Trader(boss, factories.open_main_account(actor=boss, now=NOW))
    factories.fund(mine.account, "USDT", "5000")
    withdrawal = confirmed(mine, "1000")
    asked: dict[str, Any] = {"withdrawal_id": withdrawal.pk, "reason": "mine", "now": NOW}

    for actor, code in ((boss, "four_eyes"), (factories.staff(), "staff_only"),
                        (ada.user, "staff_only")):  # fmt: skip
        for action in (reviewing.approve_withdrawal, reviewing.refuse_withdrawal):
            with pytest.raises(NotAllowed) as failure:
                action(actor=actor, **asked)
            assert _code_of(failure) == code

    assert state_of(withdrawal) == "risk_review"


def test_who_left_staff_counts_no_more(ada: factories.Trader) -> None:
    one, two, third = reviewer(), reviewer(), reviewer()
    withdrawal = confirmed(ada, "1000")
    asked: dict[str, Any] = {"withdrawal_id": withdrawal.pk, "reason": "known", "now": NOW}
    reviewing.approve_withdrawal(actor=one, **asked)
    User.objects.filter(pk=one.pk).update(is_staff=False)

    reviewing.approve_withdrawal(actor=two, **asked)
    after_two = state_of(withdrawal)
    reviewing.approve_withdrawal(actor=third, **asked)

    assert (after_two, state_of(withdrawal)) == ("risk_review", "approved")


def test_staff_refuse_and_the_money_is_back(ada: factories.Trader) -> None:
    withdrawal = confirmed(ada, "1000")

    reviewing.refuse_withdrawal(
        actor=reviewer(), withdrawal_id=withdrawal.pk, reason="Not to this address.", now=NOW
    )

    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.reason) == ("failed", "Not to this address.")
    assert _has(ada) == (10000, 0)


def test_a_held_one_waits_for_staff_alone(ada: factories.Trader) -> None:
    one, two = reviewer(), reviewer()
    withdrawal = confirmed(ada, "100")
    asked: dict[str, Any] = {"withdrawal_id": withdrawal.pk, "reason": "asked about", "now": NOW}

    reviewing.hold_withdrawal(actor=one, **asked)
    go_on(rounds=2)
    with pytest.raises(Conflict):
        cancel_withdrawal(actor=ada.user, public_id=withdrawal.public_id, now=NOW)
    held = (state_of(withdrawal), _has(ada))
    reviewing.let_go_on(actor=one, **asked)
    reviewing.approve_withdrawal(actor=two, **asked)
    go_on(rounds=7)

    assert held == ("held", (9900, 100))
    assert (state_of(withdrawal), _has(ada)) == ("settled", (9900, 0))


def test_many_in_an_hour_are_looked_at(ada: factories.Trader) -> None:
    states = [confirmed(ada, "10").state for _ in range(6)]
    later = request(ada, "10", now=NOW + 2 * HOUR)

    assert states == ["approved"] * 4 + ["risk_review"] * 2
    assert confirm(ada, later, NOW + 2 * HOUR).state == "approved"


def test_what_has_no_price_takes_two(ada: factories.Trader) -> None:
    factories.fund(ada.account, "BTC", "1")
    entry = rested(ada.user, "BTC", "cold")

    withdrawal = confirmed(ada, "0.001", asset="BTC", address_id=entry.public_id)

    assert (withdrawal.worth_minor, withdrawal.state) == (None, "risk_review")
    assert withdrawal.approvals_needed == 2


def test_a_price_makes_its_worth(ada: factories.Trader) -> None:
    seller = factories.trader("seller@example.com", BTC="2")
    seller.sell("0.001", "50000")
    ada.buy("0.001", "50000")
    factories.fund(ada.account, "BTC", "1")
    entry = rested(ada.user, "BTC", "cold")

    small = confirmed(ada, "0.0199", asset="BTC", address_id=entry.public_id)
    cancel_withdrawal(actor=ada.user, public_id=small.public_id, now=NOW)
    large = confirmed(ada, "0.02", asset="BTC", address_id=entry.public_id)

    assert (small.worth_minor, small.state) == (995 * _scale(), "approved")
    assert (large.worth_minor, large.state) == (1000 * _scale(), "risk_review")


def test_the_tier_says_how_much_leaves_in_a_day_and_a_month(ada: factories.Trader) -> None:
    request(ada, "700")

    with pytest.raises(Refused) as failure:
        request(ada, "300.01")
    request(ada, "300")

    assert _code_of(failure) == "withdrawal_limit"
    assert failure.value.data["left"] == "300.00"
    with pytest.raises(Refused):
        request(ada, "0.01")
    # 1,000 on each of five days is the month's limit of this tier.
    for day in range(1, 5):
        request(ada, "1000", now=NOW + day * DAY)
    with pytest.raises(Refused) as month:
        request(ada, "1", now=NOW + 5 * DAY)
    assert month.value.data["left"] == "0.00"
    assert request(ada, "1000", now=NOW + 22 * DAY).state == "requested"


def test_what_was_called_off_does_not_count(ada: factories.Trader) -> None:
    withdrawal = request(ada, "1000")
    cancel_withdrawal(actor=ada.user, public_id=withdrawal.public_id, now=NOW)

    assert request(ada, "1000").state == "requested"


def test_the_most_exact_limit_holds(ada: factories.Trader) -> None:
    asset_id = request(ada, "1").asset_id
    unit = _scale()
    rules = (
        ({"tier": 0}, 500),
        ({"tier": 0, "asset_id": asset_id}, 400),
        ({"person": ada.user}, 300),
        ({"person": ada.user, "asset_id": asset_id}, 200),
    )
    left = []

    for who, day in rules:
        WithdrawalLimit.objects.create(
            **who, day_minor=day * unit, month_minor=10**6 * unit, reason="test"
        )
        with pytest.raises(Refused) as failure:
            request(ada, "600")
        left.append(failure.value.data["left"])

    assert left == ["499.00", "399.00", "299.00", "199.00"]


def test_a_new_address_rests_a_day(ada: factories.Trader) -> None:
    entry = addresses.add_address(
        actor=ada.user, asset="USDT", address=outside(), label="ledger", proved_at=NOW, now=NOW
    )

    with pytest.raises(Locked) as failure:
        request(ada, "1", address_id=entry.public_id, now=NOW + DAY - timedelta(seconds=1))
    ready = [addresses.tell_usable(now=NOW), addresses.tell_usable(now=NOW + DAY)]

    assert (_code_of(failure), _has(ada)) == ("address_cooldown", (10000, 0))
    assert ready == [0, 1]
    kinds = [event.data.get("kind") for event in OutboxEvent.objects.order_by("id")]
    assert kinds == ["address_added", "address_ready"]
    assert request(ada, "1", address_id=entry.public_id, now=NOW + DAY).state == "requested"


def test_a_changed_address_rests_again(ada: factories.Trader) -> None:
    entry, other = rested(ada.user), rested(ada.user, name="other")

    for change in ({"address": outside("USDT", "third")}, {"label": "renamed"}):
        changed = addresses.change_address(
            actor=ada.user, public_id=entry.public_id, proved_at=NOW, now=NOW, **change
        )
        assert changed.usable_at == NOW + DAY

    with pytest.raises(Locked):
        request(ada, "1", address_id=entry.public_id)
    assert request(ada, "1", address_id=other.public_id).state == "requested"


def test_an_address_takes_a_fresh_proof(ada: factories.Trader) -> None:
    for proved_at in (None, NOW - timedelta(minutes=16)):
        with pytest.raises(NotAllowed) as failure:
            addresses.add_address(
                actor=ada.user, asset="USDT", address=outside(), label="x",
                proved_at=proved_at, now=NOW,
            )  # fmt: skip
        assert _code_of(failure) == "step_up_required"

    assert WithdrawalAddress.objects.count() == 0


def test_addresses_that_cannot_be_right_are_refused(ada: factories.Trader) -> None:
    own = address_for(actor=ada.user, asset="USDT", now=NOW).address
    rested(ada.user)
    told = []

    for address in (outside("BTC"), outside() + "a", "", own, outside()):
        with pytest.raises(DomainError) as failure:
            addresses.add_address(
                actor=ada.user, asset="USDT", address=address, label="x", proved_at=NOW, now=NOW
            )
        told.append(_code_of(failure))

    assert told == ["invalid_address"] * 3 + ["own_address", "address_exists"]


def test_other_addresses_open_after_a_day_and_are_looked_at(ada: factories.Trader) -> None:
    with pytest.raises(Refused) as closed:
        request(ada, "1", address=outside())
    addresses.set_book_only(actor=ada.user, wanted=False, proved_at=NOW, now=NOW)
    # Asking again does not begin the day anew, nor end it.
    addresses.set_book_only(actor=ada.user, wanted=False, proved_at=NOW + HOUR, now=NOW + HOUR)
    with pytest.raises(Refused) as waiting:
        request(ada, "1", address=outside(), now=NOW + DAY - HOUR)

    withdrawal = request(ada, "1", address=outside(), now=NOW + DAY)
    confirm(ada, withdrawal, NOW + DAY)
    addresses.set_book_only(actor=ada.user, wanted=True, proved_at=None, now=NOW + DAY)
    with pytest.raises(Refused) as shut:
        request(ada, "1", address=outside(), now=NOW + 2 * DAY)

    assert {_code_of(each) for each in (closed, waiting, shut)} == {"address_book_only"}
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.approvals_needed) == ("risk_review", 1)


def test_after_a_new_password_nothing_leaves_for_a_day(ada: factories.Trader) -> None:
    entry = rested(ada.user)
    before = confirmed(ada, "10")
    User.objects.filter(pk=ada.user.pk).update(security_changed_at=NOW)

    with pytest.raises(Locked) as failure:
        request(ada, "1", address_id=entry.public_id, now=NOW + DAY - HOUR)
    sending.advance_all(now=NOW + HOUR)

    assert _code_of(failure) == "security_freeze"
    assert (state_of(before), _has(ada)) == ("held", (9990, 10))
    assert ChainTransaction.objects.count() == 0
    assert request(ada, "1", address_id=entry.public_id, now=NOW + DAY).state == "requested"


def test_a_frozen_account_sends_nothing(ada: factories.Trader) -> None:
    before = confirmed(ada, "10")
    User.objects.filter(pk=ada.user.pk).update(frozen_at=NOW)

    with pytest.raises(NotAllowed) as failure:
        request(ada, "1")
    sending.advance_all(now=NOW)

    assert (_code_of(failure), state_of(before)) == ("account_frozen", "held")


def test_a_short_hot_wallet_is_waited_for(ada: factories.Trader) -> None:
    spendable = get_custody().spendable_minor(chain="ethereum", asset="USDT")
    from apps.wallets.custody.models import ChainVault

    ChainVault.objects.filter(asset="USDT").update(added_minor=50 * _scale())
    withdrawal = confirmed(ada, "100")

    go_on(rounds=2, now=NOW + HOUR)
    withdrawal.refresh_from_db()
    short = (withdrawal.state, withdrawal.short_since)
    simulated.fill_hot_wallet(asset="USDT", amount_minor=spendable)
    go_on(rounds=7, now=NOW + 2 * HOUR)
    withdrawal.refresh_from_db()

    assert short == ("approved", NOW + HOUR)
    assert (withdrawal.state, withdrawal.short_since) == ("settled", None)


def test_a_stranger_finds_nothing(ada: factories.Trader) -> None:
    bob = factories.trader("bob@example.com", USDT="10")
    withdrawal, entry = request(ada, "1"), rested(ada.user, name="mine")

    with pytest.raises(NotFound):
        cancel_withdrawal(actor=bob.user, public_id=withdrawal.public_id, now=NOW)
    with pytest.raises(NotFound):
        confirm(bob, withdrawal)
    with pytest.raises(NotFound):
        request(bob, "1", address_id=entry.public_id)
    with pytest.raises(NotFound):
        addresses.remove_address(actor=bob.user, public_id=entry.public_id, now=NOW)

    assert state_of(withdrawal) == "requested"


def test_the_same_effect_is_one_withdrawal(ada: factories.Trader) -> None:
    first = request(ada, "10", effect_id="one")
    again = request(ada, "10", effect_id="one")

    assert (first.pk, _has(ada)) == (again.pk, (9990, 10))


def test_a_row_left_behind_gives_its_hold_back(ada: factories.Trader) -> None:
    withdrawal = request(ada, "10")
    # As if who asked had died after the engine's answer.
    Withdrawal.objects.filter(pk=withdrawal.pk).update(state="new", code_sent_at=None)

    sending.advance_all(now=NOW + timedelta(seconds=119))
    early = _has(ada)
    sending.advance_all(now=NOW + timedelta(seconds=121))

    assert (early, _has(ada)) == ((9990, 10), (10000, 0))
    assert state_of(withdrawal) == "failed"


def test_an_end_that_was_broken_off_is_ended_once(ada: factories.Trader) -> None:
    withdrawal = request(ada, "10")
    Withdrawal.objects.filter(pk=withdrawal.pk).update(ends_as="cancelled")

    with pytest.raises(Conflict):
        confirm(ada, withdrawal)
    sending.advance_all(now=NOW)
    end(withdrawal.pk, now=NOW)
    Withdrawal.objects.filter(pk=withdrawal.pk).update(state="requested")
    end(withdrawal.pk, now=NOW)

    assert (state_of(withdrawal), _has(ada)) == ("cancelled", (10000, 0))
