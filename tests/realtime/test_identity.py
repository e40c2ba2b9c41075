"""Who gets a socket, whose it is, and how it ends when that no longer holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from channels.db import database_sync_to_async
from django.contrib.sessions.models import Session

from apps.accounts.actions import end_sign_in
from apps.accounts.models import SignIn
from apps.core import clock
from apps.core.realtime import tickets
from apps.core.realtime.handshake import read_visit
from tests.realtime.conftest import HOST, ORIGIN, Peer, Source

CookieOf = Callable[[Any], Awaitable[str]]
TicketOf = Callable[[Any], Awaitable[str]]


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "http://testserver.evil.example", "http://testserver:8001",
        "http://sub.testserver", "null", "", "testserver", "file://", "http://[::1",
        "http://testserver:99999", "https://testserver@evil.example",
    ],
)  # fmt: skip
async def test_another_sites_page_gets_no_socket(peer: Callable[..., Peer], origin: str) -> None:
    socket = peer(headers=[(b"origin", origin.encode())])

    assert await socket.connect() == (False, 1000)


@pytest.mark.django_db(transaction=True)
async def test_a_valid_cookie_does_not_help_another_sites_page(
    peer: Callable[..., Peer], person: Any, cookie_of: CookieOf
) -> None:
    socket = peer(headers=[(b"origin", b"http://evil.example")], cookie=await cookie_of(person))

    assert await socket.connect() == (False, 1000)


async def test_a_cookie_without_an_origin_is_refused(peer: Callable[..., Peer]) -> None:
    socket = peer(headers=[], cookie="sessionid=whatever")

    assert await socket.connect() == (False, 1000)


@pytest.mark.parametrize("query", ["ticket=x", "token=x", "access_token=x", "anything"])
async def test_nothing_is_taken_from_the_url(peer: Callable[..., Peer], query: str) -> None:
    assert await peer(path=f"/ws?{query}").connect() == (False, 1000)


async def test_a_foreign_host_name_is_refused(peer: Callable[..., Peer]) -> None:
    socket = peer(headers=[(b"origin", b"http://rebound.example")])
    socket.scope["headers"][0] = (b"host", b"rebound.example")

    assert await socket.connect() == (False, 1000)


async def test_where_sessions_are_for_https_an_unprotected_page_gets_no_socket(
    peer: Callable[..., Peer], settings: Any
) -> None:
    settings.SESSION_COOKIE_SECURE = True

    unprotected = peer(headers=[(b"origin", b"http://testserver")])

    assert await unprotected.connect() == (False, 1000)
    assert await peer(headers=[(b"origin", b"https://testserver")]).open()


async def test_a_trusted_origin_is_accepted(peer: Callable[..., Peer], settings: Any) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example"]

    assert await peer(headers=[(b"origin", b"https://app.example")]).open()


async def test_the_default_port_may_be_left_out(peer: Callable[..., Peer]) -> None:
    socket = peer(headers=[(b"origin", b"http://testserver:80")])

    assert await socket.open()


@pytest.mark.django_db(transaction=True)
async def test_a_cookie_says_whose_socket_it_is(
    peer: Callable[..., Peer], person: Any, cookie_of: CookieOf
) -> None:
    hello = await peer(cookie=await cookie_of(person)).open()

    assert hello["signed_in"] is True


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cookie", ["sessionid=nonsense", "sessionid=", "other=1", "a;;=\\x00"])
async def test_a_cookie_of_nobody_makes_nobodys_socket(
    peer: Callable[..., Peer], cookie: str
) -> None:
    hello = await peer(cookie=cookie).open()

    assert hello["signed_in"] is False


@pytest.mark.django_db(transaction=True)
async def test_a_ticket_works_once(
    peer: Callable[..., Peer], person: Any, ticket_of: TicketOf
) -> None:
    ticket = await ticket_of(person)
    first, second = peer(headers=[]), peer(headers=[])
    await first.open()
    await second.open()

    await first.say(op="auth", ticket=ticket, id=1)
    assert await first.hear() == {"op": "authenticated", "id": 1}
    await second.say(op="auth", ticket=ticket, id=1)

    assert await second.hear_close() == 4401


@pytest.mark.django_db(transaction=True)
async def test_a_ticket_may_come_as_a_subprotocol(
    peer: Callable[..., Peer], person: Any, ticket_of: TicketOf
) -> None:
    ticket = await ticket_of(person)
    first = peer(headers=[], subprotocols=["sum1", f"ticket.{ticket}"])
    second = peer(headers=[], subprotocols=["sum1", f"ticket.{ticket}"])

    assert await first.connect() == (True, "sum1")
    assert (await first.hear())["signed_in"] is True
    assert await second.connect() == (True, "sum1")
    assert await second.hear_close() == 4401


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ticket", ["", "nonsense", "x" * 65])
async def test_a_ticket_that_was_never_given_closes(peer: Callable[..., Peer], ticket: str) -> None:
    socket = peer(headers=[])
    await socket.open()

    await socket.say(op="auth", ticket=ticket)

    assert await socket.hear_close() == 4401


@pytest.mark.django_db(transaction=True)
async def test_a_ticket_is_not_readable_in_valkey_and_lives_for_30_seconds(
    person: Any, ticket_of: TicketOf, valkey: redis.Redis
) -> None:
    ticket = await ticket_of(person)

    names = [str(name) for name in valkey.keys("*live:ticket:*")]

    assert len(names) == 1
    assert ticket not in names[0]
    assert 0 < valkey.pttl(valkey.keys("*live:ticket:*")[0]) <= tickets.TICKET_SECONDS * 1000


@pytest.mark.django_db(transaction=True)
async def test_a_ticket_dies_with_the_session_it_was_made_under(
    peer: Callable[..., Peer], person: Any, cookie_of: CookieOf
) -> None:
    session_key = (await cookie_of(person)).partition("=")[2]
    ticket = await database_sync_to_async(tickets.issue)(person, session_key)
    await _sign_out(person)
    socket = peer(headers=[])
    await socket.open()

    await socket.say(op="auth", ticket=ticket)

    assert await socket.hear_close() == 4401


async def test_a_program_without_a_ticket_reads_nothing(
    peer: Callable[..., Peer], source: Source
) -> None:
    socket = peer(headers=[])
    await socket.open()

    await socket.say(op="subscribe", topic="test.numbers")

    assert (await socket.hear())["code"] == "authentication_required"
    assert await socket.hears_nothing()


@pytest.mark.django_db(transaction=True)
async def test_one_socket_too_many_of_a_person_is_closed(
    peer: Callable[..., Peer], person: Any, cookie_of: CookieOf
) -> None:
    cookie = await cookie_of(person)
    first, second = peer(cookie=cookie, sockets_per_user=2), peer(cookie=cookie)
    await first.open()
    await second.open()
    third, fourth = peer(cookie=cookie), peer(cookie=cookie)
    await third.connect(timeout=5)

    assert await third.hear_close() == 4429
    await first.disconnect()
    assert (await fourth.open())["signed_in"] is True


@database_sync_to_async
def _sign_out(person: Any) -> None:
    Session.objects.all().delete()


@database_sync_to_async
def _switch_off(person: Any) -> None:
    person.is_active = False
    person.save()


@database_sync_to_async
def _change_password(person: Any) -> None:
    person.set_password("quite another password")
    person.save()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", [_sign_out, _switch_off, _change_password])
async def test_a_session_that_ends_ends_the_socket(
    peer: Callable[..., Peer], person: Any, cookie_of: CookieOf,
    end: Callable[[Any], Awaitable[None]],
) -> None:  # fmt: skip
    signed_in = peer(cookie=await cookie_of(person), recheck_seconds=0.05)
    anonymous = peer()
    await signed_in.open()
    await anonymous.open()

    await end(person)

    assert await signed_in.hear_close() == 4401
    assert await anonymous.hears_nothing()


@pytest.mark.django_db(transaction=True)
async def test_a_ticket_socket_ends_with_the_password(
    peer: Callable[..., Peer], person: Any, ticket_of: TicketOf
) -> None:
    socket = peer(headers=[], recheck_seconds=0.05)
    await socket.open()
    await socket.say(op="auth", ticket=await ticket_of(person))
    await socket.hear()

    await _change_password(person)

    assert await socket.hear_close() == 4401


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "1.2.3.4", "10.0.0.1"),
        (1, "1.2.3.4", "1.2.3.4"),
        (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (2, "6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4"),
        (2, "1.2.3.4", "10.0.0.1"),
    ],
)
def test_a_forwarded_address_counts_only_behind_our_own_proxies(
    settings: Any, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    headers = [(b"host", HOST), ORIGIN, (b"x-forwarded-for", forwarded.encode())]

    visit = read_visit({"headers": headers, "client": ("10.0.0.1", 1)})

    assert visit is not None
    assert visit.address == address


@pytest.mark.django_db(transaction=True)
async def test_a_ticket_socket_ends_with_the_sign_in_of_the_api(
    peer: Callable[..., Peer], person: Any, valkey: redis.Redis
) -> None:
    @database_sync_to_async
    def sign_in() -> tuple[SignIn, str]:
        made = SignIn.objects.create(user=person, created_at=clock.now())
        return made, tickets.issue(person, sign_in=str(made.pk))

    @database_sync_to_async
    def sign_out(made: SignIn) -> None:
        end_sign_in(sign_in_id=made.pk, now=clock.now())

    made, ticket = await sign_in()
    socket, late = peer(headers=[], recheck_seconds=0.05), peer(headers=[])
    await socket.open()
    await socket.say(op="auth", ticket=ticket)
    assert await socket.hear() == {"op": "authenticated"}

    await sign_out(made)

    assert await socket.hear_close() == 4401
    await late.open()
    late_ticket = await database_sync_to_async(tickets.issue)(person, sign_in=str(made.pk))
    await late.say(op="auth", ticket=late_ticket)
    assert await late.hear_close() == 4401
