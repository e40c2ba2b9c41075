"""Describes an endpoint for the OpenAPI schema, with an example of everything it can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework import serializers

from apps.core.web import PROBLEM_TYPE

_RATE_HEADERS: Final = [
    OpenApiParameter(
        name, OpenApiTypes.INT, OpenApiParameter.HEADER, response=True, description=words
    )
    for name, words in (
        ("X-RateLimit-Limit", "How many requests fit into the bucket."),
        ("X-RateLimit-Remaining", "How many are left now."),
        ("X-RateLimit-Reset", "In how many seconds the bucket is full again."),
    )
]
_IDEMPOTENCY: Final = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description=(
        "1 to 255 printable characters of your choice. The same key and body give the same answer "
        "for 24 hours, without doing anything again; another body is refused."
    ),
)
IF_NONE_MATCH: Final = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag of the answer that you have; nothing new is answered with 304.",
)

# Codes that stand for a status in the examples, and their words.
_USUAL: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_amount", "quantity: Write the amount as plain digits, for example \"0.25\"."),
    401: ("token_invalid", "The token is not valid, or no longer."),
    403: ("csrf_failed", "The form is too old or came from another site. Load it again."),
    404: ("not_found", "There is nothing here."),
    409: ("idempotency_mismatch", "This Idempotency-Key was used for another request."),
    413: ("body_too_large", "The request body is too large."),
    415: ("unsupported_media_type", "Send JSON: application/json."),
    422: ("insufficient_funds", "Your balance is too small. Nothing was ordered."),
    423: ("address_cooldown", "This address cannot be used yet. Nothing moved."),
    429: ("rate_limited", "Too many requests. Wait a little, then go on more slowly."),
    503: ("engine_unavailable", "Trading is not possible right now. Nothing was ordered."),
}  # fmt: skip


class StrictFields(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Describes our own fields, with the limits that each has."""

    target_class = "apps.core.fields.StrictField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        described: dict[str, Any] = self.target.described()
        return described


class FieldProblem(serializers.Serializer[Any]):
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """A refusal, as RFC 9457 has it. ``code`` is stable; ``detail`` is for people."""

    type = serializers.CharField(default="about:blank")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment]


def documented(
    *,
    summary: str,
    tag: str,
    answer: Any,
    example: Any = None,
    status: int = 200,
    description: str = "",
    body: Any = None,
    body_example: Any = None,
    query: type[serializers.Serializer[Any]] | None = None,
    parameters: Sequence[OpenApiParameter] = (),
    refusals: Mapping[int, str] | None = None,
    public: bool = False,
    idempotent: bool = False,
    operation_id: str | None = None,
    file_type: str = "",
) -> Callable[[Any], Any]:
    """Return the decorator for one method. ``refusals`` are the statuses with their usual code.

    ``file_type`` is the media type of what answers with a file; refusals are JSON even there.
    """
    refused = {429: "rate_limited", 503: "database_unavailable", **(refusals or {})}
    if not public:
        refused = {401: "token_invalid", **refused}
    if query is not None:
        refused = {400: "unknown_parameter", **refused}
    if body is not None:
        refused = {400: "unknown_field", 413: "body_too_large", 415: "unsupported_media_type",
                   **refused}  # fmt: skip
    described: list[Any] = [*_RATE_HEADERS, *parameters]
    if query is not None and query().fields:
        described.append(query)
    if idempotent:
        described.append(_IDEMPOTENCY)
        refused = {409: "idempotency_mismatch", **refused}
    responses: dict[Any, OpenApiResponse] = {
        (status, file_type) if file_type else status: _response(answer, example, status)
    }
    if IF_NONE_MATCH in parameters:
        responses[304] = OpenApiResponse(None, HTTPStatus.NOT_MODIFIED.phrase)
    for code in sorted(refused):
        responses[(code, PROBLEM_TYPE)] = _refusal(code, refused[code])
    examples = [] if body_example is None else [
        OpenApiExample("Request", value=body_example, request_only=True)
    ]  # fmt: skip
    decorator: Callable[[Any], Any] = extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description or summary,
        tags=[tag],
        request=body,
        parameters=described,
        responses=responses,
        examples=examples,
        auth=[] if public else None,
    )
    return decorator


def _response(answer: Any, example: Any, status: int) -> OpenApiResponse:
    examples = [] if example is None else [
        OpenApiExample("Answer", value=example, response_only=True, status_codes=[str(status)])
    ]  # fmt: skip
    return OpenApiResponse(answer, HTTPStatus(status).phrase, examples)


def _refusal(status: int, code: str) -> OpenApiResponse:
    title = HTTPStatus(status).phrase
    usual_code, words = _USUAL[status]
    value = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": words if code == usual_code else title,
    }
    example = OpenApiExample(code, value=value, response_only=True, status_codes=[str(status)])
    return OpenApiResponse(Problem, title, [example])
