"""A passkey's two halves for one withdrawal: Valkey keeps the state between them.

The state is the withdrawal's own and good for one answer, so an answer confirms nothing else.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from apps.accounts.factors.actions import Given
from apps.accounts.factors.queries import begin_passkey
from apps.core.errors import Invalid, Refused
from apps.core.realtime.connections import client, key
from apps.wallets.withdrawals.models import Withdrawal
from apps.wallets.withdrawals.moving import State, require_state

LIFE_SECONDS: Final = 300


def begin(withdrawal: Withdrawal, *, host: str) -> dict[str, Any]:
    """Return what the browser of the withdrawal's owner is asked."""
    require_state(withdrawal, State.REQUESTED)
    begun = begin_passkey(person=withdrawal.owner, host=host)
    if begun is None:
        raise Refused("no_passkey", "You have no passkey. Nothing moved.")
    options, state = begun
    client().set(_key(withdrawal), orjson.dumps(state), ex=LIFE_SECONDS)
    return options


def given(withdrawal: Withdrawal, answer: dict[str, Any], *, host: str) -> Given:
    """Return the answer with the state that it belongs to."""
    held: Any = client().getdel(_key(withdrawal))
    if held is None:
        raise Invalid("invalid_passkey", "Too late: begin again. Nothing moved.", field="passkey")
    return Given(passkey=answer, state=orjson.loads(held), host=host)


def _key(withdrawal: Withdrawal) -> str:
    return key(f"withdrawal-passkey:{withdrawal.public_id}")
