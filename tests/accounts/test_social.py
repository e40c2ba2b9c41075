"""Signing in by another site: who gets in, who does not, and that nobody is taken over by it.

The site is made up: what it answers is put where our adapter would ask the network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core import mail
from django.test import Client
from django.urls import reverse

from apps.accounts import step_up
from apps.accounts.factors import actions as factors
from apps.accounts.factors import totp
from apps.accounts.models import SignInRecord, User
from apps.accounts.social import actions
from apps.accounts.social.adapter import SocialAdapter
from apps.accounts.social.queries import connections_of
from apps.core import clock
from apps.core.errors import Conflict, NotAllowed, NotFound, Refused
from apps.core.models import OutboxEvent
from apps.wallets.models import TradingAccount
from config import env
from config.settings.social import form_targets, social_apps
from tests.factories import PASSWORD, person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("engine_gateway")]
ISSUER = "https://id.example"
APP = {
    "provider": "openid_connect",
    "provider_id": "oidc",
    "name": "Example ID",
    "client_id": "sum1",
    "secret": "not-a-real-secret",
    "settings": {"server_url": ISSUER, "oauth_pkce_enabled": True, "origin": ISSUER},
}
GITHUB = {
    "provider": "github", "provider_id": "github", "name": "GitHub", "client_id": "sum1",
    "secret": "not-a-real-secret",
    "settings": {"oauth_pkce_enabled": True, "origin": "https://github.com"},
}  # fmt: skip
ADA = {"sub": "ada-1", "email": "Ada@Example.com", "email_verified": True, "name": "Ada L"}


class Answer:
    """What the network would bring."""

    def __init__(self, body: Any, status: int = 200) -> None:
        self.body, self.status_code = body, status
        self.headers = {"content-type": "application/json"}
        self.text = self.content = str(body)

    def json(self) -> Any:
        if isinstance(self.body, Exception):
            raise self.body
        return self.body

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise OSError(self.status_code)


class FakeSite:
    """A site that speaks OpenID Connect; ``claims`` is what it says of who comes back."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = dict(ADA)
        self.signed: dict[str, Any] = {}
        self.is_down = False
        self.sent: list[dict[str, Any]] = []
        self.github: dict[str, Any] = {}

    def __enter__(self) -> FakeSite:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def get(self, url: str, **_: Any) -> Answer:
        if self.is_down:
            raise OSError("nobody there")
        if url in self.github:
            return Answer(self.github[url])
        if url.endswith("openid-configuration"):
            names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
            return Answer({"issuer": ISSUER, **{name: f"{ISSUER}/{name}" for name in names}})
        return Answer(self.claims)

    def request(self, method: str, url: str, data: Any = None, **_: Any) -> Answer:
        self.sent.append(data)
        told = {"iss": ISSUER, "aud": "sum1", "exp": int(time.time()) + 60, "sub": "ada-1"}
        told |= {"sub": self.claims.get("sub")} | self.signed
        token = jwt.encode(told, "k" * 32, algorithm="HS256")
        return Answer({"access_token": "a", "token_type": "Bearer", "id_token": token})


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch, settings: Any) -> FakeSite:
    settings.SOCIAL_APPS = [APP, GITHUB]
    settings.SOCIAL_FORM_TARGETS = form_targets([APP, GITHUB])
    made = FakeSite()
    monkeypatch.setattr(SocialAdapter, "get_requests_session", lambda adapter: made)
    return made


def _go(client: Client, path: str = "/accounts/social/oidc", **data: str) -> str:
    """Begin; return the state that the site would bring back."""
    answer = client.post(path, data)
    assert answer.status_code == 302, answer.content
    parts = urlsplit(answer["Location"])
    assert (parts.scheme, parts.netloc) in {("https", "id.example"), ("https", "github.com")}
    query = parse_qs(parts.query)
    assert query["code_challenge_method"] == ["S256"]
    return query["state"][0]


def _back(client: Client, state: str, site_id: str = "oidc", **more: str) -> Any:
    return client.get(f"/accounts/social/{site_id}/back", {"state": state, "code": "c", **more})


