"""Turns every failure into an answer, once for all faces: API, HTML pages and WebSocket frames.

A failure becomes a ``Problem``; the faces only choose its clothes. No answer holds a stack trace,
SQL or a setting; what nobody foresaw is logged and answered as ``internal_error``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import redis.exceptions
from django import db
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core import exceptions as django_errors
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponsePermanentRedirect,
    JsonResponse,
)
from django.template.loader import render_to_string
from django.urls import is_valid_path
from rest_framework import exceptions as drf
from rest_framework.response import Response

from apps.core import errors, logs

logger = logging.getLogger(__name__)

PROBLEM_TYPE: Final = "application/problem+json"
BEARER: Final = 'Bearer realm="api"'
RETRY_AFTER_SECONDS: Final = 2
JSON_PATHS: Final = ("/api/", "/healthz", "/readyz")

FAMILY_STATUS: Final[Mapping[type[errors.DomainError], int]] = {
    errors.Invalid: 400,
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.Unsupported: 415,
    errors.Refused: 422,
    errors.Locked: 423,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}

# Django's and REST framework's own refusals: type, status, code, words.
_KNOWN: Final[tuple[tuple[type[Exception], int, str, str], ...]] = (
    (Http404, 404, "not_found", "There is nothing here."),
    (django_errors.PermissionDenied, 403, "permission_denied", "You may not do this."),
    (django_errors.RequestDataTooBig, 413, "body_too_large", "The request body is too large."),
    (django_errors.BadRequest, 400, "bad_request", "The request is malformed."),
    (django_errors.SuspiciousOperation, 400, "bad_request", "The request is malformed."),
    (db.OperationalError, 503, "database_unavailable", "The database cannot be reached now."),
    (db.InterfaceError, 503, "database_unavailable", "The database cannot be reached now."),
    (redis.exceptions.ConnectionError, 503, "valkey_unavailable", "Valkey cannot be reached now."),
    (redis.exceptions.TimeoutError, 503, "valkey_unavailable", "Valkey cannot be reached now."),
    (drf.ParseError, 400, "parse_error", "The request body cannot be read."),
    (drf.NotAuthenticated, 401, "authentication_required", "Sign in, or send a token."),
    (drf.AuthenticationFailed, 401, "token_invalid", "The token is not valid, or no longer."),
    (drf.PermissionDenied, 403, "permission_denied", "You may not do this."),
    (drf.NotFound, 404, "not_found", "There is nothing here."),
    (drf.MethodNotAllowed, 405, "method_not_allowed", "This method is not possible here."),
    (drf.NotAcceptable, 406, "not_acceptable", "Only JSON can be sent from here."),
    (drf.UnsupportedMediaType, 415, "unsupported_media_type", "Send JSON: application/json."),
)  # fmt: skip
_INTERNAL: Final = "Something went wrong on our side. It has been noted."


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure as it is told to the outside."""

    status: int
    code: str
    detail: str
    data: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase

    def body(self) -> dict[str, object]:
        """Return the members of an RFC 9457 problem; extra data never overrides them."""
        return {
            **self.data,
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }


def describe(failure: BaseException | None) -> Problem:
    """Say what happened, without giving anything away."""
    if isinstance(failure, errors.DomainError):
        return _describe_domain(failure)
    if isinstance(failure, drf.ValidationError):
        return _describe_validation(failure)
    if isinstance(failure, drf.Throttled):
        wait_seconds = max(1, int(getattr(failure, "wait", None) or 1))
        return _problem(429, "rate_limited", "Too many requests.", retry_after=wait_seconds)
    for known, status, code, words in _KNOWN:
        if isinstance(failure, known):
            return _problem(status, *_refine(failure, code, words), headers=_headers_of(failure))
    if isinstance(failure, drf.APIException):
        return _problem(failure.status_code, "request_refused", "The request was refused.")
    return _problem(500, "internal_error", _INTERNAL)


def _problem(
    status: int,
    code: str,
    detail: str,
    *,
    data: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    retry_after: int | None = None,
) -> Problem:
    if retry_after is None and status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = RETRY_AFTER_SECONDS
    extra = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Problem(status, code, detail, data or {}, {**(headers or {}), **extra})


def _describe_domain(failure: errors.DomainError) -> Problem:
    status = next(
        (FAMILY_STATUS[family] for family in type(failure).__mro__ if family in FAMILY_STATUS),
        500,
    )
    wait = failure.data.get("retry_after_seconds")
    if wait is None and isinstance(failure, errors.TooMany):
        wait = 1
    return _problem(
        status,
        failure.code,
        failure.message,
        data={name: _plain(value) for name, value in failure.data.items()},
        headers={"WWW-Authenticate": BEARER} if status == HTTPStatus.UNAUTHORIZED else None,
        retry_after=max(1, int(wait)) if isinstance(wait, int | float) else None,
    )


