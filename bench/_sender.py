"""The sending process of the ``durable`` bench: sends the flow, counts the replies.

``python -m bench._sender COMMANDS_PER_ENTRY SCALE`` prints commands per second, from the first
byte sent to the last reply received, in rounds. A round's entries are encoded before it begins, so
that it is not the sender that is measured; at most so many commands are on their way at once. It
writes into the stream itself, without the gateway's checks of lag: no projector runs beside it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import django
import redis

from apps.engine.messages import AnyCommand
from bench import _services
from bench.flow import Commands, generate

IN_FLIGHT_COMMANDS_MAX = 20_000
COMMANDS_PER_SEND = 1_000
# Orders are valid for ten seconds, so they are made in parts, between the times that count.
COMMANDS_PER_ROUND = 50_000
OPENING_PER_ENTRY = 500
VALID_NS = 9_000_000_000
PATIENCE_SECONDS = 30.0


class LiveCommands(Commands):
    """Commands of the flow that are valid now, not at the time the flow was recorded."""

    def head(self) -> tuple[bytes, int]:
        command_id, _ = super().head()
        return command_id, time.time_ns() + VALID_NS


class Sender:
    """Sends envelopes, with a bound on what is not answered yet."""

    def __init__(self) -> None:
        from apps.matching import servers, wire

        self._wire = wire
        self._client = servers.valkey()
        self._link: Any = self._client.connection_pool.get_connection()
        # The ids that Valkey gives to entries are nothing to a sender that waits for replies.
        self._link.send_command("CLIENT", "REPLY", "OFF")
        self._stream = wire.stream_key(0, 0)
        self._sent = 0
        self._answered = 0
        self._moved = threading.Condition()
        self._numbers = 0
        self.last_answer_at = 0.0
        self.answers: list[bytes] = []
        subscription = self._client.pubsub()
        subscription.subscribe(wire.reply_channel("bench"))
        subscription.get_message(timeout=5)
        threading.Thread(target=self._listen, args=(subscription,), daemon=True).start()

    def packed(self, commands: Sequence[AnyCommand], per_entry: int) -> tuple[int, list[bytes]]:
        """Return the number of entries and the bytes that put them into the stream."""
        requests = []
        for start in range(0, len(commands), per_entry):
            self._numbers += 1
            group = commands[start : start + per_entry]
            envelope = self._wire.encode_envelope("bench", self._numbers, group)
            requests.append(("XADD", self._stream, "*", self._wire.FIELD, envelope))
        return len(requests), self._link.pack_commands(requests)

    def send(self, entries: int, data: list[bytes]) -> None:
        """Put entries into the stream."""
        self._link.send_packed_command(data)
        self._sent += entries

    def wait(self, unanswered_max: int) -> None:
        """Return when at most so many entries are without an answer."""
        with self._moved:
            arrived = self._moved.wait_for(
                lambda: self._sent - self._answered <= unanswered_max, PATIENCE_SECONDS
            )
        if not arrived:
            raise RuntimeError("The engine does not answer.")

    def refusals(self) -> Iterator[str]:
        """Yield the reason of every refusal among the answers."""
        from apps.engine.messages import Rejected

        for data in self.answers:
            for answer in self._wire.answers.decode(data):
                for events in self._wire.answer_events.decode(answer.events):
                    yield from (e.reason for e in events if isinstance(e, Rejected))

    def _listen(self, subscription: redis.client.PubSub) -> None:
        while True:
            message = subscription.get_message(timeout=1)
            if message is None or message["type"] != "message":
                continue
            self.answers.append(message["data"])
            count = len(self._wire.answers.decode(message["data"]))
            with self._moved:
                self._answered += count
                self.last_answer_at = time.perf_counter()
                self._moved.notify()


def main(per_entry: int, scale: float) -> float:
    django.setup()
    operations = generate(scale).operations
    commands = LiveCommands()
    _services.wait_until_leading()
    sender = Sender()
    sender.send(*sender.packed(commands.opening(), OPENING_PER_ENTRY))
    sender.wait(0)
    seconds = 0.0
    for start in range(0, len(operations), COMMANDS_PER_ROUND):
        part = operations[start : start + COMMANDS_PER_ROUND]
        seconds += _round([commands.operation(each) for each in part], per_entry, sender)
    for reason in sender.refusals():
        raise AssertionError(f"the flow should never be refused: {reason}")
    return len(operations) / seconds


def _round(placed: list[AnyCommand], per_entry: int, sender: Sender) -> float:
    """Send some of the flow; return the seconds until the last reply to it."""
    ready = [
        sender.packed(placed[start : start + COMMANDS_PER_SEND], per_entry)
        for start in range(0, len(placed), COMMANDS_PER_SEND)
    ]
    started = time.perf_counter()
    for entries, data in ready:
        sender.send(entries, data)
        sender.wait(IN_FLIGHT_COMMANDS_MAX // per_entry)
    sender.wait(0)
    return sender.last_answer_at - started


if __name__ == "__main__":
    sys.stdout.write(f"{main(int(sys.argv[1]), float(sys.argv[2]))}\n")
