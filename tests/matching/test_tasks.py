"""How a matching process ends: in one plain line where it was replaced, else with everything."""

from __future__ import annotations

import logging

import psycopg
import pytest

from apps.matching import tasks
from apps.matching.lease import LeaseLost


class Ended(BaseException):
    """Stands for the end of the process."""


def _end(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the exit code of a process whose host failed like this."""

    def run(stop: object) -> None:
        raise failure

    def leave(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(tasks.host, "run", run)
    monkeypatch.setattr(tasks.os, "_exit", leave)
    with pytest.raises(Ended) as ended:
        tasks.ensure()
    code: int = ended.value.args[0]
    return code


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (LeaseLost("Epoch 7 has ended."), "Epoch 7 has ended"),
        (
            psycopg.errors.AdminShutdown(
                "terminating connection due to administrator command\nserver closed it"
            ),
            "terminating connection due to administrator command server closed it",
        ),
    ],
    ids=["the lease", "the session"],
)
def test_a_writer_that_was_replaced_says_so_in_one_line(
    failure: Exception,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert _end(failure, monkeypatch) == 70

    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)
    assert record.getMessage() == (
        f"This process no longer writes ({reason}). It ends; what it had not committed never"
        " happened. Another leads, and this one stands by when it is started again."
    )


def test_anything_else_is_told_in_full(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert _end(ZeroDivisionError("a bug"), monkeypatch) == 70

    (record,) = caplog.records
    assert record.levelno == logging.CRITICAL
    assert record.exc_info is not None
