"""`manage.py up` as a person runs it: from nothing to a site, and again from what was kept."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import psutil
import pytest

from apps.local.plan import server_ports
from apps.local.problems import PortBusy
from apps.local.server import refuse_busy_port

pytestmark = [pytest.mark.crash, pytest.mark.slow]

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 240.0


class Copy:
    """One running copy of the whole of SUM+1."""

    def __init__(self, port: int, folder: Path, static_root: Path, *arguments: str) -> None:
        self.port = port
        self.folder = folder
        self.environment = _environment(port, folder, static_root)
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while f"Ready: http://127.0.0.1:{self.port}" not in self.said:
            assert self.process.poll() is None, "\n".join(self.said)
            assert time.monotonic() < deadline, "\n".join(self.said)
            time.sleep(0.1)

    def get(self, path: str, token: str = "") -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._ask("GET", path, None, headers)

    def post(self, path: str, body: object, token: str = "") -> tuple[int, dict[str, object]]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": os.urandom(8).hex()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        status, answer = self._ask("POST", path, json.dumps(body), headers)
        return status, json.loads(answer)

    def sign_in(self, email: str) -> str:
        status, answer = self.post(
            "/api/v1/auth/token", {"email": email, "password": "sum1-demo-password"}
        )
        assert status == 200, answer
        return str(answer["access"])

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.exit_code()

    def exit_code(self) -> int:
        code = self.process.wait(60)
        self._reader.join(10)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.exit_code()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _ask(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip())


Start = Callable[..., Copy]


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    """A port whose two companions are free as well."""
    while True:
        port = free_port()
        try:
            for companion in server_ports(port):
                refuse_busy_port(companion, "a test")
        except PortBusy:
            continue
        return port


@pytest.fixture(scope="module")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Collected by the first start, found unchanged by all others."""
    return tmp_path_factory.mktemp("collected") / "static"


@pytest.fixture
def start(port: int, server_folder: Path, static_root: Path) -> Iterator[Start]:
    begun: list[Copy] = []

    def start(*arguments: str) -> Copy:
        copy = Copy(port, server_folder / "data", static_root, *arguments)
        begun.append(copy)
        return copy

    yield start
    for copy in begun:
        copy.close()


def test_from_nothing_to_a_site_and_again_from_what_was_kept(start: Start) -> None:
    first = start()
    first.wait_until_ready()

    token = first.sign_in("trader1@example.com")
    assert _total(first, token) == {"USDT": "100000", "BTC": "1", "ETH": "10"}
    status, order = first.post("/api/v1/orders", _resting_order(first), token)
    assert (status, order["status"]) == (201, "open"), order
    for path in ("/", "/markets", "/trade/BTC-USDT", "/accounts/login/", "/healthz", "/readyz"):
        assert first.get(path)[0] == 200, path
    family = first.family()
    assert first.stop() == 0
    assert first.said[-1] == "Stopped."
    assert psutil.wait_procs(family, timeout=5)[1] == []

    second = start()
    second.wait_until_ready()

    token = second.sign_in("trader1@example.com")
    assert _total(second, token) == {"USDT": "100000", "BTC": "1", "ETH": "10"}
    status, answer = second.get(f"/api/v1/orders/{order['id']}", token)
    assert (status, json.loads(answer)["status"]) == (200, "open")
    # Nothing had changed, so nothing was prepared again.
    assert [line for line in second.said if "Tables" in line or "Static files" in line] == []
    assert "secret" not in " ".join(second.said)
    _verify(second)
    assert second.stop(signal.SIGTERM) == 0


def test_a_copy_that_was_killed_starts_again_and_lost_nothing(start: Start) -> None:
    first = start()
    first.wait_until_ready()
    token = first.sign_in("trader2@example.com")
    status, order = first.post("/api/v1/orders", _resting_order(first), token)
    assert status == 201, order
    family = first.family()

    first.stop(signal.SIGKILL)
    second = start()
    second.wait_until_ready()

    assert [process for process in family if process.is_running()] == []
    token = second.sign_in("trader2@example.com")
    status, answer = second.get(f"/api/v1/orders/{order['id']}", token)
    assert (status, json.loads(answer)["status"]) == (200, "open")
    assert second.stop() == 0


def test_a_busy_port_is_named_and_nothing_starts(start: Start, port: int) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()

        copy = start()

        assert copy.exit_code() == 1
    assert re.search(f"Port {port}, needed for the site, is busy", "\n".join(copy.said))
    assert not (copy.folder / "postgres").exists()


def test_somebody_elses_folder_is_refused(start: Start, server_folder: Path) -> None:
    (server_folder / "data").mkdir()
    (server_folder / "data" / "letter.txt").write_text("Dear")

    copy = start()

    assert copy.exit_code() == 1
    assert "is not empty and is not a data folder of SUM+1" in "\n".join(copy.said)
    assert [path.name for path in copy.folder.iterdir()] == ["letter.txt"]


def test_an_unknown_process_is_named(start: Start) -> None:
    copy = start("--only", "wbe")

    assert copy.exit_code() == 1
    assert "There is no process wbe." in "\n".join(copy.said)


def _environment(port: int, folder: Path, static_root: Path) -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PORT": str(port),
        "DATA_DIR": str(folder),
        "STATIC_ROOT": str(static_root),
        "DEMO_HISTORY_DAYS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _resting_order(copy: Copy) -> dict[str, str]:
    """Far enough below the market to rest, near enough for its price band."""
    _, answer = copy.get("/api/v1/markets/ETH-USDT/ticker")
    last = json.loads(answer)["last"]
    price = int(float(last)) * 95 // 100 if last else 2000
    return {
        "market": "ETH-USDT",
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "quantity": "0.5",
        "price": str(price),
        "client_order_id": os.urandom(8).hex(),
    }


def _total(copy: Copy, token: str) -> dict[str, str]:
    status, answer = copy.get("/api/v1/balances", token)
    assert status == 200, answer
    rows = json.loads(answer)["items"]
    return {row["asset"]: f"{Decimal(row['total']).normalize():f}" for row in rows}


def _verify(copy: Copy) -> None:
    """`manage.py verify` in another terminal finds the running copy by its folder alone."""
    environment = {name: text for name, text in copy.environment.items() if name != "PORT"}
    verified = subprocess.run(
        [sys.executable, "manage.py", "verify"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
