"""Production refuses to guess, and every page carries the headers that keep it safe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

REPOSITORY = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.prod",
    "SECRET_KEY": "q8" * 30,
    "FIELD_KEYS": "A" * 43,
    "ALLOWED_HOSTS": "sum1.example",
    "DATABASE_URL": "postgresql://sum1:secret@db.example:5432/sum1?sslmode=require",
    "REDIS_URL": "rediss://:secret@valkey.example:6379/0",
    "PATH": "/usr/bin:/bin",
}


def test_the_deployment_check_is_clean() -> None:
    script = (
        "import secrets, sys, os\n"
        "os.environ['SECRET_KEY'] = secrets.token_urlsafe(50)\n"
        "from django.core.management import execute_from_command_line\n"
        "execute_from_command_line(['manage.py', 'check', '--deploy', '--fail-level', 'WARNING'])\n"
    )

    checked = _run(["-c", script], PRODUCTION)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "FIELD_KEYS", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL"]
)
def test_production_refuses_to_start_without(name: str) -> None:
    environment = {key: value for key, value in PRODUCTION.items() if key != name}

    checked = _run(["manage.py", "check"], environment)

    assert checked.returncode != 0
    assert f"The environment variable {name} must be set." in checked.stderr


def test_production_refuses_field_keys_that_are_none_and_does_not_repeat_them() -> None:
    checked = _run(["manage.py", "check"], PRODUCTION | {"FIELD_KEYS": "A" * 43 + ",hunter2"})

    assert checked.returncode != 0
    assert "FIELD_KEYS must be keys of 32 bytes" in checked.stderr
    assert "hunter2" not in checked.stderr


def test_a_wrong_number_is_told_in_one_line() -> None:
    checked = _run(["manage.py", "up"], {"PATH": "/usr/bin:/bin", "PORT": "abc"})

    assert checked.returncode == 1
    assert checked.stderr == "PORT must be a whole number, not 'abc'.\n"


def test_production_is_no_demo_and_shows_no_debug_pages() -> None:
    script = "from django.conf import settings; print(settings.DEMO, settings.DEBUG)"

    asked = _run(["-c", script], PRODUCTION | {"DEBUG": "1"})

    assert asked.stdout.split() == ["False", "False"]


def test_no_process_can_be_asked_to_die_in_production() -> None:
    script = "from django.conf import settings; print(repr(settings.FAILPOINTS))"

    asked = _run(["-c", script], PRODUCTION | {"FAILPOINTS": "/tmp/anybody"})

    assert asked.stdout.split() == ["''"]


def test_the_database_address_is_taken_apart() -> None:
    script = (
        "from django.conf import settings; d = settings.DATABASES['default']\n"
        "print(d['HOST'], d['PORT'], d['NAME'], d['USER'], d['PASSWORD'], d['OPTIONS']['sslmode'])"
    )

    asked = _run(["-c", script], PRODUCTION)

    assert asked.stdout.split() == ["db.example", "5432", "sum1", "sum1", "secret", "require"]


def test_a_number_that_is_none_is_named() -> None:
    checked = _run(["manage.py", "check"], PRODUCTION | {"PORT": "eighty"})

    assert "PORT must be a whole number, not 'eighty'." in checked.stderr


@pytest.mark.django_db
def test_pages_carry_a_strict_policy(client: Client) -> None:
    response = client.get("/accounts/login/")

    policy = _policy(response.headers["Content-Security-Policy"])
    assert policy["default-src"] == ["'self'"]
    assert policy["script-src"][0] == "'self'"
    assert policy["object-src"] == ["'none'"]
    assert policy["base-uri"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'"} & {each for p in policy.values() for each in p}
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.django_db
def test_only_the_admin_may_evaluate_expressions(client: Client) -> None:
    response = client.get("/admin/login/")

    policy = _policy(response.headers["Content-Security-Policy"])
    assert policy["script-src"] == ["'self'", "'unsafe-eval'", "'unsafe-inline'"]
    assert policy["default-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]


def _policy(header: str) -> dict[str, list[str]]:
    return {words[0]: words[1:] for part in header.split(";") if (words := part.split())}


def _run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
