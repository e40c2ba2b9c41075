"""Signing in by other sites: which ones, and as whom they know us. None, unless it is named.

``SOCIAL_PROVIDERS`` names them: ``google``, ``github``, ``oidc`` (whoever speaks OpenID Connect).
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from config import env

_KNOWN: Final = ("google", "github", "oidc")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def social_apps() -> list[dict[str, Any]]:
    """Return what each provider that is named knows us by; refuse one that is not complete."""
    apps = []
    for name in dict.fromkeys(env.words("SOCIAL_PROVIDERS")):
        if name not in _KNOWN:
            raise env.Refused(f"SOCIAL_PROVIDERS knows {', '.join(_KNOWN)}, and no {name!r}.")
        apps.append({"google": _google, "github": _github, "oidc": _oidc}[name]())
    return apps


def form_targets(apps: list[dict[str, Any]]) -> list[str]:
    """Return the origins that a form which begins a sign-in ends at."""
    return [app["settings"]["origin"] for app in apps]


def _google() -> dict[str, Any]:
    client_id, secret = env.required("GOOGLE_CLIENT_ID"), env.required("GOOGLE_CLIENT_SECRET")
    return _by_oidc("google", "Google", client_id, secret, "https://accounts.google.com")


def _github() -> dict[str, Any]:
    return {
        "provider": "github",
        "provider_id": "github",
        "name": "GitHub",
        "client_id": env.required("GITHUB_CLIENT_ID"),
        "secret": env.required("GITHUB_CLIENT_SECRET"),
        "settings": {"oauth_pkce_enabled": True, "origin": "https://github.com"},
    }


def _oidc() -> dict[str, Any]:
    client_id, secret = env.required("OIDC_CLIENT_ID"), env.required("OIDC_CLIENT_SECRET")
    issuer, name = env.required("OIDC_ISSUER"), env.text("OIDC_NAME", "single sign-on")
    return _by_oidc("oidc", name, client_id, secret, issuer)


def _by_oidc(
    provider_id: str, name: str, client_id: str, secret: str, issuer: str
) -> dict[str, Any]:
    parts = urlsplit(issuer)
    is_safe = parts.scheme == "https" or parts.hostname in _LOOPBACK
    if not is_safe or not parts.hostname:
        raise env.Refused("OIDC_ISSUER must be an address that begins with https://.")
    return {
        "provider": "openid_connect",
        "provider_id": provider_id,
        "name": name,
        "client_id": client_id,
        "secret": secret,
        "settings": {
            "server_url": issuer.rstrip("/"),
            "oauth_pkce_enabled": True,
            "origin": f"{parts.scheme}://{parts.netloc}",
        },
    }
