"""``python -m tests.crash.opening CLIENTS [PEOPLE]``: a market; money for clients and people."""

from __future__ import annotations

import sys

import django


def main(clients: int, people: int) -> None:
    django.setup()
    from apps.engine.messages import AnyCommand, Limits, OpenAccount
    from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
    from tests.crash.client import FIRST_ACCOUNT_ID
    from tests.matching.commands import deposit, list_instrument, until_available

    wide = Limits(
        max_open_orders=1_000_000, orders_per_second=10_000, repeated_orders_per_second=10_000
    )
    commands: list[AnyCommand] = [list_instrument()]
    for account_id in range(FIRST_ACCOUNT_ID, FIRST_ACCOUNT_ID + clients):
        head = (new_command_id(), valid_until_ns(60))
        commands.append(OpenAccount(*head, account_id, account_id, wide))
        commands.extend(deposit(account_id, asset, 10**17) for asset in (1, 2))
    gateway = get_gateway()
    replies = until_available(lambda: gateway.submit_many(commands), seconds=30)
    refused = [reply.rejected for reply in replies if reply.rejected is not None]
    if refused:
        raise SystemExit(f"refused: {refused}")
    _invite(people)


def _invite(people: int) -> None:
    """Let people sign up who have play money."""
    from apps.accounts.actions import register_person
    from apps.core import clock
    from apps.wallets.actions import open_house_accounts
    from apps.wallets.welcome import welcome
    from tests.crash.http_client import email

    now = clock.now()
    if people:
        open_house_accounts(now=now)
    for number in range(people):
        user = register_person(
            email=email(number),
            password=f"a-passphrase-of-{number:04}",
            display_name=f"Person {number}",
            now=now,
        )
        welcome(user, now)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