def _come(client: Client, **data: str) -> Any:
    return _back(client, _go(client, **data))


def _is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def _log_in(email: str = "ada@example.com") -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": email, "password": PASSWORD})
    assert _is_in(client)
    return client


def _told(kind: str) -> list[Any]:
    return [event.data["data"] for event in OutboxEvent.objects.filter(data__kind=kind)]


def test_buttons_are_there_only_where_something_is_configured(settings: Any) -> None:
    for path in ("/accounts/login/", "/accounts/signup/"):
        page = Client().get(path)
        assert "Example ID" in page.content.decode()
        assert (
            "form-action 'self' https://id.example https://github.com"
            in (page["Content-Security-Policy"])
        )
    assert "id.example" not in Client().get("/markets")["Content-Security-Policy"]
    person("ada@example.com")
    assert "Other sites" in _log_in().get("/security").content.decode()

    settings.SOCIAL_APPS, settings.SOCIAL_FORM_TARGETS = [], []
    for path in ("/accounts/login/", "/accounts/signup/"):
        page = Client().get(path)
        assert "Example ID" not in page.content.decode()
        assert "form-action 'self';" in f"{page['Content-Security-Policy']};"
    assert "Other sites" not in _log_in().get("/security").content.decode()
    assert Client().post("/accounts/social/oidc").status_code == 404
    assert Client().get("/accounts/social/oidc/back?state=x&code=c").status_code == 404


def test_who_comes_the_first_time_gets_an_account(site: FakeSite) -> None:
    client = Client()

    answer = _come(client, next="/portfolio")

    assert (answer.status_code, answer["Location"]) == (302, "/portfolio")
    user = User.objects.get()
    assert (user.email, user.display_name) == ("ada@example.com", "Ada L")
    assert not user.has_usable_password()
    assert not user.is_staff
    address = EmailAddress.objects.get()
    assert (address.email, address.verified, address.primary) == ("ada@example.com", True, True)
    account = SocialAccount.objects.get()
    assert (account.uid, account.extra_data) == ("ada-1", {"known_as": "ada@example.com"})
    assert not SocialToken.objects.exists()
    assert TradingAccount.objects.filter(owner=user).exists()
    assert SignInRecord.objects.get().outcome == "opened"
    assert "code_verifier" in site.sent[0]
    again = Client()
    _come(again)
    assert _is_in(again)
    assert User.objects.count() == 1


@pytest.mark.parametrize("verified", [False, None, "true", "false", 1])
def test_only_a_yes_proves_an_address(site: FakeSite, settings: Any, verified: object) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    site.claims["email_verified"] = verified
    client = Client()

    answer = _come(client)

    assert answer["Location"] == reverse("account_email_verification_sent")
    assert not _is_in(client)
    assert not EmailAddress.objects.get().verified
    (letter,) = mail.outbox
    assert "/accounts/confirm-email/" in letter.body


@pytest.mark.parametrize("verified", [True, False])
def test_an_address_connects_nobody(site: FakeSite, verified: bool) -> None:
    ada = person("ada@example.com")
    site.claims |= {"sub": "mallory", "email_verified": verified}
    client = Client()

    answer = _come(client)

    assert not _is_in(client)
    assert not SocialAccount.objects.exists()
    assert User.objects.get() == ada
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
    if verified:
        assert answer["Location"] == "/accounts/login/"
        assert "then connect Example ID" in client.get("/accounts/login/").content.decode()
    else:
        # As for an address that nobody has here: the letter says the rest, to its owner.
        assert answer["Location"] == reverse("account_email_verification_sent")
        assert [letter.to for letter in mail.outbox] == [["ada@example.com"]]


