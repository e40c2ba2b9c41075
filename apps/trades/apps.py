"""Registers the trades app."""

from django.apps import AppConfig

from apps.core import partitions
from apps.matching import projections


class TradesConfig(AppConfig):
    name = "apps.trades"

    def ready(self) -> None:
        # Models cannot be imported before the registry of apps is ready.
        from apps.accounts import freezing
        from apps.accounts.personal import deleting
        from apps.core import outbox
        from apps.trades import accounting, personal, realtime
        from apps.trades.position_projection import PositionsProjection
        from apps.trades.projections import TradesProjection
        from apps.trades.risk.freezing import freeze_accounts, unfreeze_accounts
        from apps.trades.worth import worth_minor
        from apps.wallets import holds, worth
        from apps.wallets.explorer import origins

        partitions.register("trades_order", "created_at")
        partitions.register("trades_fill", "at")
        partitions.register("trades_movement", "at")
        projections.register(TradesProjection(realtime.AccountPublisher().publish))
        projections.register(PositionsProjection())
        realtime.register()
        personal.register()
        worth.register(worth_minor)
        holds.register(accounting.held_by_orders)
        origins.register(accounting.commands_of)
        outbox.subscribe(freezing.FROZEN, "trades.freeze_accounts", freeze_accounts)
        outbox.subscribe(freezing.UNFROZEN, "trades.unfreeze_accounts", unfreeze_accounts)
        outbox.subscribe(deleting.CLOSED, "trades.close_accounts", freeze_accounts)
        outbox.subscribe(deleting.OPENED_AGAIN, "trades.open_accounts", unfreeze_accounts)
