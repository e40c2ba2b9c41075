"""The side menu of the admin: the desk, what waits with its counts, and where the rest is found."""

from __future__ import annotations

from typing import Any, Final, cast

from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.models import User
from apps.pages.desk.queues import counts

# Title, icon, page, right.
PLACES: Final = (
    ("People", "person", "admin:accounts_user_changelist", "accounts.view_user"),
    ("Markets", "candlestick_chart", "admin:markets_instrument_changelist",
     "markets.view_instrument"),
    ("The venue at a glance", "monitoring", "admin:trades_overview", "trades.view_restriction"),
    ("Orders", "receipt_long", "admin:trades_order_changelist", "trades.view_order"),
    ("Restrictions", "block", "admin:trades_restriction_changelist", "trades.view_restriction"),
    ("Trading accounts", "account_balance_wallet", "admin:wallets_tradingaccount_changelist",
     "wallets.view_tradingaccount"),
    ("Ledger", "menu_book", "admin:wallets_ledgerentry_changelist", "wallets.view_ledgerentry"),
    ("Hot wallet", "account_balance", "admin:wallets_chainvault_changelist",
     "wallets.view_chainvault"),
    ("Chains and ledger", "rule", "admin:wallets_reconciliation_changelist",
     "wallets.view_reconciliation"),
    ("Audit trail", "history", "audit_trail", "core.view_auditedrow"),
)  # fmt: skip


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu of whoever looks; a place that he may not see is not in it."""
    person = cast(User, request.user)
    desk = [
        {"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")},
        {"title": "All that waits", "icon": "checklist", "link": reverse("staff_queues")},
    ]
    waiting = [
        {
            "title": source.title,
            "icon": source.icon,
            "link": source.link,
            "badge": count.words if count.number else "",
            "badge_variant": "warning",
        }
        for source, count in counts(has_right=person.has_perm)
    ]
    places = [
        {"title": title, "icon": icon, "link": reverse(page)}
        for title, icon, page, right in PLACES
        if person.has_perm(right)
    ]
    groups = [("Desk", desk), ("Waits for staff", waiting), ("Look up", places)]
    return [{"title": title, "separator": True, "items": items} for title, items in groups if items]
