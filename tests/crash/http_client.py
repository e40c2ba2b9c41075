"""A person at the API who trusts nobody: each order goes to disk before it goes out.

``python -m tests.crash.http_client NUMBER LOG STOP_FILE PAUSE PORT`` places orders one after the
other. An order without a final answer is sent again, unchanged, until it has one.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any

import django

from tests.crash.client import RETRY_SECONDS, Log

TIMEOUT_SECONDS = 5.0
SWEEP_EVERY = 40
FINAL = range(200, 500)
# These say that nothing has been decided, or only that one has to sign in anew.
NOT_FINAL = (401, 408, 409, 429)


def email(number: int) -> str:
    return f"person{number}@example.com"


class Api:
    """One person's connection. It signs in through the tables, since signing in is not the load."""

    def __init__(self, number: int, port: int) -> None:
        self._number = number
        self._port = port
        self._connection: http.client.HTTPConnection | None = None
        self._access = ""

    def sweep(self) -> None:
        """Take back what waits. Whether that comes through is not of importance."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.ask("/orders?market=BTC-USDT", {}, method="DELETE")

    def ask(
        self, path: str, body: dict[str, Any], *, method: str = "POST"
    ) -> tuple[int, dict[str, Any]]:
        """Return status and answer; raise ``OSError`` or ``HTTPException`` without one."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", self._port, timeout=TIMEOUT_SECONDS
            )
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._access}"}
        try:
            self._connection.request(method, f"/api/v1{path}", json.dumps(body), headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            raise
        if answer.status == 401:
            self._sign_in()
        return answer.status, json.loads(said or b"{}")

    def _sign_in(self) -> None:
        from django.db import Error, close_old_connections

        from apps.accounts.actions import open_sign_in
        from apps.accounts.models import User
        from apps.core import clock

        close_old_connections()
        try:
            person = User.objects.get(email=email(self._number))
            made = open_sign_in(actor=person, client="crash", address="", now=clock.now())
        except Error:
            return
        self._access = made.access


def main(number: int, log_path: Path, stop_file: Path, pause_seconds: float, port: int) -> None:
    django.setup()
    api, log = Api(number, port), Log(log_path)
    count = 0
    while not stop_file.exists():
        count += 1
        order = _order(number, count)
        name = f"web:{order['client_order_id']}"
        log.write({"sent": name})
        asked_at, status, answer = _until_answered(api, order, name, log)
        log.write(
            {
                "told": name,
                "order": answer.get("id"),
                "refused": "" if status in (200, 201) else answer.get("code", str(status)),
                "asked_at": asked_at,
                "at": time.time(),
            }
        )
        if count % SWEEP_EVERY == 0:
            api.sweep()
        time.sleep(pause_seconds)


def _order(number: int, count: int) -> dict[str, Any]:
    """Mostly something that trades at once; every fifth waits, so that the account has orders."""
    order = {
        "market": "BTC-USDT",
        "side": "buy" if (count + number) % 2 else "sell",
        "type": "limit",
        "quantity": f"0.0001{count % 9}",
        "price": "60000.00",
        "time_in_force": "ioc",
        "client_order_id": f"h{number}-{count}",
    }
    if count % 10 == 0:
        far = {"side": "buy", "price": "59000.00", "time_in_force": "gtc"}
        return {**order, **far, "quantity": "0.0004", "display_quantity": "0.0001"}
    if count % 10 == 5:
        del order["price"]
        waits = {"side": "sell", "type": "take_profit", "stop_price": "61000.00"}
        return {**order, **waits, "time_in_force": "gtc"}
    return order


def _until_answered(
    api: Api, order: dict[str, Any], name: str, log: Log
) -> tuple[float, int, dict[str, Any]]:
    while True:
        asked_at = time.time()
        try:
            status, answer = api.ask("/orders", order)
        except (OSError, http.client.HTTPException) as error:
            log.write({"tried": name, "code": type(error).__name__})
        else:
            if status in FINAL and status not in NOT_FINAL:
                return asked_at, status, answer
            if status != 401:
                log.write({"tried": name, "code": answer.get("code"), "status": status})
        time.sleep(RETRY_SECONDS)


if __name__ == "__main__":
    main(
        int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
    )
