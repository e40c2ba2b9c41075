"""Hostile inputs against withdrawals and deposits, each test named after its row of the list."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
import time_machine
from django.core import mail
from django.db import connection

from apps.accounts.models import SignIn
from apps.core import clock, outbox
from apps.core.models import OutboxEvent
from apps.matching.gateway import Gateway
from apps.wallets.custody import simulated
from apps.wallets.custody.interface import SIMULATED, network_of
from apps.wallets.custody.models import ChainTransaction
from apps.wallets.deposits.actions import follow
from apps.wallets.deposits.models import ChainDeposit
from apps.wallets.models import Balance
from apps.wallets.withdrawals import addresses, codes, reviewing
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalAddress
from tests import factories
from tests.api.conftest import Person, code_of
from tests.api.test_hostile_orders import ledger_hash
from tests.wallets.withdrawing import outside, reviewer

pytestmark = pytest.mark.django_db
WITHDRAWALS: Final = "/api/v1/withdrawals"
BOOK: Final = "/api/v1/withdrawal-addresses"
DAY: Final = timedelta(hours=24)


@pytest.fixture
def ada(engine_gateway: Gateway, settings: Any) -> Person:
    # No play money at each sign-in, and the simulated chains all the same.
    settings.DEMO, settings.CUSTODY = False, SIMULATED
    factories.listed("BTC-USDT")
    simulated.fill_hot_wallet(asset="USDT", amount_minor=10**12)
    return _with_funds("ada@example.com", "100")


def _with_funds(email: str, amount: str) -> Person:
    """A person who has so many USDT and nothing else, and has just proved who it is."""
    made = factories.trader(email, USDT=amount)
    person = _signed_in(email)
    assert made.user == person.user
    return person


def _signed_in(email: str) -> Person:
    from rest_framework.test import APIClient

    from apps.accounts import actions
    from apps.accounts.models import User

    user = User.objects.get(email=email)
    tokens = actions.open_sign_in(actor=user, client="tests", address="::1", now=clock.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access}")
    return Person(user, client, tokens)


def _entry(person: Person, asset: str = "USDT") -> str:
    at = clock.now() - 2 * DAY
    made = addresses.add_address(
        actor=person.user, asset=asset, address=outside(asset), label="mine", proved_at=at, now=at
    )
    return str(made.public_id)


def _post(person: Person, key: str | None = None, **body: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return person.client.post(WITHDRAWALS, {"asset": "USDT", **body}, headers=headers)


def _at_once(count: int, work: Callable[[int], tuple[int, str]]) -> Counter[tuple[int, str]]:
    outcomes: Counter[tuple[int, str]] = Counter()
    barrier, guard = threading.Barrier(count), threading.Lock()

    def run(index: int) -> None:
        barrier.wait()
        try:
            outcome = work(index)
        finally:
            connection.close()
        with guard:
            outcomes[outcome] += 1

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _outcome(response: Any) -> tuple[int, str]:
    return response.status_code, response.json().get("code", response.json().get("state"))


def _held(person: Person) -> tuple[int, int]:
    row = Balance.objects.get(account__owner=person.user, asset__code="USDT")
    return row.available_minor, row.held_minor


@pytest.mark.django_db(transaction=True)
def test_row_11_thirty_at_once_with_the_whole_balance(ada: Person) -> None:
    whole, entry = _held(ada)[0], _entry(ada)

    outcomes = _at_once(30, lambda _: _outcome(_post(ada, amount="100", address_id=entry)))

    assert outcomes == {(201, "requested"): 1, (422, "insufficient_funds"): 29}
    assert _held(ada) == (0, whole)
    assert Withdrawal.objects.filter(state="requested").count() == 1


@pytest.mark.django_db(transaction=True)
def test_row_13_thirty_at_once_with_one_key_have_one_effect(ada: Person) -> None:
    entry, bodies = _entry(ada), set()

    def work(_: int) -> tuple[int, str]:
        response = _post(ada, "key-1", amount="10", address_id=entry)
        if response.status_code == 201:
            bodies.add(response.content)
        return _outcome(response)

    outcomes = _at_once(30, work)

    assert set(outcomes) <= {(201, "requested"), (409, "in_progress")}
    assert outcomes[201, "requested"] >= 1
    assert len(bodies) == 1
    assert Withdrawal.objects.count() == 1


def test_row_14_the_same_key_with_another_body(ada: Person) -> None:
    entry = _entry(ada)
    assert _post(ada, "key-1", amount="10", address_id=entry).status_code == 201
    before = ledger_hash()

    answer = _post(ada, "key-1", amount="11", address_id=entry)

    assert code_of(answer) == (409, "idempotency_mismatch")
    assert ledger_hash() == before


def test_row_15_keys_that_are_none_and_keys_of_another(ada: Person) -> None:
    bob = _with_funds("bob@example.com", "100")
    mine, theirs = _entry(ada), _entry(bob)

    for key in ("k" * 256, "", "with space", "é"):
        answer = _post(ada, key, amount="10", address_id=mine)
        assert code_of(answer) == (400, "invalid_idempotency_key"), key
    first = _post(ada, "key-1", amount="10", address_id=mine)
    second = _post(bob, "key-1", amount="10", address_id=theirs)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


def test_row_17_an_address_of_another_asset(ada: Person) -> None:
    entry, before = _entry(ada, "BTC"), ledger_hash()

    answer = _post(ada, amount="10", address_id=entry)

    assert code_of(answer) == (422, "account_asset_mismatch")
    assert ledger_hash() == before


def test_row_18_an_account_or_an_address_of_somebody_else(ada: Person) -> None:
    bob = _with_funds("bob@example.com", "100")
    mine, theirs = _entry(ada), _entry(bob)
    account = bob.client.get("/api/v1/balances").json()["account"]
    before = ledger_hash()

    foreign = _post(ada, amount="10", address_id=mine, account=account)
    absent = _post(ada, amount="10", address_id=mine, account=str(uuid.uuid4()))
    foreign_entry = _post(ada, amount="10", address_id=theirs)
    absent_entry = _post(ada, amount="10", address_id=str(uuid.uuid4()))

    assert code_of(foreign) == (404, "unknown_account")
    assert foreign.content == absent.content
    assert code_of(foreign_entry) == (404, "unknown_address")
    assert foreign_entry.content == absent_entry.content
    assert ledger_hash() == before


def test_row_21_what_a_chain_says_twice_or_differently(ada: Person) -> None:
    bitcoin = network_of("BTC")
    answer = ada.client.post("/api/v1/deposits/address", {"asset": "BTC"})
    address = answer.json()["address"]
    now = clock.now()
    simulated.pay_in(outputs=[(address, "BTC", 5), (address, "BTC", 7)], now=now, note="one")

    follow(bitcoin, now=now)
    pending = ada.client.get("/api/v1/deposits").json()["items"]
    simulated.mine("bitcoin", now=now, blocks=3)
    credited = [follow(bitcoin, now=now) for _ in range(3)]

    assert [(row["state"], row["amount"]) for row in pending] == [
        ("pending", "0.00000007"), ("pending", "0.00000005"),
    ]  # fmt: skip
    assert credited == [2, 0, 0]
    assert ChainDeposit.objects.filter(state="credited").count() == 2
    assert Balance.objects.get(account__owner=ada.user, asset__code="BTC").available_minor == 12


def test_row_22_approved_twice_by_the_requester_or_after_a_cancel(ada: Person) -> None:
    staff, other = reviewer(), reviewer()
    entry = _entry(ada)
    factories.fund(ada.user.trading_accounts.get(), "USDT", "900")
    asked = _post(ada, amount="1000", address_id=entry).json()["id"]
    row = Withdrawal.objects.get(public_id=asked)
    confirmed = ada.client.post(f"{WITHDRAWALS}/{asked}/confirm", {"code": codes.code_of(row)})
    wanted: dict[str, Any] = {"withdrawal_id": row.pk, "reason": "known", "now": clock.now()}
    told = []

    def approve(actor: Any) -> None:
        from apps.core.errors import DomainError
        from apps.core.web import describe

        try:
            reviewing.approve_withdrawal(actor=actor, **wanted)
        except DomainError as failure:
            problem = describe(failure)
            told.append((problem.status, problem.code))

    approve(staff)
    approve(staff)
    ada.user.is_staff = ada.user.is_superuser = True
    ada.user.save()
    approve(ada.user)
    cancelled = ada.client.post(f"{WITHDRAWALS}/{asked}/cancel", {})
    approve(other)

    assert confirmed.json()["state"] == "risk_review"
    assert told == [(409, "already_approved"), (403, "four_eyes"), (409, "withdrawal_state")]
    assert cancelled.json()["state"] == "cancelled"
    assert ChainTransaction.objects.count() == 0


def test_row_23_a_new_address_is_not_used_at_once(ada: Person) -> None:
    SignIn.objects.filter(user=ada.user).update(proved_at=clock.now())
    body = {"asset": "USDT", "address": outside(), "label": "new"}
    added = ada.client.post(BOOK, body)
    before = ledger_hash()

    answer = _post(ada, amount="10", address_id=added.json()["id"])

    assert added.status_code == 201
    assert code_of(answer) == (423, "address_cooldown")
    assert answer.json()["until"] == added.json()["usable_at"]
    assert ledger_hash() == before
    assert [event.data["kind"] for event in OutboxEvent.objects.filter(topic="notice")] == [
        "address_added"
    ]
    with time_machine.travel(clock.now() + DAY, tick=False):
        later = _signed_in("ada@example.com")
        assert _post(later, amount="10", address_id=added.json()["id"]).status_code == 201


def test_row_37_an_address_takes_a_fresh_proof(ada: Person) -> None:
    entry = _entry(ada)
    SignIn.objects.filter(user=ada.user).update(proved_at=clock.now() - timedelta(minutes=20))
    body = {"asset": "USDT", "address": outside("USDT", "thief"), "label": "thief"}

    answers = (
        ada.client.post(BOOK, body),
        ada.client.patch(f"{BOOK}/{entry}", {"label": "thief"}),
        ada.client.put("/api/v1/withdrawal-policy", {"book_only": False}),
    )

    assert [code_of(answer) for answer in answers] == [(403, "step_up_required")] * 3
    assert WithdrawalAddress.objects.get().label == "mine"
    assert ada.client.get("/api/v1/withdrawal-policy").json()["book_only"] is True


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("-1", "invalid_amount"), ("0", "invalid_amount"), ("0.00", "invalid_amount"),
        ("NaN", "invalid_amount"), ("1e3", "invalid_amount"), ("١", "invalid_amount"),
        (" 1 ", "invalid_amount"), ("1_000", "invalid_amount"), ("9" * 5000, "invalid_amount"),
        (1, "amount_must_be_string"), (0.1, "amount_must_be_string"),
        (True, "amount_must_be_string"), ([], "amount_must_be_string"),
        ("0.0000000000001", "precision"),
    ],
)  # fmt: skip
def test_rows_1_to_8_amounts_that_are_none(ada: Person, amount: Any, code: str) -> None:
    entry, before = _entry(ada), ledger_hash()

    answer = _post(ada, amount=amount, address_id=entry)

    assert code_of(answer) == (400, code)
    assert ledger_hash() == before
    assert Withdrawal.objects.count() == 0


def test_row_40_withdrawals_and_addresses_of_another_are_absent(ada: Person) -> None:
    bob = _with_funds("bob@example.com", "100")
    entry = _entry(bob)
    theirs = _post(bob, amount="10", address_id=entry).json()["id"]
    SignIn.objects.filter(user=ada.user).update(proved_at=clock.now())
    asked: list[tuple[str, str, dict[str, str] | None]] = [
        ("get", f"{WITHDRAWALS}/{{}}", None),
        ("post", f"{WITHDRAWALS}/{{}}/confirm", {"code": "123456"}),
        ("post", f"{WITHDRAWALS}/{{}}/code", {}),
        ("post", f"{WITHDRAWALS}/{{}}/cancel", {}),
        ("patch", f"{BOOK}/{{}}", {"label": "x"}),
        ("delete", f"{BOOK}/{{}}", None),
    ]

    for method, path, body in asked:
        name = entry if path.startswith(BOOK) else theirs
        foreign = getattr(ada.client, method)(path.format(name), body)
        for other in (str(uuid.uuid4()), "1", "x' OR 1=1", "%00"):
            absent = getattr(ada.client, method)(path.format(other), body)
            assert foreign.status_code == absent.status_code == 404, path
            assert code_of(foreign) == code_of(absent), path

    assert Withdrawal.objects.get(public_id=theirs).state == "requested"
    assert WithdrawalAddress.objects.get(public_id=entry).label == "mine"


@pytest.mark.parametrize("field", ["state", "owner", "approvals_needed", "in_book", "txid"])
def test_row_41_fields_that_are_not_for_the_caller(ada: Person, field: str) -> None:
    answer = _post(ada, amount="10", address_id=_entry(ada), **{field: "approved"})

    assert code_of(answer) == (400, "unknown_field")


@pytest.mark.usefixtures("valkey")
def test_tries_are_counted_and_without_valkey_nothing_leaves(
    ada: Person, settings: Any, free_port: Callable[[], int]
) -> None:
    entry = _entry(ada)
    answers = [_post(ada, amount="200", address_id=entry).status_code for _ in range(65)]
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    blind = _post(_with_funds("bob@example.com", "100"), amount="10", address_id=entry)

    assert set(answers) == {422, 429}
    assert answers[:60] == [422] * 60
    assert code_of(blind) == (503, "valkey_unavailable")
    assert Withdrawal.objects.exclude(state__in=("new", "failed")).count() == 0


def test_the_mail_has_the_code_and_the_answer_has_not(ada: Person) -> None:
    answer = _post(ada, amount="10", address_id=_entry(ada))
    outbox.deliver(now=clock.now())

    code = codes.code_of(Withdrawal.objects.get())
    assert code in mail.outbox[0].body
    assert code not in answer.content.decode()
