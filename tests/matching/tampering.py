"""What an intruder with rights on the tables could do; the guards of the journal are lifted."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection


def tamper(statement: str, parameters: Sequence[str | int | bytes] = ()) -> None:
    """Change the journal behind its triggers."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE matching_journal DISABLE TRIGGER ALL")
        cursor.execute(statement, parameters)
        assert cursor.rowcount > 0
        cursor.execute("ALTER TABLE matching_journal ENABLE TRIGGER ALL")


def flip_byte(column: str, last_seq: int) -> None:
    """Change one bit of one row."""
    tamper(
        f"UPDATE matching_journal SET {column} ="
        f" set_byte({column}, 5, get_byte({column}, 5) # 1) WHERE last_seq = %s",
        [last_seq],
    )
