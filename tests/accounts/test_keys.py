"""API keys: making, using, changing and revoking them; the documented signature; query counts."""

from __future__ import annotations

import base64
import re
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, connection, transaction
from django.urls import URLPattern, URLResolver, get_resolver

from apps.accounts.keys import actions, queries, rules
from apps.accounts.keys.models import ApiKey
from apps.accounts.models import SignIn
from apps.accounts.queries import caller_of_token
from apps.core import clock
from apps.core.endpoint import Endpoint, PublicEndpoint
from apps.core.errors import Conflict, Invalid
from apps.core.models import OutboxEvent
from apps.core.realtime import calls, identity
from tests.accounts.key_client import Signer, client_script, key_for
from tests.api.conftest import LIMIT, Person, ada, anybody, bob, code_of, markets

pytestmark = pytest.mark.django_db
__all__ = ["ada", "anybody", "bob", "markets"]
KEYS = "/api/v1/keys"
ORDERS = "/api/v1/orders"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"
ROBOT = {"name": "Robot", "scopes": ["read", "trade"]}


@pytest.fixture
def proved(ada: Person) -> Person:
    """Ada, who has just proved who she is."""
    SignIn.objects.filter(user=ada.user).update(proved_at=clock.now())
    return ada


def make(person: Person, **changes: Any) -> dict[str, Any]:
    answer = person.client.post(KEYS, {**ROBOT, **changes})
    assert answer.status_code == 201, answer.content
    body: dict[str, Any] = answer.json()
    return body


def notices() -> list[tuple[str, dict[str, Any]]]:
    rows = OutboxEvent.objects.filter(topic="notice", key__startswith="api_key").order_by("pk")
    return [(row.data["kind"], row.data["data"]) for row in rows]


def test_a_key_is_made_shown_once_and_signs_requests(proved: Person, markets: None) -> None:
    made = make(proved, networks=["127.0.0.0/8"])

    secret = made.pop("secret")
    assert len(secret) == 43
    listed = proved.client.get(KEYS).json()["items"]
    assert listed == [made]
    assert made == {
        "id": made["id"],
        "name": "Robot",
        "algorithm": "hmac-sha256",
        "scopes": ["read", "trade"],
        "networks": ["127.0.0.0/8"],
        "created_at": made["created_at"],
        "expires_at": None,
        "last_used_at": None,
        "last_used_address": None,
    }
    robot = Signer(ApiKey.objects.get(pk=made["id"]), secret)
    order = robot.send("POST", ORDERS, LIMIT)
    assert (order.status_code, order.json()["status"]) == (201, "open")
    used = proved.client.get(f"{KEYS}/{made['id']}").json()
    assert used["last_used_address"] == "127.0.0.1"
    assert notices() == [
        (
            "api_key_created",
            {
                "key": made["id"], "name": "Robot", "scopes": "read, trade",
                "at": made["created_at"],
            },
        )
    ]  # fmt: skip


def pem_of(key: Ed25519PrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def test_a_key_of_ones_own_pair_has_no_secret(ada: Person, markets: None) -> None:
    pair = Ed25519PrivateKey.generate()
    robot = key_for(ada.user, public_key=pem_of(pair))
    robot.private_key = pair

    order = robot.send("POST", ORDERS, LIMIT)

    assert robot.secret == ""
    assert (robot.key.algorithm, robot.key.secret) == ("ed25519", None)
    assert order.status_code == 201
    robot.private_key = Ed25519PrivateKey.generate()
    assert code_of(robot.send("GET", "/api/v1/me")) == (401, "signature_invalid")


def test_a_public_key_is_taken_as_base64_too() -> None:
    raw = Ed25519PrivateKey.generate().public_key().public_bytes_raw()

    assert rules.read_public_key(base64.b64encode(raw).decode()) == raw


@pytest.mark.parametrize(
    "text",
    ["x", "A" * 43 + "=", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "A" * 100],
    ids=["no base64", "of small order", "the neutral point", "too long"],
)
def test_public_keys_that_protect_nothing_are_refused(text: str) -> None:
    with pytest.raises(Invalid, match="Ed25519"):
        rules.read_public_key(text)


def test_the_signature_of_the_docs_is_what_the_script_and_the_server_make() -> None:
    page = DOCS.read_text()
    block = page[page.index("SUM1-1\n") :].split("\n```", 1)[0]
    secret = re.search(r"secret `([^`]+)`", page).group(1)
    told = re.search(r"SUM1-Signature: (\S+)", page).group(1)
    version, key_id, method, target, timestamp, nonce, digest = block.splitlines()
    body = re.search(r"body `([^`]+)`", page).group(1).encode()

    parts = {"method": method, "target": target, "timestamp": timestamp, "nonce": nonce}
    ours = rules.string_to_sign(key_id=key_id, body=body, **parts)
    theirs = client_script.string_to_sign(key_id, method, target, timestamp, nonce, body)

    assert ours.decode() == theirs.decode() == block
    assert (version, digest) == (rules.VERSION, block.rsplit("\n", 1)[1])
    for signature in (rules.hmac_signature(secret.encode(), ours),
                      client_script.sign_hmac(secret, theirs)):  # fmt: skip
        assert base64.b64encode(signature).decode() == told
    assert rules.parse_signature(told) is not None


def test_the_headers_of_the_script_are_accepted(ada: Person) -> None:
    robot = key_for(ada.user)

    headers = client_script.headers_of(str(robot.key.pk), robot.secret, "GET", "/api/v1/me", b"")

    plain = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    assert robot.deliver("GET", "/api/v1/me", b"", plain).status_code == 200


def test_the_script_signs_with_ed25519_too() -> None:
    pair = Ed25519PrivateKey.generate()
    pem = pair.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )

    signature = client_script.sign_ed25519(pem, b"text")

    assert rules.ed25519_holds(pair.public_key().public_bytes_raw(), signature, b"text")


