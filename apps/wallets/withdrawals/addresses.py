"""The address book, and whether coins can go anywhere else.

What makes it easier to take coins away waits a day, so that the owner, who is told, can step in.
What makes it harder holds at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.accounts.step_up import require_fresh
from apps.core import clock, outbox
from apps.core.errors import Conflict, Invalid, Locked, NotFound, Refused
from apps.wallets.assets import asset_by_code
from apps.wallets.custody.interface import get_custody, network_of
from apps.wallets.deposits.models import DepositAddress
from apps.wallets.withdrawals.models import WithdrawalAddress, WithdrawalPolicy

COOLDOWN: Final = timedelta(hours=24)
LABEL_LENGTH_MAX: Final = 40
ADDRESSES_MAX: Final = 100


def add_address(
    *,
    actor: User,
    asset: str,
    address: str,
    label: str,
    proved_at: datetime | None,
    now: datetime,
) -> WithdrawalAddress:
    """Put an address into the book; it can be used after a day."""
    require_fresh(person=actor, proved_at=proved_at, now=now)
    found = asset_by_code(asset)
    chain = check_address(actor=actor, asset=found.code, address=address)
    entry = WithdrawalAddress(
        person=actor, asset_id=found.id, chain=chain, address=address, label=_label(label),
        created_at=now, usable_at=now + COOLDOWN,
    )  # fmt: skip
    if WithdrawalAddress.objects.filter(person=actor, removed_at=None).count() >= ADDRESSES_MAX:
        raise Refused("too_many_addresses", f"An address book has at most {ADDRESSES_MAX} entries.")
    _save(entry, "address_added", now)
    return entry


def change_address(
    *,
    actor: User,
    public_id: UUID | str,
    address: str | None = None,
    label: str | None = None,
    proved_at: datetime | None,
    now: datetime,
) -> WithdrawalAddress:
    """Change an entry; it can be used again after a day, even where only its name is new."""
    require_fresh(person=actor, proved_at=proved_at, now=now)
    with transaction.atomic():
        entry = entry_of(viewer=actor, public_id=public_id, for_update=True)
        if address is not None:
            check_address(actor=actor, asset=entry.asset.code, address=address)
            entry.address = address
        if label is not None:
            entry.label = _label(label)
        entry.usable_at, entry.told_usable = now + COOLDOWN, False
        _save(entry, "address_added", now)
    return entry


def remove_address(*, actor: User, public_id: UUID | str, now: datetime) -> None:
    """Take an entry out of the book, at once. It makes nothing easier, so it takes no proof."""
    with transaction.atomic():
        entry = entry_of(viewer=actor, public_id=public_id, for_update=True)
        entry.removed_at = now
        entry.save(update_fields=["removed_at"])


def set_book_only(
    *, actor: User, wanted: bool, proved_at: datetime | None, now: datetime
) -> WithdrawalPolicy:
    """Let coins go to the address book only, from now on; or anywhere, from tomorrow on."""
    if not wanted:
        require_fresh(person=actor, proved_at=proved_at, now=now)
    with transaction.atomic():
        WithdrawalPolicy.objects.get_or_create(person=actor)
        policy = WithdrawalPolicy.objects.select_for_update().get(person=actor)
        if wanted:
            policy.book_only, policy.open_from = True, None
        elif policy.book_only:
            policy.book_only, policy.open_from = False, now + COOLDOWN
        policy.save(update_fields=["book_only", "open_from"])
    return policy


def policy_of(*, viewer: User) -> WithdrawalPolicy:
    """Return the viewer's choice; who never chose has the safe one."""
    found = WithdrawalPolicy.objects.filter(person=viewer).first()
    return found or WithdrawalPolicy(person=viewer)


def is_book_only(policy: WithdrawalPolicy, now: datetime) -> bool:
    """Whether coins can go to the book only at this moment."""
    return policy.book_only or policy.open_from is None or policy.open_from > now


def entry_of(
    *, viewer: User | None, public_id: UUID | str, for_update: bool = False
) -> WithdrawalAddress:
    """Return an entry of the viewer's own book."""
    rows = WithdrawalAddress.objects.select_related("asset")
    if for_update:
        rows = rows.select_for_update(of=("self",))
    found = rows.filter(person=viewer, public_id=public_id, removed_at=None).first()
    if viewer is None or found is None:
        raise NotFound("unknown_address", "Your address book has no such entry.")
    return found


def book_of(*, viewer: User) -> list[WithdrawalAddress]:
    """Return the viewer's address book."""
    rows = WithdrawalAddress.objects.filter(person=viewer, removed_at=None)
    return list(rows.select_related("asset").order_by("asset_id", "id"))


def check_address(*, actor: User, asset: str, address: str) -> str:
    """Return the chain, where the address can be one of it and is not the actor's own."""
    chain = network_of(asset).name
    if not get_custody().is_address(chain=chain, address=address):
        raise Invalid(
            "invalid_address",
            f"This is no address for {asset}. Copy it again, all of it.",
            field="address",
        )
    if DepositAddress.objects.filter(chain=chain, address=address, account__owner=actor).exists():
        raise Refused(
            "own_address", "This is your own deposit address. Nothing moved.", field="address"
        )
    return chain


def require_usable(entry: WithdrawalAddress, now: datetime) -> None:
    """Refuse an entry that still rests."""
    if entry.usable_at > now:
        raise Locked(
            "address_cooldown",
            f"This address can be used from {entry.usable_at:%d %B %Y, %H:%M} UTC on: new and"
            " changed addresses rest for 24 hours. Nothing moved.",
            until=clock.iso(entry.usable_at),
            field="address",
        )


def tell_usable(*, now: datetime) -> int:
    """Tell the owners of addresses that have become usable; return how many there were."""
    rows = WithdrawalAddress.objects.filter(
        usable_at__lte=now, told_usable=False, removed_at=None
    ).select_related("asset")
    count = 0
    for entry in rows[:100]:
        with transaction.atomic():
            changed = WithdrawalAddress.objects.filter(pk=entry.pk, told_usable=False)
            if changed.update(told_usable=True):
                _tell(entry, "address_ready", now)
                count += 1
    return count


def _save(entry: WithdrawalAddress, kind: str, now: datetime) -> None:
    try:
        with transaction.atomic():
            entry.save()
            _tell(entry, kind, now)
    except IntegrityError as failure:
        if "withdrawal_address_once" not in str(failure):
            raise
        raise Conflict(
            "address_exists", "Your address book has this address already.", field="address"
        ) from None


def _tell(entry: WithdrawalAddress, kind: str, now: datetime) -> None:
    data = {
        "asset": entry.asset.code,
        "address": entry.address,
        "label": entry.label,
        "usable_at": clock.iso(entry.usable_at),
    }
    notice = {"person_id": entry.person_id, "kind": kind, "data": data}
    key = f"{kind}:{entry.pk}:{clock.iso(entry.usable_at)}"
    outbox.emit("notice", notice, key=key, now=now)


def _label(text: str) -> str:
    label = text.strip()
    if not 1 <= len(label) <= LABEL_LENGTH_MAX or not label.isprintable():
        raise Invalid(
            "invalid_label", f"Give it a name of up to {LABEL_LENGTH_MAX} characters.",
            field="label",
        )  # fmt: skip
    return label
