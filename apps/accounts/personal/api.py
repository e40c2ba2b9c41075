"""Copies of a person's data, and its deletion, through the API.

The file itself is downloaded on the site.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import step_up
from apps.accounts.models import User
from apps.accounts.personal import actions, deleting, queries
from apps.accounts.personal.models import DataExport
from apps.accounts.personal.obstacles import obstacles_of
from apps.core import clock
from apps.core.endpoint import Endpoint
from apps.core.fields import QuerySerializer, StrictSerializer, StrictText
from apps.core.openapi import documented

_ID: Final = "5f0c2c1e-8f43-4a1c-9d0f-0c6a5d1f7a11"
_EXPORT: Final = {
    "id": _ID,
    "state": "ready",
    "asked_at": "2026-01-31T12:00:00Z",
    "ready_at": "2026-01-31T12:00:20Z",
    "ends_at": "2026-02-07T12:00:20Z",
    "size_bytes": 48211,
    "page": f"/security/data/copies/{_ID}",
}
_ASKED: Final = {
    "asked_at": "2026-01-31T12:00:00Z",
    "due_at": "2026-02-14T12:00:00Z",
    "obstacles": [],
}
_NOT_ASKED: Final = {
    "asked_at": None,
    "due_at": None,
    "obstacles": [{"code": "open_orders", "words": "You have open orders. Cancel them first."}],
}


class NoInput(StrictSerializer):
    """Nothing."""


class ExportOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(DataExport.State.choices)
    asked_at = serializers.DateTimeField()
    ready_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True, help_text="From then on it is gone.")
    size_bytes = serializers.IntegerField()
    page = serializers.CharField(
        allow_null=True, help_text="Where its owner downloads it, signed in on the site."
    )


class ExportsOutput(serializers.Serializer[dict[str, object]]):
    items = ExportOutput(many=True)
    possible_at = serializers.DateTimeField(help_text="From when on you can ask for another one.")


class DeletionInput(StrictSerializer):
    confirmation = StrictText(max_length=254, help_text="Your e-mail address, typed again.")


class ObstacleOutput(serializers.Serializer[dict[str, object]]):
    code = serializers.CharField()
    words = serializers.CharField()


class DeletionOutput(serializers.Serializer[dict[str, object]]):
    asked_at = serializers.DateTimeField(allow_null=True, help_text="Null: you have not asked.")
    due_at = serializers.DateTimeField(
        allow_null=True, help_text="Until then you can take it back."
    )
    obstacles = ObstacleOutput(many=True, help_text="What stands in the way now.")


def deletion_json(viewer: User) -> dict[str, Any]:
    deletion = queries.deletion_of(viewer=viewer)
    return {
        "asked_at": clock.iso(deletion.asked_at) if deletion else None,
        "due_at": clock.iso(deletion.due_at) if deletion else None,
        "obstacles": [{"code": each.code, "words": each.words} for each in obstacles_of(viewer)],
    }


def export_json(export: DataExport) -> dict[str, Any]:
    is_ready = export.state == DataExport.State.READY
    page = reverse("accounts:download-data", args=[export.pk]) if is_ready else None
    return {
        "id": str(export.pk),
        "state": export.state,
        "asked_at": clock.iso(export.asked_at),
        "ready_at": clock.iso(export.ready_at) if export.ready_at else None,
        "ends_at": clock.iso(export.ends_at) if export.ends_at else None,
        "size_bytes": export.size_bytes,
        "page": page,
    }


class ExportsView(Endpoint):
    # What is known about somebody is nothing for a program.
    scopes: ClassVar = {"GET": None, "POST": None}

    @documented(
        summary="Your copies of your data, newest first",
        tag="personal data",
        query=QuerySerializer,
        answer=ExportsOutput,
        example={"items": [_EXPORT], "possible_at": "2026-02-01T12:00:00Z"},
        operation_id="data_exports",
    )
    def get(self, request: Request) -> Response:
        self.read_query(QuerySerializer)
        items = [export_json(each) for each in queries.exports_of(viewer=self.person)]
        possible_at = queries.next_export_at(viewer=self.person, now=clock.now())
        return Response({"items": items, "possible_at": clock.iso(possible_at)})

    @documented(
        summary="Ask for a copy of everything that is held about you",
        description=(
            "Once a day, with a fresh proof of who you are: `POST /auth/step-up`. It is made in "
            "the background; a notice says when it is ready. It is a ZIP of CSV and JSON files, "
            "downloaded on the site, and gone after seven days."
        ),
        tag="personal data",
        body=NoInput,
        body_example={},
        answer=ExportOutput,
        status=202,
        example={
            **_EXPORT, "state": "waiting", "ready_at": None, "ends_at": None, "size_bytes": 0,
            "page": None,
        },
        refusals={403: "step_up_required", 429: "export_too_soon"},
        operation_id="ask_for_data_export",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        self.read_body(NoInput)
        export = actions.ask_for_export(
            actor=self.person, proved_at=step_up.proved_at(request), now=clock.now()
        )
        return Response(export_json(export), status=202)


class DeletionView(Endpoint):
    scopes: ClassVar = {"GET": None, "POST": None, "DELETE": None}

    @documented(
        summary="Whether your account is to be deleted, and what stands in the way",
        tag="personal data",
        query=QuerySerializer,
        answer=DeletionOutput,
        example=_NOT_ASKED,
        operation_id="deletion",
    )
    def get(self, request: Request) -> Response:
        self.read_query(QuerySerializer)
        return Response(deletion_json(self.person))

    @documented(
        summary="Have your account deleted in 14 days",
        description=(
            "With a fresh proof of who you are (`POST /auth/step-up`) and your address typed "
            "again. Refused while something stands in the way, with its code: `balance_left`, "
            "`hold_left`, `open_orders`, `withdrawal_open`, `transfer_open`, `deposit_open`, "
            "`verification_open`, `restricted`, `staff_account`. All that stand are listed in "
            "`obstacles`."
        ),
        tag="personal data",
        body=DeletionInput,
        body_example={"confirmation": "grace@example.com"},
        answer=DeletionOutput,
        status=202,
        example=_ASKED,
        refusals={
            400: "confirmation_wrong",
            403: "step_up_required",
            409: "deletion_asked",
            422: "balance_left",
        },
        operation_id="ask_for_deletion",
    )
    def post(self, request: Request) -> Response:
        deleting.ask_for_deletion(
            actor=self.person,
            confirmation=self.read_body(DeletionInput)["confirmation"],
            proved_at=step_up.proved_at(request),
            now=clock.now(),
        )
        return Response(deletion_json(self.person), status=202)

    @documented(
        summary="Take it back: your account stays",
        tag="personal data",
        answer=None,
        status=204,
        refusals={403: "permission_denied", 404: "deletion_not_found"},
        operation_id="take_back_deletion",
    )
    def delete(self, request: Request) -> Response:
        deleting.take_back(actor=self.person, now=clock.now())
        return Response(status=204)