def test_connecting_takes_a_sign_in_and_a_fresh_proof(site: FakeSite) -> None:
    ada = person("ada@example.com")
    site.claims["email"] = "elsewhere@example.org"
    assert Client().post("/accounts/social/oidc/connect").status_code == 302
    client = _log_in()

    state = _go(client, "/accounts/social/oidc/connect")
    assert _back(client, state)["Location"] == "/security"

    (mine,) = connections_of(viewer=ada)
    assert (mine.site, mine.known_as) == ("Example ID", "elsewhere@example.org")
    ada.refresh_from_db()
    assert (ada.email, ada.security_changed_at is None) == ("ada@example.com", False)
    assert _told("connection_added") == [{"name": "Example ID"}]
    assert EmailAddress.objects.filter(email="elsewhere@example.org").count() == 0
    by_site = Client()
    _come(by_site)
    assert by_site.session["_auth_user_id"] == str(ada.pk)
    state = _go(client, "/accounts/social/oidc/connect")
    session = client.session
    session["proved_at"] = clock.iso(clock.now() - timedelta(minutes=16))
    session.save()
    site.claims["sub"] = "ada-2"
    _back(client, state)
    assert SocialAccount.objects.count() == 1
    assert client.post("/accounts/social/oidc/connect")["Location"].startswith("/security/confirm")


def test_what_belongs_to_another_is_not_connected_and_twice_is_once(site: FakeSite) -> None:
    ada, bob, now = person("ada@example.com"), person("bob@example.com"), clock.now()
    asked: dict[str, Any] = {
        "site_id": "oidc", "uid": "x-1", "known_as": "x", "proved_at": now, "now": now,
    }  # fmt: skip

    assert actions.connect(actor=ada, **asked)
    assert not actions.connect(actor=ada, **{**asked, "now": now + timedelta(seconds=1)})
    with pytest.raises(Conflict) as taken:
        actions.connect(actor=bob, **asked)
    with pytest.raises(NotFound):
        actions.connect(actor=bob, **{**asked, "site_id": "elsewhere"})
    with pytest.raises(NotAllowed):
        actions.connect(actor=bob, **{**asked, "uid": "y", "proved_at": None})

    assert taken.value.code == "connected_elsewhere"
    assert SocialAccount.objects.get().user == ada
    assert len(_told("connection_added")) == 1


def test_the_second_factor_is_asked_for_all_the_same(site: FakeSite) -> None:
    _come(Client())
    ada, now = User.objects.get(), clock.now()
    secret = totp.new_secret()
    step = int(now.timestamp()) // totp.STEP_SECONDS
    factors.add_totp(
        actor=ada, secret=secret, code=totp.code_at(secret, step), proved_at=now, now=now
    )
    client = Client()

    answer = _come(client, next="/portfolio")

    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert not _is_in(client)
    done = client.post(answer["Location"], {"code": totp.code_at(secret, step + 1)})
    assert (done["Location"], _is_in(client)) == ("/portfolio", True)
    assert step_up.proved_at(_request(client)) is not None


def _request(client: Client) -> Any:
    from django.contrib.sessions.backends.db import SessionStore
    from django.test import RequestFactory

    request = RequestFactory().get("/")
    request.session = SessionStore(client.session.session_key)
    return request


def test_who_is_frozen_or_switched_off_stays_outside(site: FakeSite) -> None:
    _come(Client())
    User.objects.update(frozen_at=clock.now())
    frozen = Client()
    assert _come(frozen)["Location"] == "/security/frozen"
    User.objects.update(frozen_at=None, is_active=False)
    banned = Client()
    _come(banned)

    assert not _is_in(frozen)
    assert not _is_in(banned)


