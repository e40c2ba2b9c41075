"""Columns of sealed values, and wrapping all of them under the newest key.

A model that keeps a secret names the column a ``SealedField``; rotation then finds it by itself.
What is sealed elsewhere (inside JSON, in files) registers how it is wrapped anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db import connection, models, transaction

from apps.core import crypto

logger = logging.getLogger(__name__)

BATCH_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What a pass over one place has done: values wrapped anew, and those no key here opens."""

    wrapped: int
    unreadable: int


Rewrap = Callable[[], Rewrapped]
_elsewhere: dict[str, Rewrap] = {}


class SealedField(models.BinaryField):  # type: ignore[type-arg]
    """Holds what ``crypto.seal`` returns; sealing and opening name the place in the open."""


def register(name: str, rewrap: Rewrap) -> None:
    """Have rotation call this too. It must be harmless to call again after it was broken off."""
    _elsewhere[name] = rewrap


def rewrap_everything() -> Iterator[tuple[str, Rewrapped]]:
    """Wrap every sealed value under the newest key; yield each place with what was done.

    Each batch is a transaction, and what is under the newest key already is not touched: broken
    off, it goes on where it was. Copies of a model that a migration made are found too.
    """
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            if isinstance(field, SealedField) and field.model is model:
                name = f"{model._meta.db_table}.{field.column}"
                yield name, _rewrap_column(model, str(field.column))
    for name, rewrap in _elsewhere.items():
        yield name, rewrap()


def _rewrap_column(model: type[models.Model], column: str) -> Rewrapped:
    wrapped, unreadable, last = 0, 0, None
    while True:
        with transaction.atomic():
            rows = _next_rows(model, column, last)
            for key, sealed in rows:
                if _rewrap_row(model, column, key, sealed):
                    wrapped += 1
                else:
                    unreadable += 1
        if not rows:
            return Rewrapped(wrapped, unreadable)
        last = rows[-1][0]


def _next_rows(model: type[models.Model], column: str, last: Any) -> list[tuple[Any, memoryview]]:
    table, key = _quoted(model._meta.db_table), _quoted(_key_column(model))
    found = _quoted(column)
    after = "" if last is None else f"AND {key} > %s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key}, {found} FROM {table} WHERE {found} IS NOT NULL"
            f" AND substring({found} from 2 for %s) <> %s {after}"
            f" ORDER BY {key} LIMIT %s FOR UPDATE",  # nosec B608  # ours
            [
                crypto.KEY_ID_BYTES,
                crypto.newest_key_id(),
                *([] if last is None else [last]),
                BATCH_ROWS,
            ],
        )
        return list(cursor.fetchall())


def _rewrap_row(model: type[models.Model], column: str, key: Any, sealed: memoryview) -> bool:
    try:
        fresh = crypto.rewrap(sealed)
    except crypto.Unreadable as reason:
        logger.error("%s.%s of row %s: %s", model._meta.db_table, column, key, reason)
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_quoted(model._meta.db_table)} SET {_quoted(column)} = %s"
            f" WHERE {_quoted(_key_column(model))} = %s",  # nosec B608  # ours
            [fresh, key],
        )
    return True


def _key_column(model: type[models.Model]) -> str:
    return str(model._meta.pk.column)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