def test_row_37_making_and_changing_take_a_fresh_proof_and_revoking_does_not(
    proved: Person,
) -> None:
    made = make(proved)
    SignIn.objects.update(proved_at=clock.now() - timedelta(minutes=20))

    assert code_of(proved.client.post(KEYS, ROBOT)) == (403, "step_up_required")
    change = proved.client.patch(f"{KEYS}/{made['id']}", {"name": "Mine"})
    assert code_of(change) == (403, "step_up_required")
    assert ApiKey.objects.get().name == "Robot"
    assert proved.client.delete(f"{KEYS}/{made['id']}").status_code == 204


def test_a_strangers_key_is_none(proved: Person, bob: Person) -> None:
    made = make(proved)
    SignIn.objects.update(proved_at=clock.now())
    address = f"{KEYS}/{made['id']}"

    answers = [
        bob.client.get(address),
        bob.client.patch(address, {"name": "Mine"}),
        bob.client.delete(address),
    ]

    assert {code_of(answer) for answer in answers} == {(404, "unknown_key")}
    assert bob.client.get(KEYS).json() == {"items": []}
    assert ApiKey.objects.get().revoked_at is None


def test_a_changed_key_works_as_changed_and_tells_its_owner(ada: Person) -> None:
    robot = key_for(ada.user, "read", "trade")

    actions.change_key(
        actor=ada.user, key_id=robot.key.pk, scopes=["read"], proved_at=clock.now(), now=clock.now()
    )

    assert code_of(robot.send("POST", ORDERS, LIMIT)) == (403, "scope_missing")
    assert robot.send("GET", "/api/v1/me").status_code == 200
    assert [kind for kind, _ in notices()] == ["api_key_created", "api_key_changed"]


