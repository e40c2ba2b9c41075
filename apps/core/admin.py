"""What the admin pages of projections share: nothing is written here, nothing big is counted.

Rows of a projection are what the engine decided; who changed them by hand would only make the
tables wrong.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

COUNTED_ROWS_MAX: Final = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than a person would turn pages."""

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[:COUNTED_ROWS_MAX].count()


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """Looks, never touches."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class NarrowedAdmin(ReadOnlyAdmin):
    """A table without end: only what one of ``narrowed_by`` asks for is looked up, by its index."""

    narrowed_by: tuple[str, ...] = ("account__id__exact",)
    list_display_links = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        if any(request.GET.get(name) for name in self.narrowed_by):
            return rows
        return self.without_narrowing(rows)

    def without_narrowing(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return what is shown before anything is asked for."""
        return rows.none()


class QueueFilter(admin.SimpleListFilter):
    """What waits for somebody, where nothing else is asked for."""

    title = "standing"
    parameter_name = "standing"
    field: ClassVar[str] = "state"
    waiting: ClassVar[tuple[str, ...]]
    states: ClassVar[list[tuple[str, str]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All"), *self.states]

    def choices(self, changelist: Any) -> Any:
        for value, words in (("", "In the queue"), *self.lookup_choices):
            yield {
                "selected": (self.value() or "") == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": words,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        wanted = [self.value()] if self.value() else self.waiting
        return queryset.filter(**{f"{self.field}__in": wanted})
