"""`manage.py serve`: the web process."""

from __future__ import annotations

import gc
import socket
from typing import Any

from channels.routing import get_default_application
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import get_resolver

from apps.core.realtime.server import build_server


class Command(BaseCommand):
    help = "Serve pages, the API and live data on one port. Ctrl-C or SIGTERM stops it cleanly."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Loopback unless told otherwise.")
        parser.add_argument("--port", type=int, default=settings.PORT)

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        # Bound here and not by uvicorn, so that a busy port is a clear message, not a traceback.
        listener = listen(host, port)
        server = build_server(get_default_application(), host=host, port=port)
        settle()
        self.stdout.write(f"Serving http://{host}:{port}")
        server.run(sockets=[listener])
        if not server.started:
            raise CommandError("The web server did not start.")


def settle() -> None:
    """Load what requests need before the first one comes, and have it collected never again.

    Going through all of it once more stops every request for a tenth of a second.
    """
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the port, or say why that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named; with it, the body of every
    # answer on a kept connection waits for the reader's acknowledgement of its head: 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CommandError(f"Port {port} on {host} cannot be used: {error.strerror}.") from error
    return listener
