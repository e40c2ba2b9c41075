"""What members of staff may do: roles, each a set of rights, and nothing besides.

The admin's pages follow these rights. A right over something that an app above owns is named here
by its text. Superusers may do everything; there should be one, for the first day and the worst.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.contrib.auth.models import Permission
from django.db import transaction

from apps.accounts.models import Role

SUPPORT: Final = "support"
COMPLIANCE: Final = "compliance"
TREASURY: Final = "treasury"
MODERATOR: Final = "moderator"
MARKET_OPERATIONS: Final = "market operations"
ADMIN: Final = "admin"

# What helping somebody takes: to see who he is and what he did, and to change none of it.
_PEOPLE: Final = frozenset(
    {
        "accounts.view_user", "accounts.view_signin", "accounts.view_apikey",
        "accounts.view_deletion",
    }
)  # fmt: skip
_TRADING: Final = frozenset(
    {
        "wallets.view_tradingaccount", "trades.view_order", "trades.view_fill",
        "trades.view_movement", "trades.view_restriction",
    }
)  # fmt: skip
_MARKETS: Final = frozenset(
    {
        "markets.view_asset", "markets.view_instrument", "markets.view_trade",
        "markets.view_staffrequest", "markets.view_marketchange",
    }
)  # fmt: skip
_LEDGER: Final = frozenset({"wallets.view_tradingaccount", "wallets.view_ledgerentry"})
# What came in and what goes out, to look at.
_MOVES: Final = frozenset({"wallets.view_withdrawal", "wallets.view_chaindeposit"})
_BOOKS: Final = _LEDGER | _MOVES | {
    "wallets.view_adjustment", "wallets.view_internaltransfer", "wallets.view_withdrawallimit",
    "wallets.view_reconciliation", "wallets.view_liabilitytree", "wallets.view_chainvault",
}  # fmt: skip
_LIMITS: Final = frozenset(
    {
        "wallets.add_withdrawallimit", "wallets.change_withdrawallimit",
        "wallets.delete_withdrawallimit",
    }
)  # fmt: skip
TRAIL: Final = frozenset(
    {
        "core.view_auditedrow", "accounts.view_userevent", "accounts.view_apikeyevent",
        "accounts.view_roleevent", "accounts.view_roleholderevent",
        "accounts.view_rolepermissionevent", "accounts.view_ownpermissionevent",
        "markets.view_staffrequestevent",
    }
)  # fmt: skip

ROLES: Final[dict[str, frozenset[str]]] = {
    SUPPORT: _PEOPLE | _TRADING | _MOVES,
    COMPLIANCE: _PEOPLE | _TRADING | _BOOKS | _LIMITS | TRAIL | {
        "accounts.change_user", "accounts.review_verification", "trades.change_restriction",
        "trades.change_risklimits", "wallets.change_withdrawal",
    },
    TREASURY: _BOOKS | _LIMITS | {
        "accounts.view_user", "wallets.change_withdrawal", "wallets.add_adjustment",
        "wallets.change_adjustment", "wallets.change_chainvault",
    },
    MODERATOR: frozenset({"accounts.view_user"}),
    MARKET_OPERATIONS: _MARKETS | _TRADING | {"markets.change_instrument"},
    ADMIN: _PEOPLE | _TRADING | _MARKETS | _BOOKS | TRAIL | {
        "accounts.change_user", "markets.change_instrument",
    },
}  # fmt: skip


def table() -> str:
    """Return which role has which right, as docs/operations.md shows it."""
    lines = [["right", *ROLES], ["---"] * (len(ROLES) + 1)]
    for right in sorted(set().union(*ROLES.values())):
        lines.append([f"`{right}`", *("yes" if right in held else "" for held in ROLES.values())])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def make_roles() -> None:
    """Have every role as it is written here; who has it stays as he is. Harmless to repeat."""
    with transaction.atomic():
        for name, rights in ROLES.items():
            role, _ = Role.objects.get_or_create(name=name)
            wanted = {permission.pk for permission in _permissions(rights)}
            if set(role.permissions.values_list("pk", flat=True)) != wanted:
                role.permissions.set(wanted)


def _permissions(rights: Iterable[str]) -> list[Permission]:
    found = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    return [found[right] for right in sorted(rights)]
