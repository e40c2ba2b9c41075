"""Registers the wallets app."""

from django.apps import AppConfig

from apps.core import partitions
from apps.matching import projections


class WalletsConfig(AppConfig):
    name = "apps.wallets"

    def ready(self) -> None:
        # Models cannot be imported before the registry of apps is ready.
        from apps.accounts.events import on_person_arrived
        from apps.core import outbox
        from apps.wallets import personal
        from apps.wallets.projections import WalletsProjection
        from apps.wallets.queries import bring_main_account
        from apps.wallets.welcome import welcome
        from apps.wallets.withdrawals import codes

        outbox.subscribe(codes.TOPIC, "wallets.send_code", codes.send)
        on_person_arrived(welcome)
        personal.register()
        bring_main_account()
        partitions.register("wallets_ledgerentry", "at")
        projections.register(WalletsProjection())
