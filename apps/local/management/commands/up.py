"""`manage.py up`: everything on this machine under one supervisor, on one port."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from apps.core import crypto
from apps.local import plan, preparation
from apps.local.demo import DEMO_EMAILS, DEMO_PASSWORD
from apps.local.folder import DataFolder
from apps.local.guard import Guard
from apps.local.output import Terminal
from apps.local.postgres import Postgres
from apps.local.problems import LocalProblem, StartFailed
from apps.local.server import refuse_busy_port
from apps.local.supervisor import Embedded, Supervisor, supervise
from apps.local.valkey import Valkey


class Command(BaseCommand):
    help = "Start SUM+1 with its own PostgreSQL and Valkey, and keep it running until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--only", default="", help="Start these processes only: web,projector")
        parser.add_argument("--verbose", action="store_true", help="Show everything they say.")

    def handle(self, *args: Any, **options: Any) -> None:
        only = [name for name in options["only"].split(",") if name]
        try:
            code = up(only=only, verbose=options["verbose"])
        except (LocalProblem, ValueError) as problem:
            self.stderr.write(str(problem))
            code = 1
        raise SystemExit(code)


def up(*, only: list[str], verbose: bool) -> int:
    """Run until told to stop; return the exit code."""
    port = settings.UP_PORT
    _refuse_missing_captures()
    folder = DataFolder(settings.DATA_DIR)
    folder.open()
    guard = Guard(keep_open=(folder.lock_descriptor,))
    try:
        refuse_busy_port(port, "the site")
        servers = _servers(folder, port, guard)
        environment = _environment(folder, port, servers)
        folder.tell_others({name: environment[name] for name in _TOLD})
        own_database = any(server.name == "postgres" for server in servers)
        jobs = preparation.pending(folder, own_database=own_database)
        processes = plan.chosen(
            plan.processes(settings.BASE_DIR, folder.run, jobs=list(jobs), demo=settings.DEMO),
            only,
        )
        terminal = Terminal([process.name for process in processes], verbose=verbose)
        terminal.say(f"SUM+1 is starting. Everything it keeps is in {folder.path}")
        supervisor = Supervisor(
            folder=folder,
            base_dir=settings.BASE_DIR,
            servers=servers,
            processes=processes,
            environment=environment,
            port=port,
            terminal=terminal,
            guard=guard,
            on_job_done=lambda job: _note(folder, job, jobs),
            farewell=_farewell() if settings.DEMO else "",
        )
        return supervise(supervisor, terminal)
    finally:
        guard.close()
        folder.close()


_TOLD = ("DATABASE_URL", "REDIS_URL", "KEY_PREFIX", "SECRET_KEY", "FIELD_KEYS", "PORT")


def _servers(folder: DataFolder, port: int, guard: Guard) -> list[Embedded]:
    """Return the servers that nobody gave us, and check those that somebody did."""
    postgres_port, valkey_port = plan.server_ports(port)
    servers = []
    if settings.UP_DATABASE_URL is None:
        postgres = Postgres(
            folder.path / "postgres",
            postgres_port,
            log_path=folder.logs / "postgres.log",
            guard=guard,
        )
        servers.append(Embedded("postgres", f"PostgreSQL on port {postgres_port}", postgres))
    else:
        _refuse_silent_database(settings.UP_DATABASE_URL)
    if settings.UP_REDIS_URL is None:
        valkey = Valkey(
            folder.path / "valkey", valkey_port, log_path=folder.logs / "valkey.log", guard=guard
        )
        servers.append(Embedded("valkey", f"Valkey on port {valkey_port}", valkey))
    else:
        _refuse_silent_valkey(settings.UP_REDIS_URL)
    return servers


def _environment(folder: DataFolder, port: int, servers: list[Embedded]) -> dict[str, str]:
    own = {server.name: server.server.url() for server in servers}
    return {
        **settings.UP_ENVIRONMENT,
        "DJANGO_SETTINGS_MODULE": "config.settings.dev",
        "DATA_DIR": str(folder.path),
        "DATABASE_URL": own.get("postgres") or str(settings.UP_DATABASE_URL),
        "REDIS_URL": own.get("valkey") or str(settings.UP_REDIS_URL),
        "KEY_PREFIX": settings.KEY_PREFIX,
        "SECRET_KEY": settings.UP_ENVIRONMENT.get("SECRET_KEY") or folder.secret("django"),
        "FIELD_KEYS": settings.UP_ENVIRONMENT.get("FIELD_KEYS")
        or folder.secret("field-key", size_bytes=crypto.KEY_BYTES),
        "PORT": str(port),
        "DEMO": "1" if settings.DEMO else "0",
        "PYTHONUNBUFFERED": "1",
    }


def _note(folder: DataFolder, job: str, stamps: Mapping[str, str]) -> None:
    if job in stamps:
        preparation.note(folder, job, stamps[job])


def _refuse_missing_captures() -> None:
    for path in settings.REPLAY:
        if not Path(path).is_file():
            raise LocalProblem(f"REPLAY names a file that is not there: {path}")


def _refuse_silent_database(url: str) -> None:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as error:
        raise StartFailed(f"The database of DATABASE_URL does not answer: {error}") from None


def _refuse_silent_valkey(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise StartFailed(f"The server of REDIS_URL does not answer: {error}") from None


def _farewell() -> str:
    people = "\n".join(f"  {email}" for email in DEMO_EMAILS)
    return f"Sign in as one of these, with the password {DEMO_PASSWORD}\n{people}"
