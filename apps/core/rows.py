"""Rows of one table as instances of its model, by SQL that is written once.

For what is asked with every request: Django composes the text of a query anew each time, which
takes several times as long as PostgreSQL takes to answer it. Everything else asks through Django.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model

M = TypeVar("M", bound=Model)


class Rows(Generic[M]):
    """The rows of a model's table. ``columns`` is what a query has to select of it."""

    def __init__(self, model: type[M]) -> None:
        table, fields = model._meta.db_table, model._meta.concrete_fields
        self._model = model
        self._names = [field.attname for field in fields]
        self.columns = ", ".join(f"{table}.{field.column}" for field in fields)
        self.width = len(fields)

    def first(self, query: str, values: Sequence[Any]) -> M | None:
        """Return the first row that the query finds."""
        row = first_row(query, values)
        return None if row is None else self.made_of(row)

    def made_of(self, row: Sequence[Any]) -> M:
        """Return the instance that a row of the table is."""
        return self._model.from_db(connection.alias, self._names, row)


def first_row(query: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """Return the first row that the query finds, as it is."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
