"""The base of every API endpoint: rate limits, strict input, cursors, idempotency, cache headers.

An endpoint parses, calls one action or query, and presents. It decides nothing else.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, Final, TypeVar

import redis.exceptions
from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import clock, idempotency, ratelimit, scopes
from apps.core.errors import Invalid, NotSignedIn, TooMany
from apps.core.fields import QueryInteger, QuerySerializer, StrictSerializer, StrictText
from apps.core.parsers import BODY_BYTES_MAX
from apps.core.web import PROBLEM_TYPE, client_address

logger = logging.getLogger(__name__)
Shape = TypeVar("Shape", StrictSerializer, QuerySerializer)

PAGE_LIMIT: Final = 50
PAGE_LIMIT_MAX: Final = 200
# After Valkey was not there, requests go unmetered for a moment instead of waiting for it each.
_PAUSE_SECONDS: Final = 5.0
# How much of what a person may ask one of his API keys may.
_KEY_SHARE: Final = 0.5
_JSON: Final = JSONRenderer()
_TAKES_JSON: Final = ("*/*", _JSON.media_type)
_unmetered_until = 0.0


class Endpoint(APIView):
    """For signed-in callers. Answers are theirs alone, so nothing on the way may keep them."""

    # OPTIONS would describe the endpoint in REST framework's own way; the schema does so better.
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    body_bytes_max: ClassVar[int] = BODY_BYTES_MAX
    cache_control: ClassVar[str] = "no-store"
    # What an API key needs for each method: reading where nothing is said, and for anything else
    # a scope that is named here. None is what no key may do.
    scopes: ClassVar[Mapping[str, str | None]] = {}
    # How many requests one of this method counts for, where that is more than one.
    weights: ClassVar[Mapping[str, int]] = {}
    verdict: ratelimit.Verdict | None = None

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except NotSignedIn:
            # Whoever tries tokens is counted, too.
            self._take(f"address:{client_address(request)}")
            raise

    def check_permissions(self, request: Request) -> None:
        # Before what is refused, so that asking for it is not free.
        person = request.user.pk if request.user.is_authenticated else None
        self._take(f"person:{person}" if person else f"address:{client_address(request)}")
        super().check_permissions(request)
        if isinstance(request.auth, scopes.KeyGrant):
            # A program that runs wild uses up its own share, and leaves its owner the rest.
            self._take(f"key:{request.auth.key_id}", _KEY_SHARE)
            scopes.require(request.auth.scopes, self.scope_of(request.method or ""))

    @classmethod
    def scope_of(cls, method: str) -> str | None:
        """Return the scope that an API key needs for a method."""
        reads = method in ("GET", "HEAD")
        return cls.scopes.get("GET" if reads else method, scopes.READ if reads else None)

    def _take(self, name: str, share: float = 1.0) -> None:
        bucket = ratelimit.Bucket(
            max(1, int(settings.API_BURST * share)), settings.API_PER_SECOND * share
        )
        weight = self.weights.get(self.request.method or "", 1)
        self.verdict = _meter(f"api:{name}", bucket, min(weight, bucket.capacity))
        if self.verdict is not None and not self.verdict.allowed:
            raise TooMany(
                "rate_limited",
                "Too many requests. Wait a little, then go on more slowly.",
                retry_after_seconds=self.verdict.retry_after_seconds,
            )

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        # There is only JSON; who would take anything need not be read closely.
        if request.META.get("HTTP_ACCEPT", "*/*") in _TAKES_JSON and "format" not in request.GET:
            return _JSON, _JSON.media_type
        return super().perform_content_negotiation(request, force)

    @property
    def person(self) -> Any:
        """Who is asking, where the endpoint is not open to nobody."""
        return self.request.user

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.verdict is not None:
            response["X-RateLimit-Limit"] = str(self.verdict.limit)
            response["X-RateLimit-Remaining"] = str(self.verdict.remaining)
            response["X-RateLimit-Reset"] = str(self.verdict.reset_seconds)
        if "Cache-Control" not in response:
            response["Cache-Control"] = self.cache_control
        return response

    def read_body(self, shape: type[StrictSerializer]) -> dict[str, Any]:
        """Return the body, checked against its shape."""
        return dict(_only(shape).run_validation(self.request.data))

    def read_query(self, shape: type[QuerySerializer]) -> dict[str, Any]:
        """Return the query parameters; unknown and repeated ones are refused."""
        given = self.request.query_params
        for name in given:
            if len(given.getlist(name)) > 1:
                raise Invalid("repeated_parameter", f"The parameter {name[:40]} is given twice.")
        return dict(_only(shape).run_validation(given.dict()))

    def run_once(self, work: idempotency.Work) -> Response:
        """Do the work once per Idempotency-Key, where the caller sent one."""
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            status, body = work("")
            return Response(body, status=status)
        answer = idempotency.run_once(
            person_id=self.person.pk,
            key=idempotency.check_key(key),
            asked=idempotency.fingerprint(
                self.request.method or "", self.request.path, self.request.data
            ),
            now=clock.now(),
            work=work,
        )
        response = Response(answer.body, status=answer.status)
        if answer.replayed:
            response["Idempotency-Replayed"] = "true"
            if answer.status >= 400:
                response.content_type = PROBLEM_TYPE
        return response


class FileEndpoint(Endpoint):
    """Answers with a file of one kind, whatever the caller would rather have; refuses in JSON."""

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        return _JSON, _JSON.media_type


def as_file(content: bytes | Iterable[str], file_type: str, name: str) -> HttpResponseBase:
    """Return a response that is kept as a file under the name, and by nobody on the way."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    if isinstance(content, bytes):
        return HttpResponse(content, content_type=file_type, headers=headers)
    return StreamingHttpResponse(content, content_type=file_type, headers=headers)


