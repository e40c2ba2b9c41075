"""What an API key may do. Every endpoint and every call of a socket names the scope it takes.

Who signed in has no key and no scopes: what a person may do, other rules say.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from apps.core.errors import NotAllowed

READ: Final = "read"
TRADE: Final = "trade"
TRANSFER: Final = "transfer"
WITHDRAW: Final = "withdraw"
SCOPES: Final = (READ, TRADE, TRANSFER, WITHDRAW)


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """The API key that a request was signed with: ``request.auth`` of who comes with one.

    ``version`` grows with every change of the key, so that what was opened under an older one ends.
    """

    key_id: uuid.UUID
    version: int
    scopes: frozenset[str]
    networks: tuple[str, ...]

    @property
    def sign_in(self) -> str:
        """Return what a socket opened with the key rests on."""
        return f"{KEY_PREFIX}{self.key_id}:{self.version}"


KEY_PREFIX: Final = "key:"


def require(held: Collection[str], needed: str | None) -> None:
    """Refuse what the key has no scope for; None is what no key may ever do."""
    if needed is None:
        raise NotAllowed("key_not_allowed", "An API key cannot do this: sign in yourself.")
    if needed not in held:
        raise NotAllowed("scope_missing", f"This API key may not do this: it lacks “{needed}”.")
