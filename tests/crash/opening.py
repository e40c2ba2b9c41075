"""``python -m tests.crash.opening CLIENTS [PEOPLE]``: markets; money for clients and people."""

from __future__ import annotations

import sys

import django


def main(clients: int, people: int) -> None:
    django.setup()
    from apps.engine.messages import AnyCommand, Limits, ListInstrument, OpenAccount
    from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
    from tests.crash.wishes import FIRST_ACCOUNT_ID, MARKETS, copiers
    from tests.matching.commands import deposit, until_available

    wide = Limits(
        max_open_orders=1_000_000, orders_per_second=10_000, repeated_orders_per_second=10_000
    )
    commands: list[AnyCommand] = [
        ListInstrument(new_command_id(), valid_until_ns(60), market) for market in MARKETS
    ]
    followers = [account_id for number in range(clients) for account_id in copiers(number)]
    account_ids = [*range(FIRST_ACCOUNT_ID, FIRST_ACCOUNT_ID + clients), *followers]
    _enter(account_ids)
    for account_id in account_ids:
        head = (new_command_id(), valid_until_ns(60))
        commands.append(OpenAccount(*head, account_id, account_id, wide))
        commands.extend(deposit(account_id, asset, 10**16) for asset in (1, 2, 3))
    gateway = get_gateway()
    replies = until_available(lambda: gateway.submit_many(commands), seconds=30)
    refused = [reply.rejected for reply in replies if reply.rejected is not None]
    if refused:
        raise SystemExit(f"refused: {refused}")
    _invite(people)


def _enter(account_ids: list[int]) -> None:
    """Every account of the engine has its row, as an account has that is opened by an action."""
    from apps.core import clock
    from apps.wallets.models import TradingAccount

    TradingAccount.objects.bulk_create(
        TradingAccount(
            id=account_id,
            kind=TradingAccount.Kind.HOUSE,
            name=f"Client {account_id}",
            trade_group=account_id,
            created_at=clock.now(),
        )
        for account_id in account_ids
    )


def _invite(people: int) -> None:
    """Let people sign up who have play money."""
    from apps.accounts.actions import register_person
    from apps.core import clock
    from apps.wallets.actions import open_house_accounts
    from apps.wallets.welcome import welcome
    from tests.crash.duties import WATCHED
    from tests.crash.http_client import email

    now = clock.now()
    if not people:
        return
    open_house_accounts(now=now)
    for number, address in enumerate([*map(email, range(people)), WATCHED]):
        user = register_person(
            email=address,
            password=f"a-passphrase-of-{number:04}",
            display_name=f"Person {number}",
            now=now,
        )
        welcome(user, now)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