def test_the_last_way_in_stays(site: FakeSite) -> None:
    client = Client()
    _come(client)
    ada, now = User.objects.get(), clock.now()
    (mine,) = connections_of(viewer=ada)

    with pytest.raises(Refused) as refusal:
        actions.disconnect(actor=ada, connection_id=mine.id, proved_at=now, now=now)
    client.post(f"/security/connections/{mine.id}/disconnect")
    assert refusal.value.code == "only_way_in"
    assert SocialAccount.objects.count() == 1
    assert "add a passkey first" in client.get("/security").content.decode()
    # A site that is switched off is no way in either.
    SocialAccount.objects.create(user=ada, provider="closed", uid="1")
    with pytest.raises(Refused):
        actions.disconnect(actor=ada, connection_id=mine.id, proved_at=now, now=now)
    bob = person("bob@example.com")
    with pytest.raises(NotFound):
        actions.disconnect(actor=bob, connection_id=mine.id, proved_at=now, now=now)
    with pytest.raises(NotAllowed):
        actions.disconnect(actor=ada, connection_id=mine.id, proved_at=None, now=now)
    client.post("/security/password", {"password": "four plain words here"})
    client.post(f"/security/connections/{mine.id}/disconnect")
    client.post(f"/security/connections/{mine.id}/disconnect")

    assert [row.provider for row in SocialAccount.objects.all()] == ["closed"]
    assert _told("connection_removed") == [{"name": "Example ID"}]


def test_the_last_passkey_of_who_has_no_password_stays(site: FakeSite) -> None:
    _come(Client())
    ada, now = User.objects.get(), clock.now()
    passkey = Authenticator.objects.create(
        user=ada, type=Authenticator.Type.WEBAUTHN, data={"name": "Key", "count": 0}
    )
    SocialAccount.objects.all().delete()

    with pytest.raises(Refused) as refusal:
        factors.remove_factor(actor=ada, factor_id=passkey.pk, proved_at=now, now=now)

    assert refusal.value.code == "only_way_in"
    assert Authenticator.objects.filter(pk=passkey.pk).exists()


def test_who_has_no_password_proves_themselves_by_the_site(site: FakeSite) -> None:
    client = Client()
    _come(client)
    session = client.session
    session["proved_at"] = clock.iso(clock.now() - timedelta(minutes=16))
    session.save()
    asked = client.get("/security/password")
    page = client.get(asked["Location"]).content.decode()
    assert "Continue with Example ID" in page
    assert "Continue with GitHub" not in page
    assert 'type="password"' not in page
    assert client.post("/security/confirm", {"password": ""}).status_code == 200
    assert client.get("/security/password").status_code == 302

    back = _come(client, next="/security/password")

    assert back["Location"] == "/security/password"
    assert client.get("/security/password").status_code == 200


def test_a_state_is_good_once_and_in_its_own_browser_only(site: FakeSite) -> None:
    mine, theirs = Client(), Client()
    state = _go(mine)

    assert _back(theirs, state)["Location"] == "/accounts/login/"
    assert _back(mine, "made-up")["Location"] == "/accounts/login/"
    assert _back(mine, state, "github")["Location"] == "/accounts/login/"
    assert not User.objects.exists()
    state = _go(mine)
    assert _back(mine, state)["Location"] == "/"
    mine.logout()
    assert _back(mine, state)["Location"] == "/accounts/login/"
    assert not _is_in(mine)
    assert Client().get("/accounts/social/oidc").status_code == 405


def test_nobody_has_us_ask_a_site_without_end(
    site: FakeSite, settings: Any, free_port: Any
) -> None:
    client = Client()

    answers = [client.post("/accounts/social/oidc") for _ in range(21)]

    assert {answer.status_code for answer in answers[:20]} == {302}
    assert answers[20].status_code == 429
    assert int(answers[20]["Retry-After"]) >= 1
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    assert client.post("/accounts/social/oidc").status_code == 503


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_on_to_another_site(site: FakeSite, target: str) -> None:
    assert _come(Client(), next=target)["Location"] == "/"


def _breaks(site: FakeSite, how: str) -> None:
    changes: dict[str, Callable[[], Any]] = {
        "no subject": lambda: site.claims.pop("sub"),
        "empty subject": lambda: site.claims.update(sub=""),
        "long subject": lambda: site.claims.update(sub="x" * 500),
        "two people": lambda: site.signed.update(sub="somebody else"),
        "another issuer": lambda: site.signed.update(iss="https://evil.example"),
        "another audience": lambda: site.signed.update(aud="other"),
        "expired": lambda: site.signed.update(exp=1),
        "not an object": lambda: setattr(site, "claims", ["x"]),
        "no address": lambda: site.claims.pop("email"),
        "no real address": lambda: site.claims.update(email="a@b\r\nBcc: c@d"),
    }
    changes[how]()


