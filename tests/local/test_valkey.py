"""The embedded Valkey: password, append-only file, and a broken file is no reason to stay down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from apps.local.valkey import KEEP, Valkey

pytestmark = pytest.mark.crash


@pytest.fixture
def server(server_folder: Path, free_port: Callable[[], int]) -> Iterator[Valkey]:
    server = Valkey(server_folder / "valkey", free_port(), options=KEEP)
    yield server
    server.stop()


def test_it_answers_to_its_password_only(server: Valkey) -> None:
    server.start()

    with redis.Redis.from_url(server.url()) as client:
        assert client.ping()
    with (
        redis.Redis(port=server.port) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_its_password_is_not_among_its_arguments(server: Valkey) -> None:
    server.start()

    assert server.secret() not in " ".join(server.command())
    assert (server.directory / "valkey.conf").stat().st_mode & 0o777 == 0o600


def test_what_was_written_comes_back_after_it_was_killed(server: Valkey) -> None:
    server.start()
    with redis.Redis.from_url(server.url()) as client:
        for n in range(100):
            client.xadd("stream", {"n": n})
        _wait_until_on_disk(client)

    server.kill()
    server.start()

    with redis.Redis.from_url(server.url()) as client:
        assert client.xlen("stream") == 100


def test_an_unreadable_file_is_set_aside(server: Valkey) -> None:
    server.start()
    server.stop()
    folder = server.directory / "appendonlydir"
    for path in folder.iterdir():
        if path.suffix != ".manifest":
            path.write_bytes(b"*3\r\n$nonsense\r\n" * 10)

    server.start()

    with redis.Redis.from_url(server.url()) as client:
        assert client.dbsize() == 0
    assert len(list(server.directory.glob("appendonlydir.unreadable-*"))) == 1


def _wait_until_on_disk(client: redis.Redis) -> None:
    """The file is synced every second; a key of its own and one more turn make sure of it."""
    begun = client.info("persistence")["aof_current_size"]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        time.sleep(0.1)
        about = client.info("persistence")
        if about["aof_current_size"] >= begun and about["aof_pending_bio_fsync"] == 0:
            return
