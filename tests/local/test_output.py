"""What reaches the terminal, and files that stay small."""

from __future__ import annotations

import io
from pathlib import Path

from apps.local.output import LogFile, Terminal


def test_quiet_shows_warnings_errors_and_what_belongs_to_them() -> None:
    stream = io.StringIO()
    terminal = Terminal(["web"], verbose=False, stream=stream)

    for line in (
        "12:00 INFO web: all is well",
        "12:00 WARNING web: slow",
        "12:00 INFO web: all is well",
        "Traceback (most recent call last):",
        '  File "x.py", line 1, in <module>',
        "ValueError: no",
        "12:00 INFO web: all is well",
    ):
        terminal.line("web", line)

    assert stream.getvalue().splitlines() == [
        "web      | 12:00 WARNING web: slow",
        "web      | Traceback (most recent call last):",
        'web      |   File "x.py", line 1, in <module>',
        "web      | ValueError: no",
    ]


def test_verbose_shows_everything() -> None:
    stream = io.StringIO()
    terminal = Terminal(["web"], verbose=True, stream=stream)

    terminal.line("web", "12:00 INFO web: all is well")

    assert stream.getvalue() == "web      | 12:00 INFO web: all is well\n"


def test_a_closed_terminal_ends_nothing() -> None:
    stream = io.StringIO()
    terminal = Terminal([], verbose=True, stream=_Closed())

    terminal.say("one")
    terminal.say("two")

    assert stream.getvalue() == ""


def test_a_full_file_is_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "web.log", bytes_max=10)

    for number in range(6):
        log.write(f"line {number} ....\n".encode())
    log.close()

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "web.log": "",
        "web.log.1": "line 5 ....\n",
        "web.log.2": "line 4 ....\n",
        "web.log.3": "line 3 ....\n",
    }


class _Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError
