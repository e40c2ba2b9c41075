"""Kills whatever runs, again and again, under load; the clients' own logs are the oracle.

``python -m tests.crash.campaign [KILLS] [SEED]``, or ``make crash``. A seed draws the same victims
in the same order; when they die, and in the middle of what, is chance, and that is the point.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import psycopg

from apps.local.problems import PortBusy
from apps.local.server import refuse_busy_port
from tests.crash import damage
from tests.crash.faults import FAULTS, KILLS, make_failpoints
from tests.crash.load import Load, duty, engine_clients, http_clients
from tests.crash.world import World

CLIENTS: Final = 3
PEOPLE: Final = 2
SOCKETS: Final = 100
# Together about 150 commands a second from the clients and 20 orders through the API.
ENGINE_PAUSE: Final = "0.015"
HTTP_PAUSE: Final = "0.08"
KILLS_USUAL: Final = 200
DAMAGES_USUAL: Final = 10
# Nothing is judged by it: whoever has not come back by then hangs, however busy the machine is.
RECOVERY_SECONDS_MAX: Final = 180.0
QUIET_SECONDS: Final = (0.05, 0.6)
PORTS: Final = range(20_200, 23_900)
# What the oracle may not find.
NEVER: Final = ("lost", "doubled", "changed", "strangers", "ended_twice")


def plan(kills: int, seed: int) -> list[str]:
    """Which victims die in which order: as often as their share, faults in between."""
    draw = random.Random(seed)
    order = [
        name
        for name, (count, _, _) in [*KILLS.items(), *FAULTS.items()]
        for _ in range(max(1, count * kills // KILLS_USUAL))
    ]
    draw.shuffle(order)
    return order


class Campaign:
    """One copy, its load, and how long it took to recover from what."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.world = World(folder, *_free_ports(2))
        self.web_port = _free_ports(1)[0]
        self.recoveries: defaultdict[str, list[float]] = defaultdict(list)
        self._draw = random.Random(seed)

    def open(self) -> Load:
        """Start everything; nothing has been killed yet."""
        world = self.world
        world.more = {
            "FAILPOINTS": make_failpoints(self.folder),
            "LIVE_SOCKETS_PER_ADDRESS": str(2 * SOCKETS),
            "DEMO": "1",
        }
        (self.folder / "data" / "static").mkdir(parents=True)
        world.start()
        opened = world.run("tests.crash.opening", str(CLIENTS), str(PEOPLE))
        assert opened.returncode == 0, opened.stderr + world.tail_of_logs()
        world.keep("web", "manage.py", "serve", "--port", str(self.web_port))
        world.keep("live", "manage.py", "publish_live")
        world.keep_background()
        load = Load(
            world,
            [
                *engine_clients(CLIENTS, ENGINE_PAUSE),
                *http_clients(PEOPLE, HTTP_PAUSE, str(self.web_port)),
                *duty(),
            ],
        )
        stop_file, report = self.folder / "stop-sockets", self.folder / "sockets.json"
        world.keep(
            "sockets", "-m", "tests.crash.sockets",
            str(SOCKETS), str(PEOPLE), str(report), str(stop_file), str(self.web_port),
        )  # fmt: skip
        load.make_progress(20)
        return load

    def strike(self, name: str, load: Load) -> float:
        """Do one thing to it and wait until it works again; return how long that took."""
        time.sleep(self._draw.uniform(*QUIET_SECONDS))
        _, strike, witness = (KILLS | FAULTS)[name]
        struck_at = strike(self.world, load)
        seconds = self._recovered(struck_at, witness, load)
        self.recoveries[name].append(seconds)
        load.make_progress(2)
        return seconds

    def _recovered(self, struck_at: float, witness: str, load: Load) -> float:
        give_up_at = time.time() + RECOVERY_SECONDS_MAX
        goal = self._offset("matching_lease", "last_seq") if witness == "projector" else 0
        while time.time() < give_up_at:
            if witness == "projector":
                if self._offset("matching_projection_offset", "seq") > goal:
                    return time.time() - struck_at
            else:
                found = load.first_answer_after(struck_at, witness)
                if found is not None:
                    return found
            time.sleep(0.02)
        raise AssertionError(f"no recovery within {RECOVERY_SECONDS_MAX:g} s")

    def _offset(self, table: str, column: str) -> int:
        with psycopg.connect(self.world.postgres.url()) as connection:
            found = connection.execute(f"SELECT {column} FROM {table}").fetchone()
        return 0 if found is None else int(found[0])

    def judge(self, load: Load) -> dict[str, Any]:
        """Stop the load and compare everything with everything."""
        load.stop()
        sockets = self._sockets()
        said = self.world.run("tests.crash.oracle", *map(str, load.logs))
        assert said.returncode == 0, said.stderr
        found: dict[str, Any] = json.loads(said.stdout)
        found["duties"] = self._duties(load)
        waited = self.world.run("tests.crash.settled")
        assert waited.returncode == 0, waited.stderr
        checks = [self.world.run("manage", "verify", seed=seed) for seed in ("1", "2")]
        hashes = {
            line for check in checks for line in check.stdout.splitlines() if "hash at" in line
        }
        found["verify"] = [check.returncode for check in checks]
        found["hashes_equal"] = len(hashes) == 1 and waited.stdout.strip() in hashes.pop()
        found["sockets"] = sockets
        found["tried_again"] = _tried_again(load.logs)
        return found

    def _duties(self, load: Load) -> dict[str, Any]:
        worker_log = self.folder / "worker.log"
        said = self.world.run("tests.crash.duties", str(load.told["duty-0"].path), str(worker_log))
        assert said.returncode == 0, said.stderr
        found: dict[str, Any] = json.loads(said.stdout)
        return {**found, "worker_deaths": len(self.world.kept["worker"].exits)}

    def _sockets(self) -> dict[str, Any]:
        (self.folder / "stop-sockets").touch()
        report = self.folder / "sockets.json"
        give_up_at = time.monotonic() + RECOVERY_SECONDS_MAX
        while not report.exists():
            assert time.monotonic() < give_up_at, "the sockets' report does not come"
            time.sleep(0.2)
        self.world.kept["sockets"].end()
        time.sleep(0.2)
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def violations(found: dict[str, Any]) -> list[str]:
    """What must not be, in words; nothing where the campaign is passed."""
    wrong = [f"{name}: {found[name][:5]}" for name in NEVER if found[name]]
    if found["told"] != found["sent"] or found["refused"]:
        wrong.append(f"{found['sent']} sent, {found['told']} answered, refused {found['refused']}")
    if found["verify"] != [0, 0] or not found["hashes_equal"]:
        wrong.append(f"verify ended with {found['verify']}, hashes equal: {found['hashes_equal']}")
    for kind, sockets in found["sockets"].items():
        if sockets["undetected_gaps"] or sockets["wrong"]:
            wrong.append(f"{kind} sockets: {sockets}")
    return [*wrong, *_duties_neglected(found["duties"])]


