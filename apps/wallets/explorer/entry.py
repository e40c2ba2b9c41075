"""What staff typed to look something up in the ledger, made into what the queries take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from apps.core.errors import Invalid, NotFound
from apps.wallets.assets import asset_by_code
from apps.wallets.explorer.queries import Wanted
from apps.wallets.models import LedgerEntry, TradingAccount

FIELDS: Final = ("account", "asset", "kind", "reference", "seq", "since", "until")
TEXT_LENGTH_MAX: Final = 120
_SEQ_MAX: Final = 2**42
_YEARS: Final = (2000, 2200)
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)


def typed(given: Mapping[str, str]) -> dict[str, str]:
    """Return the fields as they were typed, bounded."""
    # Links from lists of accounts name the account as the admin's filters do.
    named = given.get("account__id__exact", "")
    texts = {name: given.get(name, "").strip()[:TEXT_LENGTH_MAX] for name in FIELDS}
    return {**texts, "account": texts["account"] or named[:TEXT_LENGTH_MAX]}


def wanted_of(texts: Mapping[str, str]) -> Wanted:
    """Return what is wanted; refuse what makes no sense, and who is not there."""
    if any("\x00" in text for text in texts.values()):
        raise Invalid("invalid_text", "This text cannot be looked for.")
    kind = texts["kind"]
    if kind and kind not in LedgerEntry.Kind.values:
        raise Invalid("invalid_kind", "There is no such kind of movement.")
    seq = texts["seq"]
    if seq and not (seq.isascii() and seq.isdigit() and len(seq) <= 13 and int(seq) < _SEQ_MAX):
        raise Invalid("invalid_seq", "A command is a number.")
    since, until = _moment(texts["since"]), _moment(texts["until"])
    if since is not None and until is not None and since >= until:
        raise Invalid("invalid_period", "The period ends before it begins.")
    return Wanted(
        account_id=_account(texts["account"]) if texts["account"] else None,
        asset_id=asset_by_code(texts["asset"]).id if texts["asset"] else None,
        kind=kind or None,
        reference=texts["reference"] or None,
        seq=int(seq) if seq else None,
        since=since,
        until=until,
    )


def _account(text: str) -> int:
    """Return the account of this number (below zero: a block's escrow), public id or owner."""
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= 18:
        return int(text)
    rows = TradingAccount.objects.all()
    if "@" in text:
        main = TradingAccount.Kind.MAIN
        found = rows.filter(owner__email=text.lower(), kind=main).first()
    else:
        try:
            found = rows.filter(public_id=UUID(text)).first()
        except ValueError:
            found = None
    if found is None:
        raise NotFound("unknown_account", "There is no such account.")
    return int(found.pk)


def _moment(text: str) -> datetime | None:
    """Return the moment, in UTC where nothing else is said."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = _NEVER
    if not _YEARS[0] <= at.year < _YEARS[1]:
        raise Invalid("invalid_moment", "Write a moment as 2026-11-22 or 2026-11-22 14:30, in UTC.")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