@pytest.mark.parametrize(
    "how",
    ["no subject", "empty subject", "long subject", "two people", "another issuer",
     "another audience", "expired", "not an object", "no address", "no real address"],
)  # fmt: skip
def test_a_site_that_talks_nonsense_lets_nobody_in(site: FakeSite, how: str) -> None:
    client = Client()
    state = _go(client)
    if how == "not an object":
        site.request = lambda *_, **__: Answer({"access_token": "a"})  # type: ignore[method-assign]
    _breaks(site, how)

    answer = _back(client, state)

    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
    assert not User.objects.exists()


def test_a_site_that_is_down_or_says_no_is_said_so(site: FakeSite) -> None:
    client = Client()
    site.is_down = True
    assert client.post("/accounts/social/oidc")["Location"] == "/accounts/login/"
    assert "cannot be reached" in client.get("/accounts/login/").content.decode()
    site.is_down = False
    state = _go(client)

    refused = client.get("/accounts/social/oidc/back", {"state": state, "error": "access_denied"})

    assert refused["Location"] == "/accounts/login/"
    assert "has not let you in" in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("  Ada   L ", "Ada L"), ("x" * 90, "x" * 40), ("a\u202eb", None),
        ("ada@example.com", None), ("<b>Ada</b>", "<b>Ada</b>"), (None, None), ({"a": 1}, None),
    ],
)  # fmt: skip
def test_a_name_is_what_others_may_see(site: FakeSite, name: Any, kept: str | None) -> None:
    site.claims["name"] = name

    client = Client()
    _come(client)

    shown = User.objects.get().display_name
    assert shown == kept if kept else shown.startswith("Trader ")
    assert b"<b>Ada</b>" not in client.get("/security").content


def test_of_github_the_proved_address_is_taken(site: FakeSite) -> None:
    site.github = {
        "https://api.github.com/user": {"id": 7, "login": "ada", "email": "public@example.com"},
        "https://api.github.com/user/emails": [
            {"email": "public@example.com", "primary": False, "verified": False},
            {"email": "Ada@example.com", "primary": True, "verified": True},
        ],
    }
    client = Client()

    answer = _back(client, _go(client, "/accounts/social/github"), "github")

    assert answer["Location"] == "/"
    assert User.objects.get().email == "ada@example.com"
    assert EmailAddress.objects.get().verified
    assert SocialAccount.objects.get().uid == "7"


def test_the_environment_alone_says_who_vouches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert social_apps() == []
    values = {
        "SOCIAL_PROVIDERS": "google, github,oidc", "GOOGLE_CLIENT_ID": "g",
        "GOOGLE_CLIENT_SECRET": "s", "GITHUB_CLIENT_ID": "h", "GITHUB_CLIENT_SECRET": "s",
        "OIDC_CLIENT_ID": "o", "OIDC_CLIENT_SECRET": "s",
        "OIDC_ISSUER": "https://id.example/realm/",
        "OIDC_NAME": "Example ID",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)

    apps = social_apps()

    assert [(app["provider_id"], app["name"]) for app in apps] == [
        ("google", "Google"), ("github", "GitHub"), ("oidc", "Example ID"),
    ]  # fmt: skip
    assert form_targets(apps) == [
        "https://accounts.google.com", "https://github.com", "https://id.example",
    ]  # fmt: skip
    assert apps[2]["settings"]["server_url"] == "https://id.example/realm"
    for name, bad in (
        ("SOCIAL_PROVIDERS", "facebook"), ("OIDC_ISSUER", "http://id.example"),
        ("OIDC_ISSUER", "id.example"), ("GOOGLE_CLIENT_SECRET", ""),
    ):  # fmt: skip
        with monkeypatch.context() as patched:
            patched.setenv(name, bad)
            with pytest.raises(env.Refused):
                social_apps()
