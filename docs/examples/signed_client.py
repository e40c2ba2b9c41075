"""A client of the SUM+1 API that signs its requests with an API key. It needs Python 3.11, no more.

    export SUM1_URL=https://sum1.example SUM1_KEY=<id> SUM1_SECRET=<secret>
    python signed_client.py GET '/api/v1/orders?limit=5'
    python signed_client.py POST /api/v1/orders '{"market": "BTC-USDT", "side": "buy",
        "type": "limit", "quantity": "0.01", "price": "50000.00", "client_order_id": "first"}'

For a key with a public key of your own (Ed25519), sign the same text with your private key; that
takes the package ``cryptography``: see ``sign_ed25519``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import sys
import time
import urllib.error
import urllib.request


def string_to_sign(
    key_id: str, method: str, target: str, timestamp: str, nonce: str, body: bytes
) -> bytes:
    """Seven lines without one at the end. The target is the path with its query, as it is sent."""
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join(["SUM1-1", key_id, method, target, timestamp, nonce, digest]).encode()


def sign_hmac(secret: str, text: bytes) -> bytes:
    """The secret is used as the text that was shown; it is not decoded."""
    return hmac.new(secret.encode(), text, hashlib.sha256).digest()


def sign_ed25519(private_key_pem: bytes, text: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(private_key_pem, password=None).sign(text)


def headers_of(key_id: str, secret: str, method: str, target: str, body: bytes) -> dict[str, str]:
    """Return what goes along with a request; made anew for every one, also for a repeated one."""
    timestamp, nonce = str(time.time_ns() // 1_000_000), secrets.token_urlsafe(18)
    text = string_to_sign(key_id, method, target, timestamp, nonce, body)
    return {
        "SUM1-Key": key_id,
        "SUM1-Timestamp": timestamp,
        "SUM1-Nonce": nonce,
        "SUM1-Signature": base64.b64encode(sign_hmac(secret, text)).decode(),
        "Content-Type": "application/json",
    }


def send(url: str, key_id: str, secret: str, method: str, target: str, body: bytes) -> str:
    request = urllib.request.Request(
        url + target,
        data=body or None,
        method=method,
        headers=headers_of(key_id, secret, method, target, body),
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # nosec B310: our own URL
            return str(answer.read().decode())
    except urllib.error.HTTPError as refusal:
        return str(refusal.read().decode())


if __name__ == "__main__":
    asked_method, asked_target = sys.argv[1], sys.argv[2]
    asked_body = sys.argv[3].encode() if len(sys.argv) > 3 else b""
    key, its_secret = os.environ["SUM1_KEY"], os.environ["SUM1_SECRET"]
    print(send(os.environ["SUM1_URL"], key, its_secret, asked_method, asked_target, asked_body))
