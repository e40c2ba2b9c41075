"""API keys through the API. No key can see or change keys: who is signed in can."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import step_up
from apps.accounts.keys import actions, queries, rules
from apps.accounts.keys.models import ApiKey
from apps.core import clock
from apps.core.endpoint import Endpoint
from apps.core.fields import StrictChoice, StrictSerializer, StrictText, StrictTime
from apps.core.openapi import documented
from apps.core.scopes import SCOPES

_KEY: Final = {
    "id": "5f0c2c1e-8f43-4a1c-9d0f-0c6a5d1f7a11",
    "name": "Market maker",
    "algorithm": "hmac-sha256",
    "scopes": ["read", "trade"],
    "networks": ["203.0.113.7/32"],
    "created_at": "2026-11-21T12:00:00Z",
    "expires_at": None,
    "last_used_at": None,
    "last_used_address": None,
}
_SCOPES_MAX: Final = 8


class KeyInput(StrictSerializer):
    name = StrictText(max_length=actions.NAME_LENGTH_MAX)
    scopes = serializers.ListField(child=StrictChoice(SCOPES), max_length=_SCOPES_MAX)
    networks = serializers.ListField(
        child=StrictText(max_length=50),
        max_length=rules.NETWORKS_MAX,
        required=False,
        help_text="From where it may be used: addresses and networks. Needed to withdraw.",
    )
    expires_at = StrictTime(required=False)
    public_key = StrictText(
        max_length=100,
        required=False,
        help_text="Of an Ed25519 pair, base64 of 32 bytes; without one you get a secret.",
    )


class KeyChangeInput(StrictSerializer):
    name = StrictText(max_length=actions.NAME_LENGTH_MAX, required=False)
    scopes = serializers.ListField(
        child=StrictChoice(SCOPES), max_length=_SCOPES_MAX, required=False
    )
    networks = serializers.ListField(
        child=StrictText(max_length=50), max_length=rules.NETWORKS_MAX, required=False
    )
    expires_at = StrictTime(required=False)


class KeyOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField(help_text="Goes into SUM1-Key.")
    name = serializers.CharField()
    algorithm = serializers.ChoiceField(ApiKey.Algorithm.values)
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES))
    networks = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    last_used_address = serializers.CharField(allow_null=True)


class NewKeyOutput(KeyOutput):
    secret = serializers.CharField(
        allow_null=True, help_text="Shown this once. None where you gave a public key."
    )


class KeysOutput(serializers.Serializer[dict[str, object]]):
    items = KeyOutput(many=True)


class KeysView(Endpoint):
    scopes: ClassVar = {"GET": None}

    @documented(
        summary="Your API keys",
        description="Newest first, at most ten that can be used; revoked ones are gone.",
        tag="keys",
        answer=KeysOutput,
        example={"items": [_KEY]},
        refusals={403: "key_not_allowed"},
        operation_id="keys",
    )
    def get(self, request: Request) -> Response:
        return Response({"items": [key_json(key) for key in queries.keys_of(viewer=self.person)]})

    @documented(
        summary="Make an API key",
        description=(
            "Takes a proof of who you are that is at most 15 minutes old. The secret is in this "
            "answer and nowhere else, so there is no Idempotency-Key: after a lost answer, revoke "
            "the key and make another."
        ),
        tag="keys",
        body=KeyInput,
        body_example={
            "name": "Market maker", "scopes": ["read", "trade"], "networks": ["203.0.113.7"],
        },
        answer=NewKeyOutput,
        status=201,
        example={**_KEY, "secret": "c29tZSBzZWNyZXQgdGhhdCBpcyBub3QgYSBzZWNyZXQ"},
        refusals={400: "invalid_scopes", 403: "step_up_required", 409: "too_many_keys"},
        operation_id="create_key",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.read_body(KeyInput)
        made = actions.create_key(
            actor=self.person,
            name=given["name"],
            scopes=given["scopes"],
            networks=given.get("networks", []),
            expires_at=given.get("expires_at"),
            public_key=given.get("public_key"),
            proved_at=step_up.proved_at(request),
            now=clock.now(),
        )
        return Response({**key_json(made.key), "secret": made.secret}, status=201)


class KeyView(Endpoint):
    scopes: ClassVar = {"GET": None}

    @documented(
        summary="One of your API keys",
        tag="keys",
        answer=KeyOutput,
        example=_KEY,
        refusals={403: "key_not_allowed", 404: "unknown_key"},
        operation_id="key",
    )
    def get(self, request: Request, key_id: uuid.UUID) -> Response:
        return Response(key_json(queries.key_of(viewer=self.person, key_id=key_id)))

    @documented(
        summary="Change an API key",
        description="What is not given stays. Sockets that were opened with the key end.",
        tag="keys",
        body=KeyChangeInput,
        body_example={"networks": ["203.0.113.0/24"]},
        answer=KeyOutput,
        example={**_KEY, "networks": ["203.0.113.0/24"]},
        refusals={400: "invalid_network", 403: "step_up_required", 404: "unknown_key"},
        operation_id="change_key",
    )
    def patch(self, request: Request, key_id: uuid.UUID) -> Response:
        given = self.read_body(KeyChangeInput)
        key = actions.change_key(
            actor=self.person,
            key_id=key_id,
            proved_at=step_up.proved_at(request),
            now=clock.now(),
            **given,
        )
        return Response(key_json(key))

    @documented(
        summary="Revoke an API key",
        description="It ends at once, with the sockets that were opened with it.",
        tag="keys",
        answer=None,
        status=204,
        refusals={403: "key_not_allowed", 404: "unknown_key"},
        operation_id="revoke_key",
    )
    def delete(self, request: Request, key_id: uuid.UUID) -> Response:
        actions.revoke_key(actor=self.person, key_id=key_id, now=clock.now())
        return Response(status=204)


def key_json(key: ApiKey) -> dict[str, Any]:
    """Return a key as the API shows it."""
    return {
        "id": str(key.pk),
        "name": key.name,
        "algorithm": key.algorithm,
        "scopes": list(key.scopes),
        "networks": list(key.networks),
        "created_at": clock.iso(key.created_at),
        "expires_at": clock.iso(key.expires_at) if key.expires_at else None,
        "last_used_at": clock.iso(key.last_used_at) if key.last_used_at else None,
        "last_used_address": key.last_used_address or None,
    }
