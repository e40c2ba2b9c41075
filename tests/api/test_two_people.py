"""Two people: for every address and method there is, what is Ada's looks to others like nothing.

The addresses come from the URL configuration, methods and bodies of the API from its schema, so
that a new one is asked from its first day. Where nobody has said how an id of Ada's is found for
it, the first test fails and names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from apps.accounts import actions as people
from apps.accounts import step_up
from apps.accounts.models import User
from apps.core import clock, web
from apps.matching.gateway import Gateway
from apps.wallets.custody.interface import SIMULATED
from tests import factories
from tests.api import two_people_world as worlds
from tests.api.two_people_world import IDS, OWN_NAMES, PUBLIC, World

METHODS: Final = ("get", "post", "put", "patch", "delete")
ADMIN: Final = "/admin/"
# Refusals, and the ways to where one signs in.
REFUSED: Final = {301, 302, 401, 403, 404, 405}
# A session keeps what is to be said next. The engine itself refuses to cancel what is another's,
# as it does with what is not there, and writes down that it was asked; everything else stays.
CHANGING: Final = {
    "django_session", "matching_journal", "matching_lease", "matching_projection_offset",
}  # fmt: skip
# What differs from answer to answer whoever asks for whatever.
_VARYING: Final = {"X-Request-ID", "Content-Length", "Expires"}


@dataclass(frozen=True)
class Route:
    """An address with names in braces, and the methods that it is asked with."""

    path: str
    methods: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def private(self) -> list[str]:
        return [name for name in self.names if name not in PUBLIC]

    @property
    def model(self) -> str:
        """The model whose row an address of the admin names, as ``accounts.user``."""
        found = re.match(r"/admin/(\w+)/(\w+)/\{object_id\}", self.path)
        return f"{found[1]}.{found[2]}" if found else ""


def _operations() -> dict[str, dict[str, Any]]:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    found: dict[str, dict[str, Any]] = {}
    for path, methods in schema["paths"].items():
        found[path] = {}
        for method in METHODS:
            if method in methods:
                found[path][method] = {**methods[method], "schema": schema}
    return found


OPERATIONS: Final = _operations()


def _routes() -> Iterator[Route]:
    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            text = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", str(pattern.pattern))
            text = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", text)
            path = prefix + re.sub(r"[\^$]|\\Z", "", text).replace("\\.", ".")
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, path)
            else:
                yield path

    for path in dict.fromkeys(walk(get_resolver().url_patterns, "/")):
        of_site = METHODS[:2] if path.startswith(ADMIN) else METHODS
        yield Route(path, tuple(OPERATIONS.get(path, {})) or of_site)


ROUTES: Final = list(_routes())
FIELD: Final = re.compile(r"(^|_)(id|account)$")


def _fields(operation: dict[str, Any], shape: dict[str, Any]) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to each value in a body that names a row: ("orders", 0, "account")."""
    if "$ref" in shape:
        shape = operation["schema"]["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]]
    for name, inner in shape.get("properties", {}).items():
        if inner.get("format") == "uuid" or FIELD.search(name):
            yield (name,)
        yield from ((name, *rest) for rest in _fields(operation, inner))
    if "items" in shape:
        yield from ((0, *rest) for rest in _fields(operation, shape["items"]))
    for each in (*shape.get("allOf", ()), *shape.get("oneOf", ())):
        yield from _fields(operation, each)


@dataclass(frozen=True)
class Field:
    """A place in a body or a query that takes an id."""

    path: str
    method: str
    where: str
    way: tuple[str | int, ...]

    @property
    def name(self) -> str:
        return str(self.way[-1])


def _asked() -> Iterator[Field]:
    for path, methods in OPERATIONS.items():
        for method, operation in methods.items():
            if {} in operation.get("security", [{}]) or not operation.get("security"):
                # Open to all: what it takes is nobody's row, or a message that is signed.
                continue
            if "requestBody" in operation:
                body = operation["requestBody"]["content"]["application/json"]["schema"]
                for way in _fields(operation, body):
                    yield Field(path, method, "body", way)
            for parameter in operation.get("parameters", []):
                name, is_uuid = parameter["name"], parameter["schema"].get("format") == "uuid"
                if parameter["in"] == "query" and (is_uuid or FIELD.search(name)):
                    yield Field(path, method, "query", (name,))


FIELDS: Final = [field for field in _asked() if field.name not in OWN_NAMES]


def test_of_every_id_that_anybody_can_send_it_is_known_whose_it_is() -> None:
    known = set(IDS) | set(PUBLIC)

    unknown = [f"{route.path}: {name}" for route in ROUTES for name in route.names
               if name not in known]  # fmt: skip
    unknown += [f"{field}" for field in FIELDS if field.name not in known]

    assert unknown == [], "Make one of Ada's in tests/api/two_people_world.py, and name it there."
    assert len(ROUTES) > 200
    assert len(FIELDS) > 10


@pytest.fixture
def world(engine_gateway: Gateway, settings: Any, tmp_path: Path) -> World:
    # No play money at each sign-in, and the simulated chains all the same.
    settings.DEMO, settings.CUSTODY = False, SIMULATED
    settings.API_BURST, settings.ACCOUNT_RATE_LIMITS = 10**6, False
    options = {**settings.STORAGES["private"]["OPTIONS"], "location": tmp_path}
    private = {**settings.STORAGES["private"], "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "private": private}
    return worlds.build()


@dataclass(frozen=True)
class Caller:
    """Somebody who is not Ada."""

    name: str
    client: Client
    token: str = ""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        # What an answer before has left to be said is not this one's.
        self.client.cookies.pop("messages", None)
        if not path.startswith("/api/"):
            return getattr(self.client, method)(path)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is None:
            return self.client.generic(method.upper(), path, headers=headers)
        return getattr(self.client, method)(
            path, json.dumps(body), content_type="application/json", headers=headers
        )


def _caller(name: str, user: User | None) -> Caller:
    client = Client(raise_request_exception=False)
    if user is None:
        return Caller(name, client)
    client.force_login(user)
    session = client.session
    session[step_up._SESSION_KEY] = clock.iso(clock.now())
    session.save()
    tokens = people.open_sign_in(actor=user, client=name, address="127.0.0.1", now=clock.now())
    return Caller(name, client, tokens.access)


def _callers() -> list[Caller]:
    """Nobody; another person; a member of staff who has no right to anything."""
    powerless = factories.trader("powerless@example.com").user
    powerless.is_staff = True
    powerless.save()
    assert not Permission.objects.filter(user=powerless).exists()
    return [
        _caller("nobody", None),
        _caller("stranger", factories.trader("bob@example.com", USDT="1000").user),
        _caller("powerless", powerless),
    ]


@pytest.mark.django_db
def test_what_is_adas_is_nothing_to_others_and_stays_as_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_page", _short_page)
    callers = _callers()

    # Looking first: the first look makes what is the caller's own, an account for instance.
    wrong = [line for caller in callers for line in _marks_seen(world, caller)]
    before = _everything()
    wrong += [line for caller in callers for line in _wrong_ids(world, caller)]
    wrong += [line for caller in callers[1:2] for line in _wrong_fields(world, caller)]

    assert wrong == [], "\n".join(wrong)
    after = _everything()
    assert [table for table in before if before[table] != after[table]] == []


def _short_page(request: HttpRequest, problem: web.Problem) -> str:
    """What a page of refusal is made of, in place of all that is around it: that takes long."""
    return f"{problem}"


def _wrong_ids(world: World, caller: Caller) -> Iterator[str]:
    """Ask every address with Ada's ids and with ids that nothing has; yield what differs."""
    for route in ROUTES:
        if not route.private:
            continue
        theirs, absent = _named(route, world), _named(route, None)
        in_admin = route.path.startswith(ADMIN)
        # Who is no staff is turned away from all of the admin in one place.
        for method in route.methods if caller.name == "powerless" or not in_admin else ("get",):
            body = _example(route.path, method)
            ids = (*theirs.values(), *absent.values())
            found = caller.ask(method, route.path.format_map({**PUBLIC, **theirs}), body)
            nothing = caller.ask(method, route.path.format_map({**PUBLIC, **absent}), body)
            yield from _differing(f"{caller.name}: {method} {route.path}", found, nothing, ids)


def _wrong_fields(world: World, caller: Caller) -> Iterator[str]:
    """Send Ada's ids in bodies and queries, and ids that nothing has; yield what differs."""
    # The rest of the address leads to nothing: only the field is asked for.
    names = {each: IDS[each].absent for each in IDS} | PUBLIC
    for field in FIELDS:
        ids = (str(IDS[field.name].of(world)), IDS[field.name].absent)
        answers = []
        for sent in ids:
            body, query = _example(field.path, field.method), ""
            if field.where == "query":
                query = f"?{field.name}={sent}"
            else:
                _put(body, field.way, sent)
            answers.append(caller.ask(field.method, field.path.format_map(names) + query, body))
        if field.where == "query" and b'"items":[]' in answers[0].content:
            # It narrows a list of one's own, to nothing.
            answers[0].status_code = answers[1].status_code = 404
        where = f"{caller.name}: {field.method} {field.path} {field.name}"
        yield from _differing(where, answers[0], answers[1], ids)


def _marks_seen(world: World, caller: Caller) -> Iterator[str]:
    """Look at every page and list that has no id; yield what of Ada's is in it."""
    for route in ROUTES:
        if route.private or "get" not in route.methods or route.path.startswith("/accounts/logout"):
            continue
        text = _text(caller.ask("get", route.path.format_map(PUBLIC)))
        yield from (
            f"{caller.name}: get {route.path} shows {mark}" for mark in world.marks if mark in text
        )


def _named(route: Route, world: World | None) -> dict[str, str]:
    """Return Ada's ids for the names in an address, or ids that nothing has."""
    named = {
        name: IDS[name].absent if world is None else str(IDS[name].of(world))
        for name in route.private
    }
    if route.model and world is not None:
        named["object_id"] = _object_id(route.model)
    return named


def _object_id(label: str) -> str:
    model = next(each for each in worlds.admin_models() if each._meta.label_lower == label)
    row = worlds.newest(model)
    assert row is not None, f"The admin shows {label}: make one in tests/api/two_people_world.py."
    return str(row.pk)


def _example(path: str, method: str) -> Any:
    operation = OPERATIONS.get(path, {}).get(method, {})
    if "requestBody" not in operation:
        return None
    content = operation["requestBody"]["content"]["application/json"]
    return json.loads(json.dumps(next(iter(content["examples"].values()))["value"]))


def _put(body: Any, way: tuple[str | int, ...], value: str) -> None:
    for step in way[:-1]:
        body = body[step]
    body[way[-1]] = value
    # An address of the book instead of one that is typed, an account instead of a person.
    body.pop({"address_id": "address", "to_account": "to"}.get(str(way[-1]), ""), None)


def _differing(where: str, found: Any, nothing: Any, ids: tuple[str, ...]) -> Iterator[str]:
    if found.status_code not in REFUSED and not _is_a_form(where, found):
        yield f"{where}: {found.status_code}"
    for what, one, other in zip(
        ("status", "headers", "messages", "body"), _told(found, ids), _told(nothing, ids),
        strict=True,
    ):  # fmt: skip
        if one != other:
            yield f"{where}: {what} {str(one)[:300]} and not {str(other)[:300]}"
            return


def _is_a_form(where: str, found: Any) -> bool:
    """Whether it is one of the pages that a letter's link opens, which say that it is no use."""
    is_page = found.status_code == 200 and "/accounts/" in where
    return bool(is_page or (found.status_code == 200 and "/security/email/" in where))


def _told(response: Any, ids: tuple[str, ...]) -> tuple[Any, Any, Any, str]:
    def plain(text: str) -> str:
        # The longest first: a short one may be a part of it.
        for each in sorted(ids, key=len, reverse=True):
            text = text.replace(each, "ID")
        return re.sub(r'(nonce-|nonce="|value="|csrf[^"]*":\s*")[^"\']*', "", text)

    headers = {
        name: plain(value)
        for name, value in response.headers.items()
        if name not in _VARYING and not name.startswith("X-RateLimit")
    }
    said = [plain(str(each)) for each in get_messages(response.wsgi_request)]
    return response.status_code, headers, said, plain(response.content.decode())


def _text(response: Any) -> str:
    whole = b"".join(response.streaming_content) if response.streaming else response.content
    return str(whole, errors="replace")


def _everything() -> dict[str, str]:
    """Return a digest of every table."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            if table in CHANGING:
                continue
            cursor.execute(
                "SELECT md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), ''))"
                f' FROM "{table}" t'
            )
            (found[table],) = cursor.fetchone()
    return found
