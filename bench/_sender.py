"""The sending process of the ``durable`` bench: packs the flow, sends it, counts the replies.

``python -m bench._sender COMMANDS_PER_ENTRY SCALE`` prints commands per second. It writes into the
stream itself, without the gateway's checks of lag, because no projector runs beside it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence

import django
import redis

from bench import _services
from bench.flow import Commands, generate

IN_FLIGHT_COMMANDS_MAX = 20_000
VALID_NS = 9_000_000_000
OPENING_SECONDS = 30.0


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
        self._stream = wire.stream_key(0, 0)
        self._answered = 0
        self._moved = threading.Condition()
        self._requests = 0
        self.last_answer_at = 0.0
        self.answers: list[bytes] = []
        subscription = self._client.pubsub()
        subscription.subscribe(wire.reply_channel("bench"))
        subscription.get_message(timeout=5)
        threading.Thread(target=self._listen, args=(subscription,), daemon=True).start()

    def send(self, groups: Sequence[Sequence[object]]) -> None:
        """Send one envelope per group of commands, in one pipeline."""
        pipeline = self._client.pipeline(transaction=False)
        for group in groups:
            self._requests += 1
            envelope = self._wire.encode_envelope("bench", self._requests, group)  # type: ignore[arg-type]
            pipeline.execute_command("XADD", self._stream, "*", self._wire.FIELD, envelope)
        pipeline.execute()

    def wait(self, unanswered_max: int) -> None:
        """Return when at most so many envelopes are without an answer."""
        with self._moved:
            arrived = self._moved.wait_for(
                lambda: self._requests - self._answered <= unanswered_max, OPENING_SECONDS
            )
        if not arrived:
            raise RuntimeError("The engine does not answer.")

    def _listen(self, subscription: redis.client.PubSub) -> None:
        while True:
            message = subscription.get_message(timeout=1)
            if message is None or message["type"] != "message":
                continue
            answers = self._wire.answers.decode(message["data"])
            self.answers.append(message["data"])
            with self._moved:
                self._answered += len(answers)
                self.last_answer_at = time.perf_counter()
                self._moved.notify()


def main(per_entry: int, scale: float) -> float:
    django.setup()
    operations = generate(scale).operations
    commands = LiveCommands()
    _services.wait_until_leading()
    sender = Sender()
    opening = commands.opening()
    sender.send([opening[start : start + 500] for start in range(0, len(opening), 500)])
    sender.wait(0)
    sender.answers.clear()
    chunk = max(per_entry, 200)
    started = time.perf_counter()
    for start in range(0, len(operations), chunk):
        placed = [commands.operation(each) for each in operations[start : start + chunk]]
        sender.send([placed[i : i + per_entry] for i in range(0, len(placed), per_entry)])
        sender.wait(IN_FLIGHT_COMMANDS_MAX // per_entry)
    sender.wait(0)
    speed = len(operations) / (sender.last_answer_at - started)
    _refuse_refusals(sender)
    return speed


def _refuse_refusals(sender: Sender) -> None:
    from apps.engine.messages import Rejected
    from apps.matching import wire

    for data in sender.answers:
        for answer in wire.answers.decode(data):
            for events in wire.answer_events.decode(answer.events):
                refusals = [event for event in events if isinstance(event, Rejected)]
                if refusals:
                    raise AssertionError(f"the flow should never be refused: {refusals}")


if __name__ == "__main__":
    sys.stdout.write(f"{main(int(sys.argv[1]), float(sys.argv[2]))}\n")
