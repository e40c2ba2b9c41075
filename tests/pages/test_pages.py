"""Every page of the site answers, says what it should, and keeps the strict policy."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.test import Client

from apps.core import clock
from tests.factories import Trader

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]
PUBLIC = [
    "/", "/markets", "/trade/BTC-USDT", "/trade/BTC-USDT/candles", "/accounts/login/",
    "/accounts/signup/", "/accounts/password/reset/", "/accounts/password/reset/done/",
]  # fmt: skip
PRIVATE = [
    "/",
    "/orders",
    "/orders?show=fills",
    "/notifications",
    "/verification",
    "/portfolio",
    "/portfolio?range=30d",
    "/portfolio?range=all",
    "/markets",
]
STATIC = Path(__file__).resolve().parents[2] / "static"


@pytest.mark.parametrize("path", PUBLIC)
def test_public_pages_answer_strangers(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert b'href="/accounts/signup/' in response.content


@pytest.mark.parametrize("path", PRIVATE)
def test_pages_answer_their_owner(signed_in: Client, path: str) -> None:
    response = signed_in.get(path)

    assert response.status_code == 200
    assert b"Log out" in response.content


@pytest.mark.parametrize("path", ["/orders", "/portfolio"])
def test_private_pages_ask_strangers_to_log_in(client: Client, path: str) -> None:
    response = client.get(path)

    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={path}")


def test_what_is_somebodys_is_kept_nowhere_and_a_part_is_not_taken_for_the_page(
    signed_in: Client,
) -> None:
    somebodys = signed_in.get("/orders")
    anybodys = Client().get("/trade/BTC-USDT/candles")

    assert somebodys["Cache-Control"] == "no-store"
    assert anybodys["Cache-Control"] == "no-cache"
    assert "HX-Request" in somebodys["Vary"]
    assert "HX-Request" in anybodys["Vary"]


@pytest.mark.parametrize("path", [*PUBLIC, "/nowhere"])
def test_nothing_on_a_page_needs_a_looser_policy(client: Client, path: str) -> None:
    response = client.get(path)
    page = response.content.decode()

    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert " style=" not in page
    assert "<style" not in page
    assert not re.search(r"\son[a-z]+=", page)
    inline = re.findall(r"<script(?![^>]*\ssrc=)([^>]*)>", page)
    assert len(inline) == 1
    nonce = re.search(r'type="importmap" nonce="([^"]+)"', inline[0])
    assert nonce is not None
    assert f"'nonce-{nonce[1]}'" in policy


def test_the_import_map_names_every_module_and_each_import_is_in_it(client: Client) -> None:
    page = client.get("/").content.decode()
    found = re.search(r'<script type="importmap"[^>]*>(.*?)</script>', page)
    assert found is not None
    names = set(json.loads(found[1])["imports"])

    modules = list((STATIC / "js").rglob("*.js"))
    assert names == {
        "lightweight-charts",
        *(
            path.relative_to(STATIC / "js").with_suffix("").as_posix()
            for path in modules
            if path.name not in ("app.js", "early.js")
        ),
    }
    for path in modules:
        for wanted in re.findall(r'(?:from|import\()\s*"([\w./-]+)"', path.read_text()):
            assert wanted in names, f"{path.name} imports {wanted}"


def test_every_controller_that_a_page_names_exists() -> None:
    templates = Path(__file__).resolve().parents[2] / "templates"
    named = set()
    for path in templates.rglob("*.html"):
        for names in re.findall(r'data-(?:controller|when-seen)="([^"]+)"', path.read_text()):
            named.update(names.split())

    existing = {path.stem for path in (STATIC / "js" / "controllers").glob("*.js")}
    assert named - existing == set()
    # The rest are used by other controllers.
    assert existing - named <= {"quotes"}


def test_every_icon_that_a_page_names_is_in_the_sprite() -> None:
    templates = Path(__file__).resolve().parents[2] / "templates"
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "img" / "icons.svg").read_text()))
    named = set()
    for path in templates.rglob("*.html"):
        text = path.read_text()
        named.update(re.findall(r'{% icon "([^"]+)"', text))
        named.update(re.findall(r'<c-(?:state|notice|button)[^>]*\sicon="([^"{]+)"', text))

    assert named - sprite == set()


def test_markets_can_be_searched_and_sorted_without_scripts(client: Client) -> None:
    def symbols(query: str) -> list[str]:
        page = client.get(f"/markets{query}").content.decode()
        return re.findall(r'<tr data-symbol="([^"]+)" data-name', page)

    assert symbols("") == ["BTC-USDT", "ETH-BTC"]
    assert symbols("?sort=market&dir=desc") == ["ETH-BTC", "BTC-USDT"]
    assert symbols("?sort=last&dir=desc") == ["BTC-USDT", "ETH-BTC"]
    # 0.1 BTC of volume is worth 6,000 USDT: less than the 30,000 of the other market.
    assert symbols("?sort=volume") == ["ETH-BTC", "BTC-USDT"]
    assert symbols("?q=bitcoin") == ["BTC-USDT"]
    assert symbols("?q=eth/btc") == ["ETH-BTC"]
    assert symbols("?sort=nonsense") == ["BTC-USDT", "ETH-BTC"]
    assert symbols("?q=" + "x" * 5000) == []
    # The rest is there for a script that shows it when the search is changed.
    rest = client.get("/markets?q=bitcoin").content.decode()
    assert '<tr data-symbol="ETH-BTC" hidden data-name' in rest


@pytest.mark.parametrize("demo", [True, False])
@pytest.mark.parametrize("path", ["/", "/trade/BTC-USDT", "/accounts/signup/"])
def test_demo_funds_are_promised_in_a_demo_only(
    client: Client, settings: Any, path: str, demo: bool
) -> None:
    settings.DEMO = demo

    page = client.get(path).content.decode()

    assert page.count("demo funds") == (2 if demo else 0)


def test_a_trading_page_of_no_market_is_not_found(client: Client) -> None:
    response = client.get("/trade/NO-SUCH")

    assert response.status_code == 404
    assert b"unknown_market" in response.content
    assert client.get("/trade/btc-usdt")["Location"] == "/trade/BTC-USDT"
    assert client.get("/trade")["Location"] == "/trade/BTC-USDT"
    assert client.get("/trade/BTC-USDT?interval=3s").status_code == 400


def test_the_trading_page_shows_what_is_mine(signed_in: Client, world: Trader) -> None:
    order = world.buy("0.01000", "59000.00")

    page = signed_in.get("/trade/BTC-USDT").content.decode()

    assert f'data-account="{world.account.public_id}"' in page
    assert f'data-id="{order.id}"' in page
    assert "59,000.00" in page
    # 100,000 less 30,000 and its fee of 30 for the half, less 590 and what it holds for fees.
    assert "69,379.41" in page or "69,379.40" in page


def test_a_stranger_sees_nothing_of_anybody(client: Client, world: Trader) -> None:
    order = world.buy("0.01000", "59000.00")

    page = client.get("/trade/BTC-USDT").content.decode()

    assert str(world.account.public_id) not in page
    assert f'data-id="{order.id}"' not in page


@pytest.mark.parametrize(
    ("failure", "status", "words"),
    [
        (PermissionDenied(), 403, "You may not see this page"),
        (OperationalError("down"), 503, "Try again in a few seconds"),
        (RuntimeError("a secret"), 500, "Something broke on our side"),
    ],
)
def test_failures_are_said_in_words(
    client: Client, monkeypatch: pytest.MonkeyPatch, failure: Exception, status: int, words: str
) -> None:
    def fail(**_: object) -> None:
        raise failure

    monkeypatch.setattr("apps.markets.views.market_rows", fail)
    client.raise_request_exception = False

    response = client.get("/markets")

    assert response.status_code == status
    assert words in response.content.decode()
    assert b"secret" not in response.content


def test_the_home_page_proves_what_it_promises(client: Client) -> None:
    page = client.get("/").content.decode()

    assert "0.08% / 0.10%" in page
    assert re.search(r"<span class=\"number strong\">\d[\d,]*</span> commands in the journal", page)


@pytest.mark.parametrize(("path", "queries"), [("/markets", 4), ("/trade/BTC-USDT", 5)])
def test_public_pages_ask_the_database_little(
    client: Client, path: str, queries: int, django_assert_max_num_queries: object
) -> None:
    client.get(path)

    with django_assert_max_num_queries(queries):  # type: ignore[operator]
        client.get(path)


def test_the_trading_page_of_an_owner_asks_the_database_a_fixed_number_of_times(
    signed_in: Client, world: Trader, django_assert_max_num_queries: object
) -> None:
    for step in range(12):
        world.buy("0.01000", f"{59000 - step}.00")
    signed_in.get("/trade/BTC-USDT")

    with django_assert_max_num_queries(18):  # type: ignore[operator]
        signed_in.get("/trade/BTC-USDT")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("/markets/", "/markets"),
        ("/trade/BTC-USDT/?tab=fills", "/trade/BTC-USDT?tab=fills"),
        ("/api/v1/markets/", "/api/v1/markets"),
    ],
)
def test_a_slash_too_many_leads_to_the_page(client: Client, asked: str, found: str) -> None:
    response = client.get(asked)

    assert (response.status_code, response["Location"]) == (301, found)
    assert client.post(asked).status_code in (403, 404)


@pytest.mark.parametrize("asked", ["//evil.example/", "/nowhere/", "/markets//"])
def test_a_slash_leads_nowhere_else(client: Client, asked: str) -> None:
    assert client.get("/", PATH_INFO=asked).status_code == 404


def test_a_day_later_a_trade_is_out_of_pages_and_api(signed_in: Client, world: Trader) -> None:
    now = {path: signed_in.get(path) for path in ("/api/v1/markets/BTC-USDT/ticker", "/markets")}
    with time_machine.travel(clock.now() + timedelta(hours=24, minutes=1)):
        later = {path: Client().get(path) for path in now}
        market = Client().get("/trade/BTC-USDT")

    path = "/api/v1/markets/BTC-USDT/ticker"
    assert (now[path].json()["volume"], later[path].json()["volume"]) == ("0.50000", "0.00000")
    assert later[path].json()["last"] == "60000.00"
    assert market.context["ticker"]["volume"] == "0.00000"
    rows = later["/markets"].context["rows"]
    assert {row.data["volume"] for row in rows} == {"0.00000", "0.000"}
