"""The audit trail as staff see it: one page per kind of thing, newest first, to read only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from pghistory.core import event_models

from apps.core.admin import ReadOnlyAdmin
from apps.core.models import AuditedRow


def _told(row: Any) -> dict[str, Any]:
    return {} if row.pgh_context is None else dict(row.pgh_context.metadata)


class TrailAdmin(ReadOnlyAdmin):
    """What was written, by whom and why; what is older than the newest page is a filter away."""

    list_select_related = ("pgh_context",)
    ordering = ("-pk",)

    @admin.display(description="Who")
    def who(self, row: Any) -> str:
        number = _told(row).get("user")
        if number is None:
            return "–"
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:accounts_user_change", args=[number]), number
        )

    @admin.display(description="In")
    def where(self, row: Any) -> str:
        told = _told(row)
        return f"{told['method']} {told['path']}" if "path" in told else "no request"

    @admin.display(description="Why")
    def why(self, row: Any) -> str:
        return str(_told(row).get("reason", ""))

    @admin.display(description="From")
    def address(self, row: Any) -> str:
        return str(_told(row).get("address", ""))


class EventAdmin(TrailAdmin):
    list_display = ("pgh_created_at", "pgh_label", "subject", "who", "where", "address", "why")
    list_filter = ("pgh_label",)
    search_fields = ("=pgh_obj_id", "=pgh_context__id")

    @admin.display(description="What")
    def subject(self, row: Any) -> SafeString:
        pairs = (
            (field.name, getattr(row, field.attname))
            for field in row._meta.concrete_fields
            if not field.name.startswith("pgh_")
        )
        return format_html_join(", ", "{} {}", ((n, v) for n, v in pairs if v not in (None, "")))


@admin.register(AuditedRow)
class AuditedRowAdmin(TrailAdmin):
    list_display = ("at", "label", "table_name", "subject", "who", "where", "address", "why")
    list_filter = ("table_name", "label")

    @admin.display(description="What")
    def subject(self, row: AuditedRow) -> SafeString:
        held = ((name, value) for name, value in row.row.items() if value is not None)
        return format_html_join(", ", "{} {}", held)


for _model in event_models():
    admin.site.register(_model, EventAdmin)
