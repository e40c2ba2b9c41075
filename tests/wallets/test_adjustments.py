"""Corrections of balances: two people, one movement, never below zero, and its owner is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from apps.accounts import roles
from apps.accounts.models import User
from apps.core.errors import Conflict, DomainError, Invalid, NotFound, Unavailable
from apps.core.models import AuditedRow, OutboxEvent
from apps.matching.gateway import get_gateway
from apps.wallets.adjustments import actions
from apps.wallets.adjustments.models import Adjustment
from apps.wallets.adjustments.rules import CATEGORIES, reference_of, words_of_reference
from apps.wallets.liabilities.actions import reconcile
from apps.wallets.models import Balance, LedgerEntry
from apps.wallets.presentation import entry_json
from apps.wallets.statements.presentation import reason_of
from tests import factories
from tests.wallets.test_hostile_withdrawals import _at_once
from tests.wallets.withdrawing import NOW, rich

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def member(name: str, role: str = roles.TREASURY) -> User:
    person = factories.staff(f"{name}@example.com")
    person.groups.add(Group.objects.get(name=role))
    return User.objects.get(pk=person.pk)


@pytest.fixture
def ada() -> factories.Trader:
    return rich(USDT="100")


@pytest.fixture
def two() -> tuple[User, User]:
    return member("tess"), member("theo")


Two = tuple[User, User]


def ask(
    actor: User, who: factories.Trader, category: str = "missed_deposit", amount: str = "5",
    **given: Any,
) -> Adjustment:  # fmt: skip
    wanted = {
        "account_id": who.account.id, "asset": "USDT", "reason": "Ticket says so",
        "case": "T-7", "now": NOW, **given,
    }  # fmt: skip
    return actions.request_adjustment(actor=actor, category=category, amount=amount, **wanted)


def agree(actor: User, row: Adjustment, **given: Any) -> Adjustment:
    wanted = {"adjustment_id": row.pk, "reason": "I checked it", "now": NOW, **given}
    return actions.approve_adjustment(actor=actor, **wanted)


def has(who: factories.Trader) -> int:
    return who.has("USDT")[0] // 10**8


def entries(row: Adjustment) -> list[tuple[int, int, str]]:
    reference = reference_of(row.category, row.public_id.hex)
    found = LedgerEntry.objects.filter(reference=reference).order_by("account_id")
    return [(each.account_id, each.amount_minor // 10**8, each.kind) for each in found]


def refused(call: Any, **given: Any) -> str:
    with pytest.raises(DomainError) as failure:
        call(**given)
    return failure.value.code


def test_one_asks_another_agrees_and_the_owner_reads_why(ada: factories.Trader, two: Two) -> None:
    asker, other = two

    row = ask(asker, ada)
    before = (row.state, has(ada), entries(row))
    done = agree(other, row)

    assert before == ("requested", 100, [])
    assert (done.state, done.decided_by, done.problem, has(ada)) == ("done", other, "", 105)
    assert entries(row) == [(1, -5, "adjustment"), (ada.account.id, 5, "adjustment")]
    (event,) = OutboxEvent.objects.filter(topic="notice", key=f"balance_added:{row.pk}")
    words = CATEGORIES["missed_deposit"].words
    assert event.data == {
        "person_id": ada.user.pk, "kind": "balance_added",
        "data": {"amount": "5", "asset": "USDT", "words": words},
    }  # fmt: skip
    entry = LedgerEntry.objects.get(kind="adjustment", account=ada.account)
    shown = entry_json(entry)
    assert (shown["kind"], shown["note"]) == ("adjustment", words)
    assert reason_of(entry) == f"Correction: {words}"
    assert "Ticket" not in str(shown) + str(event.data)


def test_nobody_agrees_to_his_own_request_or_about_his_own_account(
    ada: factories.Trader, two: Two
) -> None:
    asker, other = two
    owner = User.objects.get(pk=ada.user.pk)
    owner.is_staff = True
    owner.save()
    owner.groups.add(Group.objects.get(name=roles.TREASURY))
    owner = User.objects.get(pk=owner.pk)
    row = ask(asker, ada)
    helper = member("sue", roles.SUPPORT)
    watcher = member("carl", roles.COMPLIANCE)

    codes = [
        refused(agree, actor=asker, row=row),
        refused(agree, actor=owner, row=row),
        refused(ask, actor=owner, who=ada),
        refused(agree, actor=helper, row=row),
        refused(agree, actor=watcher, row=row),
        refused(ask, actor=watcher, who=ada),
        refused(actions.refuse_adjustment, actor=owner, adjustment_id=row.pk, reason="no", now=NOW),
    ]

    assert codes == [
        "four_eyes", "four_eyes", "four_eyes", "staff_only", "staff_only", "staff_only",
        "four_eyes",
    ]  # fmt: skip
    assert (Adjustment.objects.get().state, has(ada)) == ("requested", 100)
    User.objects.filter(pk=asker.pk).update(is_staff=False)
    assert refused(agree, actor=other, row=row) == "asker_not_staff"
    assert has(ada) == 100


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"amount": "0"}, Invalid),
        ({"amount": "-1"}, Invalid),
        ({"amount": "1e3"}, Invalid),
        ({"amount": "0.123456789"}, Invalid),
        ({"reason": " "}, Invalid),
        ({"reason": "x" * 201}, Invalid),
        ({"case": ""}, Invalid),
        ({"case": "a\x00b"}, Invalid),
        ({"category": "gift"}, Invalid),
        ({"asset": "NONE"}, NotFound),
        ({"account_id": 2}, NotFound),
        ({"account_id": 10**15}, NotFound),
    ],
)
def test_what_cannot_be_asked_for(
    ada: factories.Trader, two: Two, given: Any, error: type[DomainError]
) -> None:
    with pytest.raises(error):
        ask(two[0], ada, **given)

    assert not Adjustment.objects.exists()


def test_nobody_falls_below_zero_and_the_row_says_so(ada: factories.Trader, two: Two) -> None:
    asker, other = two
    ada.buy("0.001", "90000")
    free = ada.has("USDT")

    taken = agree(other, ask(asker, ada, "wrong_credit", "11"))
    gift = agree(other, ask(asker, ada, "goodwill", "1"))
    fits = agree(other, ask(asker, ada, "wrong_credit", "9"))
    back = agree(other, ask(asker, ada, "goodwill", "9"))

    assert [(row.state, row.problem) for row in (taken, gift)] == [
        ("failed", "insufficient_balance")
    ] * 2
    assert (fits.state, back.state) == ("done", "done")
    assert ada.has("USDT") == free
    assert not OutboxEvent.objects.filter(key=f"balance_taken:{taken.pk}").exists()
    assert refused(agree, actor=other, row=taken) == "adjustment_decided"


def test_it_can_be_refused_taken_back_and_ends_after_a_week(
    ada: factories.Trader, two: Two
) -> None:
    asker, other = two
    first, second, third = (ask(asker, ada) for _ in range(3))

    actions.refuse_adjustment(actor=other, adjustment_id=first.pk, reason="Not so", now=NOW)
    actions.refuse_adjustment(actor=asker, adjustment_id=second.pk, reason="My error", now=NOW)
    late = refused(agree, actor=other, row=third, now=NOW + 7 * DAY)
    actions.go_on(now=NOW + 7 * DAY - timedelta(seconds=1))
    early = Adjustment.objects.get(pk=third.pk).state
    actions.go_on(now=NOW + 7 * DAY)

    states = [(row.state, row.decision) for row in Adjustment.objects.order_by("id")]
    assert states == [("refused", "Not so"), ("refused", "My error"), ("expired", "")]
    assert (late, early, has(ada)) == ("adjustment_expired", "requested", 100)
    assert refused(agree, actor=other, row=first) == "adjustment_decided"


def test_one_form_sent_twice_is_one_request(ada: factories.Trader, two: Two) -> None:
    first = ask(two[0], ada, effect_id="form-1")
    again = ask(two[0], ada, effect_id="form-1")

    assert (first.pk, Adjustment.objects.count()) == (again.pk, 1)


class _Mute:
    """The real engine, whose answers are lost, or whose commands never arrive."""

    def __init__(self, arrives: bool) -> None:
        self.engine, self.arrives = get_gateway(), arrives

    def submit(self, command: Any, timeout_seconds: float = 2.0) -> Any:
        if self.arrives:
            self.engine.submit(command)
        raise Unavailable("outcome_unknown", "No answer.", retry_after_seconds=1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("later", [timedelta(seconds=20), timedelta(hours=2)])
def test_an_answer_that_was_lost_moves_nothing_twice(
    ada: factories.Trader, two: Two, arrives: bool, later: timedelta,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    row = ask(two[0], ada)
    with monkeypatch.context() as patched:
        patched.setattr(actions, "get_gateway", lambda: _Mute(arrives))
        assert refused(agree, actor=two[1], row=row) == "outcome_unknown"
    lost = Adjustment.objects.get().state
    actions.go_on(now=NOW + timedelta(seconds=5))
    waits = Adjustment.objects.get().state

    for round_ in range(3):
        actions.go_on(now=NOW + later + timedelta(seconds=11 * round_))
    row.refresh_from_db()

    assert (lost, waits, row.state, has(ada)) == ("approved", "approved", "done", 105)
    assert len(entries(row)) == 2


@pytest.mark.django_db(transaction=True)
def test_thirty_who_agree_at_once_move_it_once(ada: factories.Trader, two: Two) -> None:
    row = ask(two[0], ada)
    others = [member(f"other{index}") for index in range(15)]

    def both(index: int) -> tuple[int, str]:
        try:
            agree(others[index % 15], row)
        except Conflict as refusal:
            return 0, refusal.code
        return 1, ""

    outcomes = _at_once(30, both)

    assert outcomes == {(1, ""): 1, (0, "adjustment_decided"): 29}
    assert (has(ada), len(entries(row))) == (105, 2)


def test_the_books_still_agree_with_the_chain(ada: factories.Trader, two: Two) -> None:
    asker, other = two
    agree(other, ask(asker, ada, "missed_deposit", "7"))
    agree(other, ask(asker, ada, "reversed_deposit", "3"))

    found = {row.asset.code: row for row in reconcile(now=NOW)}["USDT"]

    assert found.problem == ""
    assert int(found.by_hand_minor) // 10**8 == 104
    outside = Balance.objects.get(account_id=1, asset__code="USDT")
    assert outside.available_minor // 10**8 == -104


def test_the_database_keeps_what_was_asked_for_and_who_did_it(
    ada: factories.Trader, two: Two
) -> None:
    asker, other = two
    row = ask(asker, ada)
    for statement in (
        "UPDATE wallets_adjustment SET amount_minor = 9",
        "UPDATE wallets_adjustment SET account_id = 2",
        "UPDATE wallets_adjustment SET requested_by_id = decided_by_id",
        "DELETE FROM wallets_adjustment",
        f"UPDATE wallets_adjustment SET state = 'approved', decided_by_id = {asker.pk}",
    ):
        with (
            pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor,
        ):  # fmt: skip
            cursor.execute(statement)

    agree(other, row)

    kept = AuditedRow.objects.filter(table_name="wallets_adjustment").order_by("pk")
    assert [(each.label, each.row["state"]) for each in kept] == [
        ("insert", "requested"), ("update", "approved"), ("update", "done"),
    ]  # fmt: skip
    reasons = [each.pgh_context.metadata["reason"] for each in kept]
    assert reasons == ["Ticket says so", "I checked it", "I checked it"]


def test_the_pages_of_staff(ada: factories.Trader, two: Two, client: Client) -> None:
    asker, other = two
    queue = reverse("admin:wallets_adjustment_changelist")
    new = reverse("admin:wallets_adjustment_add") + f"?account={ada.account.id}"
    form = {
        "account": str(ada.account.id), "asset": "USDT", "amount": "5", "key": "k",
        "category": "missed_deposit", "case": "T-7", "reason": "<b>seen</b> on the chain",
    }  # fmt: skip

    client.force_login(member("carl", roles.COMPLIANCE))
    assert (client.get(queue).status_code, client.get(new).status_code) == (200, 403)
    assert client.post(new, form).status_code == 403
    client.force_login(asker)
    assert "100.00" in client.get(new).content.decode()
    wrong = client.post(new, {**form, "amount": "-5"})
    assert (wrong.status_code, "seen" in wrong.content.decode()) == (200, True)
    made = client.post(new, form)
    page = made["Location"]
    own = client.get(page).content.decode()
    assert "You asked for it" in own
    assert "Agree: the value moves now" not in own
    client.post(page, {"act": "approve", "reason": "mine"})
    assert has(ada) == 100

    client.force_login(other)
    shown = client.get(page).content.decode()
    assert "&lt;b&gt;seen&lt;/b&gt; on the chain" in shown
    assert "Agree: the value moves now" in shown
    client.post(page, {"act": "approve", "reason": "checked"})

    assert has(ada) == 105
    assert "Done" in client.get(page).content.decode()
    assert client.get(reverse("admin:wallets_adjustment_change", args=[10**9])).status_code == 404
    kept = AuditedRow.objects.filter(table_name="wallets_adjustment").first()
    assert kept is not None
    assert kept.pgh_context.metadata["user"] == asker.pk


def test_words_of_an_entry_that_staff_did_not_make() -> None:
    assert [words_of_reference(text) for text in ("", "87", "transfer:1", "adjustment:x:1")] == [
        ""
    ] * 4
