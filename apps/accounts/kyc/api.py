"""Verification through the API, and the door for the messages of a vendor."""

from __future__ import annotations

import base64
import binascii
from typing import Any, ClassVar, Final

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.kyc import actions, pictures, rules, vendors
from apps.accounts.kyc.models import Verification
from apps.accounts.kyc.presentation import document_json, status_json, verification_json
from apps.core import clock
from apps.core.endpoint import Endpoint
from apps.core.fields import (
    QuerySerializer,
    StrictChoice,
    StrictField,
    StrictSerializer,
    StrictText,
)
from apps.core.openapi import documented

# As base64, with room for the rest of the body.
_UPLOAD_BYTES_MAX: Final = pictures.FILE_BYTES_MAX * 4 // 3 + 4096
_ID = "0b6f7a2c-3d1e-4f50-9a61-7b8c9d0e1f2a"
_DOCUMENT = {
    "id": "5c1d2e3f-4a5b-4c6d-8e7f-901a2b3c4d5e",
    "kind": "identity_front",
    "width": 2400,
    "height": 1600,
    "uploaded_at": "2026-11-22T12:01:00Z",
}
_VERIFICATION: dict[str, Any] = {
    "id": _ID,
    "tier": 2,
    "status": "waiting",
    "submitted_at": "2026-11-22T12:03:00Z",
    "decided_at": None,
    "expires_at": None,
    "reason": "",
    "documents": [_DOCUMENT],
}
_STATUSES = [each.value for each in Verification.Status if each != Verification.Status.PROPOSED]


class Base64File(StrictField):
    """The bytes of a file as base64 text."""

    default_error_messages = {"invalid_file": "Send the file as base64 text."}

    def to_internal_value(self, data: Any) -> bytes:
        try:
            if not isinstance(data, str) or not data:
                raise ValueError
            return base64.b64decode(data, validate=True)
        except (ValueError, binascii.Error):
            self.fail("invalid_file")

    def described(self) -> dict[str, Any]:
        return {"type": "string", "format": "byte", "minLength": 4}


class NeedsOutput(serializers.Serializer[dict[str, object]]):
    tier = serializers.IntegerField()
    details = serializers.ListField(child=serializers.CharField())
    documents = serializers.ListField(child=serializers.CharField())
    optional_documents = serializers.ListField(child=serializers.CharField())


class DocumentOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(rules.DOCUMENT_KINDS)
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    uploaded_at = serializers.DateTimeField()


class VerificationOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField()
    tier = serializers.IntegerField()
    status = serializers.ChoiceField(_STATUSES)
    submitted_at = serializers.DateTimeField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True, help_text="Why it was refused.")
    documents = DocumentOutput(many=True)


class StatusOutput(serializers.Serializer[dict[str, object]]):
    tier = serializers.IntegerField(help_text="0 to 3; limits follow from it.")
    expires_at = serializers.DateTimeField(allow_null=True)
    next = NeedsOutput(allow_null=True, help_text="What the tier takes that you can ask for.")
    verification = VerificationOutput(allow_null=True, help_text="The newest one.")


class BeginInput(StrictSerializer):
    legal_name = StrictText(max_length=rules.NAME_MAX, required=False)
    birth_date = StrictText(max_length=10, required=False, help_text="Like 1990-05-17.")
    country = StrictText(max_length=2, required=False, help_text="ISO 3166-1, two letters.")
    address = StrictText(max_length=rules.TEXT_MAX, required=False)
    source_of_funds = StrictText(max_length=rules.TEXT_MAX, required=False)


class DocumentInput(StrictSerializer):
    kind = StrictChoice(choices=rules.DOCUMENT_KINDS)
    file = Base64File(help_text="JPEG, PNG or WebP, at most 1.9 MB. It is drawn anew.")


class NoInput(StrictSerializer):
    """Nothing."""


class VendorInput(StrictSerializer):
    id = StrictText(max_length=100, help_text="The same message again has no effect.")
    reference = StrictText(max_length=100)
    outcome = StrictChoice(choices=[vendors.APPROVED, vendors.REFUSED])
    reason = StrictText(max_length=actions.REASON_MAX, required=False)


class VendorOutput(serializers.Serializer[dict[str, object]]):
    done = serializers.BooleanField(help_text="False where it was known, or decided, already.")