def test_revoking_tells_the_owner_and_cannot_be_done_twice(proved: Person) -> None:
    made = make(proved)

    first = proved.client.delete(f"{KEYS}/{made['id']}")
    second = proved.client.delete(f"{KEYS}/{made['id']}")

    assert first.status_code == 204
    assert code_of(second) == (404, "unknown_key")
    assert [kind for kind, _ in notices()] == ["api_key_created", "api_key_revoked"]
    assert proved.client.get(KEYS).json() == {"items": []}


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"scopes": []}, (400, "invalid_scopes")),
        ({"scopes": ["admin"]}, (400, "invalid_choice")),
        ({"scopes": "read"}, (400, "not_a_list")),
        ({"scopes": ["withdraw"]}, (400, "networks_required")),
        ({"networks": ["nonsense"]}, (400, "invalid_network")),
        ({"networks": ["203.0.113.7/24"]}, (400, "invalid_network")),
        ({"networks": ["0.0.0.0/0"]}, (400, "invalid_network")),
        ({"networks": ["::/0"]}, (400, "invalid_network")),
        ({"networks": ["::ffff:1.2.3.4"]}, (400, "invalid_network")),
        ({"networks": [f"10.0.0.{n}" for n in range(21)]}, (400, "max_length")),
        ({"expires_at": "2020-01-01T00:00:00Z"}, (400, "invalid_time")),
        ({"public_key": "nonsense"}, (400, "invalid_public_key")),
        ({"name": ""}, (400, "too_short")),
        ({"name": "  "}, (400, "invalid_name")),
        ({"name": "\u202eright to left"}, (400, "invalid_name")),
        ({"person": 1}, (400, "unknown_field")),
        ({"secret": "mine"}, (400, "unknown_field")),
    ],
    ids=str,
)
def test_what_a_key_cannot_be(
    proved: Person, changes: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert code_of(proved.client.post(KEYS, {**ROBOT, **changes})) == refusal
    assert not ApiKey.objects.exists()


def test_withdrawing_is_off_unless_asked_for_and_takes_a_list_of_addresses(proved: Person) -> None:
    plain = make(proved)
    able = make(proved, scopes=["withdraw", "read"], networks=["203.0.113.7", "203.0.113.7/32"])

    assert "withdraw" not in plain["scopes"]
    assert (able["scopes"], able["networks"]) == (["read", "withdraw"], ["203.0.113.7/32"])
    change = proved.client.patch(f"{KEYS}/{able['id']}", {"networks": []})
    assert code_of(change) == (400, "networks_required")


def test_the_database_refuses_a_key_that_may_withdraw_from_anywhere(ada: Person) -> None:
    robot = key_for(ada.user, "read")

    with pytest.raises(IntegrityError, match="withdraws_from_known"), transaction.atomic():
        ApiKey.objects.filter(pk=robot.key.pk).update(scopes=["withdraw"])
    with pytest.raises(IntegrityError, match="scopes_are_known"), transaction.atomic():
        ApiKey.objects.filter(pk=robot.key.pk).update(scopes=["admin"])


def test_a_person_has_ten_keys_at_most_and_ended_ones_do_not_count(ada: Person) -> None:
    now = clock.now()
    robots = [key_for(ada.user, expires_at=now + timedelta(days=1)) for _ in range(10)]

    with pytest.raises(Conflict, match="You have 10 keys"):
        key_for(ada.user)
    actions.revoke_key(actor=ada.user, key_id=robots[0].key.pk, now=now)
    key_for(ada.user)
    with pytest.raises(Conflict):
        key_for(ada.user)
    with time_machine.travel(now + timedelta(days=2), tick=False):
        key_for(ada.user)


@pytest.mark.django_db(transaction=True)
def test_thirty_keys_made_at_once_are_ten(ada: Person) -> None:
    start, made, refused = threading.Barrier(30), [], []

    def make_one() -> None:
        start.wait()
        try:
            made.append(key_for(ada.user))
        except Conflict:
            refused.append(1)
        finally:
            connection.close()

    threads = [threading.Thread(target=make_one) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(made), len(refused), ApiKey.objects.count()) == (10, 20, 10)


def test_the_last_use_is_written_once_a_minute(ada: Person) -> None:
    robot = key_for(ada.user)
    with time_machine.travel(clock.now(), tick=False) as moment:
        robot.send("GET", "/api/v1/risk/limits", address="203.0.113.9")
        first = ApiKey.objects.get(pk=robot.key.pk)
        moment.shift(59)
        robot.send("GET", "/api/v1/me", timestamp_ms=clock.now_ns() // 1_000_000)
        assert ApiKey.objects.get(pk=robot.key.pk).last_used_at == first.last_used_at
        moment.shift(2)
        robot.send("GET", "/api/v1/me", timestamp_ms=clock.now_ns() // 1_000_000)

    last = ApiKey.objects.get(pk=robot.key.pk)
    assert first.last_used_at is not None
    assert last.last_used_at is not None
    assert first.last_used_address == "203.0.113.9"
    assert (last.last_used_address, last.last_used_at - first.last_used_at) == (
        "127.0.0.1",
        timedelta(seconds=61),
    )


def test_a_signed_request_costs_no_more_queries_than_one_with_a_token(
    ada: Person, markets: None
) -> None:
    robot = key_for(ada.user)
    robot.send("POST", ORDERS, LIMIT)
    ada.client.post(ORDERS, LIMIT)
    counts = []

    for place in (
        lambda: ada.client.post(ORDERS, LIMIT),
        lambda: robot.send("POST", ORDERS, LIMIT),
    ):
        with CountQueries() as counted:
            assert place().status_code == 201
        counts.append(counted.number)

    assert counts[0] == counts[1]


class CountQueries:
    """Counts what goes to the database."""

    number = 0

    def __enter__(self) -> CountQueries:
        self._wrapper = connection.execute_wrapper(self._count)
        self._wrapper.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._wrapper.__exit__(*failure)

    def _count(self, execute: Any, *query: Any) -> Any:
        self.number += 1
        return execute(*query)


def test_a_socket_opened_with_a_key_has_its_scopes_and_ends_with_it(ada: Person) -> None:
    robot = key_for(ada.user, "read")
    ticket = robot.send("POST", "/api/v1/auth/ticket").json()["ticket"]

    found = identity.of_ticket(ticket, address="127.0.0.1")

    assert found is not None
    assert (found.user, found.scopes) == (ada.user, frozenset({"read"}))
    assert identity.ended([found]) == []
    actions.revoke_key(actor=ada.user, key_id=robot.key.pk, now=clock.now())
    assert identity.ended([found]) == [found]


def socket_of(robot: Signer) -> identity.Identity:
    ticket = robot.send("POST", "/api/v1/auth/ticket").json()["ticket"]
    found = identity.of_ticket(ticket, address="127.0.0.1")
    assert found is not None
    return found


def test_a_socket_of_a_key_ends_when_the_key_changes_or_expires(ada: Person) -> None:
    dated = key_for(ada.user, "read", expires_at=clock.now() + timedelta(hours=1))
    sockets = [socket_of(dated), socket_of(key_for(ada.user, "read"))]

    actions.change_key(
        actor=ada.user, key_id=dated.key.pk, name="Other", proved_at=clock.now(), now=clock.now()
    )

    assert identity.ended(sockets) == [sockets[0]]


def test_a_keys_ticket_works_from_its_networks_only(ada: Person) -> None:
    robot = key_for(ada.user, "read", networks=["203.0.113.0/24"])
    tickets = [
        robot.send("POST", "/api/v1/auth/ticket", address="203.0.113.5").json()["ticket"]
        for _ in range(2)
    ]

    assert identity.of_ticket(tickets[0], address="198.51.100.1") is None
    assert identity.of_ticket(tickets[1], address="203.0.113.6") is not None


def test_every_call_of_a_socket_that_a_key_may_make_names_its_scope() -> None:
    known = {method: calls.scope_of(method) for method in calls._calls}

    assert known.pop("order.place") == "trade"
    assert {scope for method, scope in known.items() if method.startswith("order.")} == {"trade"}


def test_ending_everything_ends_the_keys(ada: Person) -> None:
    robots = [key_for(ada.user), key_for(ada.user)]

    count = actions.revoke_all_keys(person=ada.user, reason="frozen", now=clock.now())

    assert count == 2
    assert queries.keys_of(viewer=ada.user) == []
    assert {code_of(robot.send("GET", "/api/v1/me")) for robot in robots} == {(401, "key_revoked")}


def endpoints() -> dict[str, type[Endpoint]]:
    found = {}

    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> None:
        for pattern in patterns:
            path = f"{prefix}{pattern.pattern}"
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, path)
            else:
                view = getattr(pattern.callback, "view_class", None)
                if view is not None and issubclass(view, Endpoint):
                    found[path.removeprefix("api/v1")] = view

    walk(get_resolver().url_patterns, "")
    return found


def test_the_scopes_of_all_endpoints_are_as_documented() -> None:
    page = DOCS.read_text()
    told = {}
    for scope, addresses in re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE):
        if scope in ("trade", "transfer", "withdraw"):
            for method, path in re.findall(r"`([A-Z]+) (/[^`]*)`", addresses):
                told[method, path] = scope

    real = {}
    for path, view in endpoints().items():
        if issubclass(view, PublicEndpoint) or not view.authentication_classes:
            continue
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            scope = view.scope_of(method)
            if hasattr(view, method.lower()) and scope not in (None, "read"):
                real[method, re.sub(r"<\w+:(\w+)>", r"{\1}", path)] = scope

    assert real == told


def test_the_person_of_a_key_brings_along_what_a_token_does(ada: Person) -> None:
    robot = key_for(ada.user)

    found = queries.key_and_person(key_id=robot.key.pk)

    assert found is not None
    key, person = found
    assert (key.pk, key.scopes, person.pk) == (robot.key.pk, ["read", "trade"], ada.user.pk)
    assert set(person.brought) == set(caller_of_token(token=ada.tokens.access).user.brought)
