"""Failures as answers: the family decides the status, and nothing is given away."""

from __future__ import annotations

import pytest
import redis.exceptions
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions as drf

from apps.core import errors, web


@pytest.mark.parametrize(
    ("family", "status"),
    [
        (errors.Invalid, 400),
        (errors.NotSignedIn, 401),
        (errors.NotAllowed, 403),
        (errors.NotFound, 404),
        (errors.Conflict, 409),
        (errors.Refused, 422),
        (errors.TooMany, 429),
        (errors.Unavailable, 503),
    ],
)
def test_the_family_decides_the_status(family: type[errors.DomainError], status: int) -> None:
    problem = web.describe(family("some_code", "Some words.", asset="BTC"))

    assert problem.status == status
    assert problem.body() == {
        "type": "about:blank",
        "title": problem.title,
        "status": status,
        "code": "some_code",
        "detail": "Some words.",
        "asset": "BTC",
    }


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (drf.ParseError("The body is not UTF-8."), 400, "parse_error"),
        (drf.NotAuthenticated(), 401, "authentication_required"),
        (drf.AuthenticationFailed(), 401, "token_invalid"),
        (drf.PermissionDenied(), 403, "permission_denied"),
        (drf.PermissionDenied("CSRF Failed: CSRF token missing."), 403, "csrf_failed"),
        (drf.NotFound(), 404, "not_found"),
        (drf.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (drf.NotAcceptable(), 406, "not_acceptable"),
        (drf.UnsupportedMediaType("text/xml"), 415, "unsupported_media_type"),
        (drf.Throttled(wait=3), 429, "rate_limited"),
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "permission_denied"),
        (RequestDataTooBig(), 413, "body_too_large"),
        (SuspiciousOperation("Invalid HTTP_HOST header"), 400, "bad_request"),
        (OperationalError("password=secret host=10.0.0.1"), 503, "database_unavailable"),
        (redis.exceptions.ConnectionError("10.0.0.1:6379"), 503, "valkey_unavailable"),
        (redis.exceptions.TimeoutError(), 503, "valkey_unavailable"),
        (ZeroDivisionError("secret"), 500, "internal_error"),
        (None, 500, "internal_error"),
    ],
)
def test_frameworks_failures_have_their_codes(
    failure: Exception | None, status: int, code: str
) -> None:
    problem = web.describe(failure)

    assert (problem.status, problem.code) == (status, code)
    assert "secret" not in str(problem.body())
    assert "10.0.0.1" not in str(problem.body())


def test_who_is_told_to_come_back_is_told_when() -> None:
    assert web.describe(OperationalError()).headers == {"Retry-After": "2"}
    assert web.describe(drf.Throttled(wait=3)).headers == {"Retry-After": "3"}
    busy = errors.Unavailable("engine_busy", "Busy.", retry_after_seconds=5)
    assert web.describe(busy).headers == {"Retry-After": "5"}
    many = errors.TooMany("rate_limited", "Slower.")
    assert web.describe(many).headers == {"Retry-After": "1"}


def test_who_is_not_signed_in_is_told_how() -> None:
    problem = web.describe(errors.NotSignedIn("token_invalid", "No."))

    assert problem.headers == {"WWW-Authenticate": 'Bearer realm="api"'}


def test_wrong_fields_are_all_named_and_the_first_gives_the_code() -> None:
    failure = drf.ValidationError(
        {
            "price": [drf.ErrorDetail("Too fine.", code="precision")],
            "legs": [{}, {"size": [drf.ErrorDetail("This field is required.", code="required")]}],
        }
    )

    body = web.describe(failure).body()

    assert body["code"] == "precision"
    assert body["detail"] == "price: Too fine."
    assert body["errors"] == [
        {"field": "price", "code": "precision", "message": "Too fine."},
        {"field": "legs.1.size", "code": "missing_field", "message": "This field is required."},
    ]


def test_data_of_an_error_never_overrides_the_problem_itself() -> None:
    body = web.describe(errors.Refused("real", "Real words.", status="open", title="fake")).body()

    assert body["status"] == 422
    assert body["code"] == "real"


def test_a_socket_gets_code_message_and_data() -> None:
    frame = web.socket_error(errors.Refused("price_collar", "Too far.", low="1.00"))

    assert frame == {"code": "price_collar", "message": "Too far.", "low": "1.00"}


def test_what_is_closed_on_purpose_is_answered_but_not_noted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    frame = web.socket_error(errors.Paused("trading_halted", "Halted.", retry_after_seconds=10))

    assert frame == {"code": "trading_halted", "message": "Halted.", "retry_after_seconds": 10}
    assert web.describe(errors.Paused("trading_halted", "Halted.")).status == 503
    assert caplog.text == ""