class StatusView(Endpoint):
    scopes: ClassVar = {"GET": None}

    @documented(
        summary="How well you are known, and what the next tier takes",
        tag="verification",
        query=QuerySerializer,
        answer=StatusOutput,
        example={
            "tier": 1,
            "expires_at": "2029-11-21T12:00:00Z",
            "next": {
                "tier": 2,
                "details": [],
                "documents": ["identity_front", "selfie"],
                "optional_documents": ["identity_back"],
            },
            "verification": _VERIFICATION,
        },
        operation_id="kyc",
    )
    def get(self, request: Request) -> Response:
        self.read_query(QuerySerializer)
        return Response(status_json(viewer=self.person, now=clock.now()))

    @documented(
        summary="Begin your next verification, or say its details anew",
        tag="verification",
        body=BeginInput,
        body_example={"legal_name": "Ada Lovelace", "birth_date": "1990-05-17", "country": "GB"},
        answer=VerificationOutput,
        status=201,
        example={**_VERIFICATION, "status": "open", "submitted_at": None, "documents": []},
        refusals={400: "invalid_details", 409: "verification_waiting", 422: "too_young"},
        operation_id="begin_kyc",
    )
    def post(self, request: Request) -> Response:
        row = actions.begin(actor=self.person, details=self.read_body(BeginInput), now=clock.now())
        return Response(verification_json(row), status=201)


class DocumentsView(Endpoint):
    body_bytes_max: ClassVar[int] = _UPLOAD_BYTES_MAX

    @documented(
        summary="Add a picture to the verification you are filling in",
        description="One of the same kind that is there already is replaced.",
        tag="verification",
        body=DocumentInput,
        body_example={"kind": "identity_front", "file": "/9j/4AAQSkZJRg=="},
        answer=DocumentOutput,
        status=201,
        example=_DOCUMENT,
        refusals={
            400: "invalid_file",
            404: "verification_not_found",
            409: "verification_waiting",
            413: "file_too_large",
            415: "not_a_picture",
            422: "too_many_pixels",
        },
        operation_id="add_kyc_document",
    )
    def post(self, request: Request) -> Response:
        body = self.read_body(DocumentInput)
        document = actions.add_document(
            actor=self.person, kind=body["kind"], data=body["file"], now=clock.now()
        )
        return Response(document_json(document), status=201)


class SubmitView(Endpoint):
    @documented(
        summary="Hand the verification in",
        tag="verification",
        body=NoInput,
        body_example={},
        answer=VerificationOutput,
        example=_VERIFICATION,
        refusals={
            404: "verification_not_found",
            409: "verification_waiting",
            422: "verification_incomplete",
        },
        operation_id="submit_kyc",
    )
    def post(self, request: Request) -> Response:
        self.read_body(NoInput)
        return Response(verification_json(actions.submit(actor=self.person, now=clock.now())))


class VendorView(Endpoint):
    """Nobody signs in here: the message itself is signed."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @documented(
        summary="What the vendor has found",
        description=(
            "For the company that checks documents. `X-Signature` is the HMAC-SHA256, in hex, of "
            "the time in `X-Timestamp` (seconds since 1970), a dot and the body."
        ),
        tag="verification",
        parameters=[
            OpenApiParameter(
                name, OpenApiTypes.STR, OpenApiParameter.HEADER, required=True, description=words
            )
            for name, words in (
                ("X-Timestamp", "When it was signed: at most five minutes ago."),
                ("X-Signature", "64 hexadecimal digits."),
            )
        ],
        body=VendorInput,
        body_example={"id": "evt-81", "reference": _ID, "outcome": "approved"},
        answer=VendorOutput,
        example={"done": True},
        refusals={401: "signature_invalid", 404: "verification_not_found"},
        public=True,
        operation_id="kyc_vendor",
    )
    def post(self, request: Request) -> Response:
        now = clock.now()
        vendors.check_signature(
            body=request._request.body,
            timestamp=request.headers.get("X-Timestamp", ""),
            signature=request.headers.get("X-Signature", ""),
            now=now,
        )
        message = self.read_body(VendorInput)
        done = actions.hear_vendor(
            vendor=settings.KYC_VENDOR,
            message_id=message["id"],
            reference=message["reference"],
            outcome=message["outcome"],
            reason=message.get("reason", ""),
            now=now,
        )
        return Response({"done": done})