def _duties_neglected(duties: dict[str, Any]) -> list[str]:
    """A letter may be sent again for each worker that died: it cannot be taken back."""
    wrong = duties["undone"] or duties["changes_too_many"] or duties["letters_lost"]
    if wrong or duties["letters_sent_again"] > duties["worker_deaths"]:
        return [f"background work: {duties}"]
    return []


def _tried_again(logs: list[Path]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for path in logs:
        for text in path.read_text().splitlines():
            line = json.loads(text)
            if "tried" in line:
                counted[f"{line.get('status', '')} {line['code']}".strip()] += 1
    return dict(counted.most_common())


def table(recoveries: dict[str, list[float]]) -> list[str]:
    """Recovery times as rows of a Markdown table."""
    rows = ["| what | times | median | p99 |", "|---|---|---|---|"]
    for name in [*KILLS, *FAULTS]:
        times = sorted(recoveries.get(name, ()))
        if times:
            median, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
            rows.append(f"| {name} | {len(times)} | {median:.2f} s | {p99:.2f} s |")
    return rows


def main(kills: int, seed: int) -> int:
    """Run the whole campaign; say how to repeat it where it fails."""
    folder = Path(tempfile.mkdtemp(prefix="sum1-crash-"))
    folder.chmod(0o711)
    campaign = Campaign(folder, seed)
    order = plan(kills, seed)
    load: Load | None = None
    try:
        load = campaign.open()
        for number, name in enumerate(order, 1):
            seconds = campaign.strike(name, load)
            _say(f"{number}/{len(order)} {name}: {seconds:.2f} s")
        found = campaign.judge(load)
        wrong = violations(found)
        wrong += damage.refused(campaign.world, max(1, DAMAGES_USUAL * kills // KILLS_USUAL), seed)
    except (AssertionError, psycopg.Error, OSError) as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        found, wrong = {}, [f"{type(error).__name__} at {at.name}: {error}"]
    finally:
        if load is not None:
            load.kill()
        campaign.world.stop()
    _say("\n".join(table(campaign.recoveries)))
    _say(json.dumps({name: value for name, value in found.items() if value != []}))
    if wrong:
        _say("\n".join(["FAILED", *wrong, f"logs: {folder}"]))
        _say(f"again: CRASH={kills} SEED={seed} make crash")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    _say(f"passed: {len(order)} strikes, seed {seed}: nothing lost, doubled, changed or unnoticed")
    return 0


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.sample(PORTS, 200):
        try:
            refuse_busy_port(port, "the crash campaign")
        except PortBusy:
            continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("No free ports for the crash campaign.")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    raise SystemExit(
        main(
            arguments[0] if arguments else KILLS_USUAL,
            arguments[1] if len(arguments) > 1 else int(time.time()),
        )
    )