def _plain(value: object) -> object:
    """Return the value as JSON can hold it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)


def _describe_validation(failure: drf.ValidationError) -> Problem:
    """The first wrong field gives the code; all of them are listed."""
    found = list(_wrong_fields(failure.detail, ""))
    first = found[0] if found else {"field": "", "code": "invalid", "message": "Invalid."}
    where = f"{first['field']}: " if first["field"] else ""
    return _problem(400, first["code"], f"{where}{first['message']}", data={"errors": found})


def _wrong_fields(detail: Any, path: str) -> list[dict[str, str]]:
    if isinstance(detail, Mapping):
        found = []
        for name, inner in detail.items():
            inside = path if name == "non_field_errors" else f"{path}.{name}".lstrip(".")
            found.extend(_wrong_fields(inner, inside))
        return found
    if isinstance(detail, list):
        found = []
        for index, inner in enumerate(detail):
            inside = path if isinstance(inner, str) else f"{path}.{index}".lstrip(".")
            found.extend(_wrong_fields(inner, inside))
        return found
    return [{"field": path, "code": _field_code(detail), "message": str(detail)}]


def _field_code(detail: Any) -> str:
    code = getattr(detail, "code", "invalid")
    return {"required": "missing_field", "null": "missing_field"}.get(code, code)


def _refine(failure: BaseException, code: str, words: str) -> tuple[str, str]:
    """Say it more exactly where the framework's own error does."""
    detail = str(getattr(failure, "detail", ""))
    if isinstance(failure, drf.PermissionDenied) and detail.startswith("CSRF"):
        return (
            "csrf_failed",
            "The form is too old or came from another site. Load it again.",
        )
    if isinstance(failure, drf.ParseError):
        return code, detail
    return code, words


def _headers_of(failure: BaseException) -> dict[str, str]:
    challenge = getattr(failure, "auth_header", None)
    return {"WWW-Authenticate": challenge} if challenge else {}


def _log(
    problem: Problem, failure: BaseException | None, request: HttpRequest | None = None
) -> None:
    """Say what is wrong on our side in one line; Django says nothing of this request any more."""
    where = ""
    if request is not None:
        logs.mark_as_told(request)
        where = f" {request.path}"
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("An unforeseen failure%s", where, exc_info=failure)
    elif problem.status == HTTPStatus.SERVICE_UNAVAILABLE and not isinstance(
        failure, errors.Paused
    ):
        logger.warning("Unavailable: %s (%s)%s", problem.code, type(failure).__name__, where)


def api_exception_handler(failure: Exception, context: Mapping[str, Any]) -> Response:
    """REST framework's exception handler."""
    problem = describe(failure)
    _log(problem, failure, context["request"]._request)
    response = Response(problem.body(), status=problem.status, headers=dict(problem.headers))
    response.content_type = PROBLEM_TYPE
    response["Cache-Control"] = "no-store"
    return response


def socket_error(failure: Exception) -> dict[str, object]:
    """Return the members of a WebSocket error frame; the caller adds id and topic."""
    problem = describe(failure)
    _log(problem, failure)
    return {**problem.data, "code": problem.code, "message": problem.detail}


def answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Answer outside REST framework: JSON under the API's paths, a page elsewhere."""
    if request.path.startswith(JSON_PATHS):
        response: HttpResponse = JsonResponse(
            problem.body(), status=problem.status, content_type=PROBLEM_TYPE
        )
    else:
        response = HttpResponse(_page(request, problem), status=problem.status)
    for name, value in problem.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    return response


def _page(request: HttpRequest, problem: Problem) -> str:
    name = {404: "404.html", 500: "500.html"}.get(problem.status, "error.html")
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # The page of a failure must not need what has just failed.
        request.user = AnonymousUser()
    try:
        return render_to_string(name, {"problem": problem}, request)
    except Exception:
        logger.exception("The page %s cannot be rendered", name)
        return (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{problem.title}</title>"
            f"<h1>{problem.title}</h1><p>The request could not be answered.</p></html>"
        )


class ProblemPages:
    """Middleware: a domain error or a missing service in a view becomes a page, not a crash.

    So does a method that a view does not take, which Django answers with nothing at all.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed):
            refused = describe(drf.MethodNotAllowed(request.method or ""))
            told = answer(request, refused)
            told["Allow"] = response["Allow"]
            return told
        return response

    def process_exception(self, request: HttpRequest, failure: Exception) -> HttpResponse | None:
        problem = describe(failure)
        if isinstance(failure, errors.DomainError) or problem.status == 503:
            _log(problem, failure, request)
            return answer(request, problem)
        return None


class PrivateAnswers:
    """Middleware: what was made for somebody's session is kept by nothing on its way.

    Only answers that looked at the session are theirs; the others cost no query here either.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        theirs = request.session.accessed and not request.session.is_empty()
        # Other pages show prices, and are asked for anew each time.
        response.headers.setdefault("Cache-Control", "no-store" if theirs else "no-cache")
        return response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler400."""
    return answer(request, describe(exception or django_errors.BadRequest()))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler403."""
    return answer(request, describe(exception or django_errors.PermissionDenied()))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    return answer(request, describe(drf.PermissionDenied(f"CSRF Failed: {reason}")))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler404. A page asked for with a slash too many is where it is without it."""
    path = request.path_info.removesuffix("/")
    # Where a view was found and had nothing to show, another address would not have it either.
    is_nowhere = request.resolver_match is None and request.method in ("GET", "HEAD")
    if is_nowhere and path != request.path_info and is_valid_path(path):
        query = request.META.get("QUERY_STRING", "")
        return HttpResponsePermanentRedirect(f"{path}?{query}" if query else path)
    return answer(request, describe(exception or Http404()))


def too_many(request: HttpRequest) -> HttpResponse:
    """What allauth shows when one of its limits is reached."""
    return answer(
        request,
        describe(
            errors.TooMany("rate_limited", "Too many attempts. Wait a little, then try again.")
        ),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500; a service that is down on the way to a view ends here too."""
    problem = describe(sys.exc_info()[1])
    return answer(request, problem)


def client_address(request: HttpRequest) -> str:
    """Return the address of the caller; forwarded ones count only behind our own proxies."""
    proxies: int = settings.TRUSTED_PROXY_COUNT
    if proxies:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(forwarded) >= proxies and forwarded[-proxies].strip():
            return str(forwarded[-proxies].strip())
    return str(request.META.get("REMOTE_ADDR") or "unknown")