class PublicEndpoint(Endpoint):
    """For everybody, signed in or not; answers carry an ETag, so that asking again is cheap."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    cache_control = "no-cache"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        if not isinstance(response, Response) or response.status_code != 200:
            return response
        response.render()
        etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
        response["ETag"] = etag
        return get_conditional_response(request, etag=etag, response=response) or response


def seal_cursor(cursor: str | None, scope: str) -> str | None:
    """Return the cursor so that it only works unchanged, and only for this list."""
    return None if cursor is None else signing.Signer(salt=f"cursor {scope}", sep=".").sign(cursor)


def open_cursor(cursor: str | None, scope: str) -> str | None:
    """Return the cursor that was sealed for this list."""
    if cursor is None:
        return None
    try:
        return signing.Signer(salt=f"cursor {scope}", sep=".").unsign(cursor)
    except signing.BadSignature:
        raise Invalid(
            "invalid_cursor", "This cursor did not come from a page of this list."
        ) from None


def page_body(items: list[Mapping[str, object]], cursor: str | None) -> dict[str, object]:
    """Return the body of one page."""
    return {"items": items, "next": cursor}


class PageQuery(QuerySerializer):
    """``limit`` and ``cursor`` of every list."""

    limit = QueryInteger(low=1, cap=PAGE_LIMIT_MAX, code="invalid_limit", default=PAGE_LIMIT)
    cursor = StrictText(max_length=120, required=False)


@cache
def _only(shape: type[Shape]) -> Shape:
    """Return the one serializer of a shape: making its fields takes longer than checking them.

    Checking keeps nothing in it, so that threads can share it; the shapes here must stay so.
    """
    return shape()


def _meter(name: str, bucket: ratelimit.Bucket, cost: int = 1) -> ratelimit.Verdict | None:
    """Take tokens; None where Valkey cannot count: reading must not depend on it."""
    global _unmetered_until
    if time.monotonic() < _unmetered_until:
        return None
    try:
        return ratelimit.take(name, bucket, cost)
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
        _unmetered_until = time.monotonic() + _PAUSE_SECONDS
        logger.warning("Valkey cannot be reached: requests go unmetered.")
        return None
