"""Ports, order and choice of what runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.local import plan
from apps.local.problems import LocalProblem
from apps.local.server import refuse_busy_port


def test_ports_are_distinct_and_below_what_systems_give_out() -> None:
    for port in range(1024, 32_768):
        three = {port, *plan.server_ports(port)}

        assert len(three) == 3
        assert min(three) >= 1024
        assert max(three) <= 32_767


def test_the_standard_ports() -> None:
    assert plan.server_ports(8000) == (18_000, 24_379)


@pytest.mark.parametrize("other", [8001, 8080, 8100, 8500, 9000, 10_000])
def test_two_copies_on_usual_ports_do_not_meet(other: int) -> None:
    assert not {8000, *plan.server_ports(8000)} & {other, *plan.server_ports(other)}


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_a_port_that_cannot_be_is_refused_in_words(port: int) -> None:
    with pytest.raises(LocalProblem, match=f"from 1 to 65535, not {port}"):
        refuse_busy_port(port, "the site")


@pytest.mark.parametrize("jobs", [[], ["tables"], ["static"], ["tables", "static"]])
@pytest.mark.parametrize("demo", [True, False])
def test_nothing_waits_for_what_does_not_run(jobs: list[str], demo: bool) -> None:
    found = plan.processes(Path("/code"), Path("/run"), jobs=jobs, demo=demo)

    names = [process.name for process in found]
    assert all(set(process.after) <= set(names) for process in found)
    assert [process.name for process in found if process.once] == jobs + ["demo"] * demo
    assert names[-7:] == [
        *("matching-a", "matching-b", "projector", "live", "liquidity", "worker", "web")
    ]


def test_some_can_be_chosen() -> None:
    found = plan.processes(Path("/code"), Path("/run"), jobs=["tables"], demo=True)

    chosen = plan.chosen(found, ["web", "projector"])

    assert [process.name for process in chosen] == ["tables", "projector", "web"]


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    found = plan.processes(Path("/code"), Path("/run"), jobs=[], demo=True)

    with pytest.raises(ValueError, match="no process wbe.*web"):
        plan.chosen(found, ["wbe"])
