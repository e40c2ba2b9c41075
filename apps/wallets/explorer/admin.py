"""The ledger explorer: what staff see where the admin would list single entries."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from apps.accounts.models import User
from apps.core.admin import ReadOnlyAdmin
from apps.core.errors import DomainError
from apps.core.paging import parse_cursor
from apps.wallets.assets import all_assets
from apps.wallets.explorer.entry import typed, wanted_of
from apps.wallets.explorer.presentation import movements_shown
from apps.wallets.explorer.queries import COMMANDS_LOOKED_AT, Found, movements_page
from apps.wallets.models import LedgerEntry


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """Whole movements: all legs of each, that they sum to zero, and what is behind them."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        texts = typed(cast("dict[str, str]", request.GET))
        found = Found([], None, None)
        try:
            before = request.GET.get("before", "")
            found = movements_page(
                viewer=cast(User, request.user), wanted=wanted_of(texts),
                before=parse_cursor(before) if before else None,
            )  # fmt: skip
        except DomainError as refusal:
            messages.error(request, refusal.message)
        asked = {name: text for name, text in texts.items() if text}
        context = {
            **self.admin_site.each_context(request),
            "title": "Ledger",
            "typed": texts,
            "kinds": LedgerEntry.Kind.choices,
            "assets": all_assets(),
            "movements": movements_shown(found.movements),
            "found": found,
            "older": urlencode({**asked, "before": found.next}) if found.next else "",
            "commands_looked_at": COMMANDS_LOOKED_AT,
        }
        return render(request, "admin/wallets/ledger.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A single leg says nothing: there is no page of it."""
        raise Http404
