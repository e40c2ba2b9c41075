"""What the venue owes, and everybody's proof of their part, over the API."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.endpoint import Endpoint, PublicEndpoint
from apps.core.openapi import documented
from apps.wallets.liabilities.queries import proof_of, published, tree_json

_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class TreeOutput(serializers.Serializer[dict[str, object]]):
    asset = serializers.CharField()
    scale = serializers.IntegerField(help_text="How many decimals a minor unit has.")
    root = serializers.CharField()  # type: ignore[assignment]
    total_minor = serializers.CharField()
    leaves = serializers.IntegerField(help_text="How many accounts are counted.")
    made_at = serializers.DateTimeField()


class TreesOutput(serializers.Serializer[dict[str, object]]):
    items = TreeOutput(many=True)


class ProofStepOutput(serializers.Serializer[dict[str, object]]):
    side = serializers.CharField(help_text="Where the other node stands: left or right.")
    hash = serializers.CharField()
    sum_minor = serializers.IntegerField()


class ProofOutput(serializers.Serializer[dict[str, object]]):
    asset = serializers.CharField()
    made_at = serializers.DateTimeField()
    name = serializers.CharField(help_text="Your account in this tree, and in no other.")
    salt = serializers.CharField()
    amount_minor = serializers.IntegerField()
    path = ProofStepOutput(many=True)


class LiabilitiesView(PublicEndpoint):
    @documented(
        summary="What the venue owes in each asset, and the root of its tree",
        tag="liabilities",
        answer=TreesOutput,
        example={
            "items": [
                {
                    "asset": "BTC", "scale": 8, "root": _HASH, "total_minor": "412000000000",
                    "leaves": 1042, "made_at": "2026-11-22T03:40:00Z",
                }
            ]
        },
        public=True,
        operation_id="liabilities",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        return Response({"items": [tree_json(tree) for tree in published()]})


class ProofView(Endpoint):
    @documented(
        summary="The proof that your balance is counted",
        description="Check it with the script at `/wallet/proof/check_proof.py`, which needs us "
        "for nothing. Keep the proof to yourself: it holds your balance.",
        tag="liabilities",
        answer=ProofOutput,
        example={
            "asset": "BTC", "made_at": "2026-11-22T03:40:00Z", "name": "0f" * 16,
            "salt": "a1" * 16, "amount_minor": 100000000,
            "path": [{"side": "right", "hash": _HASH, "sum_minor": 52000000}],
        },
        refusals={404: "no_proof"},
        operation_id="proof_of_liability",
    )  # fmt: skip
    def get(self, request: Request, asset: str) -> Response:
        return Response(proof_of(viewer=self.person, asset=asset))
