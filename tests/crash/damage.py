"""Damage to the journal itself: it must be named, and nobody may go on from it.

The last thing that a campaign does, to a copy that is thrown away afterwards.
"""

from __future__ import annotations

import random
import time
from typing import Final, cast

import psycopg

from tests.crash.world import World

NOTICED_SECONDS_MAX: Final = 40.0

# What is done to the newest batch, which no snapshot covers: to its commands or its events, at a
# place that chance chooses.
FLIPPED: Final = "{column} = set_byte({column}, {place}, get_byte({column}, {place}) # {mask})"
TRUNCATED: Final = "{column} = substring({column} FROM 1 FOR {place})"


def refused(world: World, times: int, seed: int) -> list[str]:
    """Damage the newest batch so often in each way; return what went unnoticed, in words."""
    draw = random.Random(seed)
    wrong: list[str] = []
    for name in ("matching-a", "matching-b", "projector", "live", "web", "worker", "beat"):
        world.kept[name].end()
    with psycopg.connect(world.postgres.url(), autocommit=True) as connection:
        connection.execute("DELETE FROM matching_snapshot")
        for change in [FLIPPED, TRUNCATED] * times:
            wrong += _one(world, connection, change, draw)
    sound = world.run("manage", "verify")
    if sound.returncode:
        wrong.append(f"all damage taken back, and verify still ends with {sound.returncode}")
    return wrong


def _one(
    world: World,
    connection: psycopg.Connection[tuple[object, ...]],
    change: str,
    draw: random.Random,
) -> list[str]:
    row = connection.execute(
        "SELECT first_seq, commands, events FROM matching_journal ORDER BY last_seq DESC LIMIT 1"
    ).fetchone()
    assert row is not None
    first_seq, sound = row[0], {"commands": row[1], "events": row[2]}
    column = draw.choice(sorted(sound))
    place = draw.randrange(len(bytes(cast(bytes, sound[column]))))
    damage = change.format(column=column, place=place, mask=draw.randrange(1, 256))
    _tamper(connection, damage, [first_seq])
    wrong = []
    verified = world.run("manage", "verify")
    if verified.returncode != 1 or f"corrupt at seq {first_seq}" not in verified.stdout:
        wrong.append(f"{damage}: verify ended with {verified.returncode}: {verified.stdout[-300:]}")
    if not _worker_refuses(world, f"corrupt at seq {first_seq}"):
        wrong.append(f"{damage}: a matching worker did not refuse to start")
    restored = "commands = %s, events = %s"
    _tamper(connection, restored, [sound["commands"], sound["events"], first_seq])
    return wrong


def _worker_refuses(world: World, words: str) -> bool:
    """Whether a worker that starts ends again, with another code than zero, and names the place."""
    log = world.folder / "matching-a.log"
    before = log.stat().st_size
    world.keep_again("matching-a")
    kept = world.kept["matching-a"]
    give_up_at = time.monotonic() + NOTICED_SECONDS_MAX
    while not kept.exits and time.monotonic() < give_up_at:
        time.sleep(0.05)
    kept.end()
    with log.open("rb") as opened:
        opened.seek(before)
        said = opened.read().decode(errors="replace")
    return any(kept.exits) and words in said


def _tamper(
    connection: psycopg.Connection[tuple[object, ...]], change: str, values: list[object]
) -> None:
    with connection.transaction():
        connection.execute("ALTER TABLE matching_journal DISABLE TRIGGER ALL")
        statement = f"UPDATE matching_journal SET {change} WHERE first_seq = %s"
        connection.execute(statement.encode(), values)
        connection.execute("ALTER TABLE matching_journal ENABLE TRIGGER ALL")
