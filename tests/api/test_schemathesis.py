"""What the schema says holds for whatever is sent, whoever sends it: nobody, people, staff.

Requests are drawn from the schema itself, valid ones and ones that break it, and every answer is
held against it: no failure of ours, no status, type, header or shape that is not described, and
nothing taken that the schema forbids.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.matching.gateway import Gateway
from tests.api.conftest import Person, person_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("markets"), pytest.mark.slow]
SEED: Final = 20261122
# Of each operation and kind of request, and a fifth of that for all but one person, whose answers
# mostly are the same. SCHEMA_EXAMPLES=300 for a release.
EXAMPLES: Final = int(os.environ.get("SCHEMA_EXAMPLES", "10"))
ROLES: Final = ("nobody", "person", "another", "staff")
# Ends the sign-in that all the others need.
LEFT_OUT: Final = ("/api/v1/auth/logout",)


def no_failure(context: Any, response: Any, case: Any) -> None:
    """Only who asks for what is yet to happen is told to come back."""
    if response.status_code >= 500:
        assert (response.status_code, response.json()["code"]) == (503, "not_yet_projected")


CHECKS: Final = [
    no_failure,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture
def operations() -> Iterator[list[Any]]:
    """Every operation of the API, called without a server, on the connection of the test."""
    described: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    schema = schemathesis.openapi.from_dict(described)
    schema.app = get_wsgi_application()
    watched = (signals.request_started, signals.request_finished)
    for signal in watched:
        signal.disconnect(close_old_connections)
    yield [found.ok() for found in schema.get_all_operations() if found.ok().path not in LEFT_OUT]
    for signal in watched:
        signal.connect(close_old_connections)


@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_one_that_the_schema_knows(
    role: str, operations: list[Any], ada: Person, bob: Person, engine_gateway: Gateway,
    settings: Any,
) -> None:  # fmt: skip
    settings.API_BURST = 10**6
    settings.SIGN_IN_RATE_PER_ADDRESS = "1000000/m"
    staff = person_of("staff@example.com")
    staff.user.is_staff = True
    staff.user.save()
    who = {"person": ada, "another": bob, "staff": staff}.get(role)
    headers = {} if who is None else {"Authorization": f"Bearer {who.tokens.access}"}
    examples = EXAMPLES if role == "person" else max(1, EXAMPLES // 5)

    wrong = [
        f"{operation.label}, {mode.value}: {failure}"
        for operation in operations
        for mode in GenerationMode
        for failure in failures_of(operation, mode, headers, examples)
    ]

    assert not wrong, "\n\n".join(wrong)


def failures_of(
    operation: Any, mode: GenerationMode, headers: dict[str, str], examples: int
) -> list[str]:
    """Send what the schema allows, or forbids, and return what was wrong with the answers."""

    @seed(SEED)
    @settings(
        max_examples=examples, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        # Where nothing can be sent, nothing can be wrong with it.
        return []
    except (BaseExceptionGroup, AssertionError) as failure:
        return [str(failure)]
    return []
