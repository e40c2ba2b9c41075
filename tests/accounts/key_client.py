"""Signs requests as a client does, with the script that docs/examples offers to clients."""

from __future__ import annotations

import base64
import importlib.util
import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rest_framework.test import APIClient

from apps.accounts.keys import actions
from apps.accounts.keys.models import ApiKey
from apps.accounts.models import User
from apps.core import clock

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "examples" / "signed_client.py"


def _load_script() -> Any:
    spec = importlib.util.spec_from_file_location("signed_client", SCRIPT)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


client_script = _load_script()


@dataclass
class Signer:
    """A program with an API key. ``send`` signs; what is said to it otherwise is sent instead."""

    key: ApiKey
    secret: str = ""
    private_key: Ed25519PrivateKey | None = None
    client: APIClient = field(default_factory=APIClient)

    def headers(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        timestamp_ms: int | None = None,
        nonce: str | None = None,
    ) -> dict[str, str]:
        timestamp = str(timestamp_ms or time.time_ns() // 1_000_000)
        nonce = nonce or secrets.token_urlsafe(18)
        text = client_script.string_to_sign(
            str(self.key.pk), method, target, timestamp, nonce, body
        )
        if self.private_key is not None:
            signature = self.private_key.sign(text)
        else:
            signature = client_script.sign_hmac(self.secret, text)
        return {
            "HTTP_SUM1_KEY": str(self.key.pk),
            "HTTP_SUM1_TIMESTAMP": timestamp,
            "HTTP_SUM1_NONCE": nonce,
            "HTTP_SUM1_SIGNATURE": base64.b64encode(signature).decode(),
        }

    def send(
        self,
        method: str,
        target: str,
        data: object = None,
        *,
        address: str = "127.0.0.1",
        **signed: Any,
    ) -> Any:
        body = b"" if data is None else json.dumps(data).encode()
        return self.deliver(method, target, body, self.headers(method, target, body, **signed),
                            address=address)  # fmt: skip

    def deliver(
        self,
        method: str,
        target: str,
        body: bytes,
        headers: dict[str, str],
        *,
        address: str = "127.0.0.1",
    ) -> Any:
        send: Any = self.client.generic
        return send(
            method, target, body, content_type="application/json", REMOTE_ADDR=address, **headers
        )


def key_for(user: User, *scopes: str, **asked: Any) -> Signer:
    """Make a key as somebody does who has just proved who he is."""
    now = clock.now()
    terms: dict[str, Any] = {
        "name": "Robot", "networks": [], "expires_at": None, "public_key": None, "proved_at": now,
        "now": now, **asked,
    }  # fmt: skip
    made = actions.create_key(actor=user, scopes=scopes or ("read", "trade"), **terms)
    return Signer(made.key, made.secret or "")
