"""Background work of the wallets: following the chains and what leaves on them."""

from __future__ import annotations

from celery import shared_task

from apps.core import clock
from apps.wallets.custody import simulated
from apps.wallets.custody.interface import NETWORKS, is_simulated
from apps.wallets.deposits.actions import follow_all
from apps.wallets.withdrawals import addresses, sending


@shared_task(name="wallets.follow_chains", ignore_result=True)
def follow_chains() -> None:
    """Let the simulated chains go on, where there are any, and go on with what comes and leaves."""
    if is_simulated():
        for network in NETWORKS:
            simulated.run_by_itself(network, now=clock.now())
    follow_all(now=clock.now())
    sending.advance_all(now=clock.now())
    addresses.tell_usable(now=clock.now())
