"""Background work of the wallets: following the chains and what leaves on them."""

from __future__ import annotations

from celery import shared_task

from apps.core import clock
from apps.wallets.adjustments import actions as adjustments
from apps.wallets.custody import simulated
from apps.wallets.custody.interface import NETWORKS, is_simulated
from apps.wallets.deposits.actions import follow_all
from apps.wallets.liabilities import actions as liabilities
from apps.wallets.transfers.actions import look_up_left_behind
from apps.wallets.withdrawals import addresses, sending


@shared_task(name="wallets.reconcile", ignore_result=True)
def reconcile() -> None:
    """Compare the chains with the ledger, and publish what is owed."""
    follow_all(now=clock.now())
    sending.advance_all(now=clock.now())
    liabilities.reconcile(now=clock.now())
    liabilities.publish_liabilities(now=clock.now())


@shared_task(name="wallets.follow_chains", ignore_result=True)
def follow_chains() -> None:
    """Let the simulated chains go on, where there are any, and go on with what comes and leaves."""
    if is_simulated():
        for network in NETWORKS:
            simulated.run_by_itself(network, now=clock.now())
    follow_all(now=clock.now())
    sending.advance_all(now=clock.now())
    addresses.tell_usable(now=clock.now())
    look_up_left_behind(now=clock.now())
    adjustments.go_on(now=clock.now())
