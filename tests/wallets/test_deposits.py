"""Deposits: seen at once, credited once when final, and never before or twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.core.errors import NotFound
from apps.core.models import OutboxEvent
from apps.wallets.custody import addresses, simulated
from apps.wallets.custody.interface import NETWORKS, get_custody, network_of
from apps.wallets.deposits.actions import address_for, follow, follow_all, reference_of
from apps.wallets.deposits.models import ChainDeposit
from apps.wallets.models import LedgerEntry
from apps.wallets.tasks import follow_chains
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BITCOIN = network_of("BTC")
BTC = 100_000_000


@pytest.fixture
def ada() -> factories.Trader:
    factories.listed("BTC-USDT")
    return factories.trader("ada@example.com")


def _address(ada: factories.Trader, asset: str = "BTC") -> str:
    return address_for(actor=ada.user, asset=asset, now=NOW).address


def _mine(blocks: int = 1) -> int:
    simulated.mine("bitcoin", now=NOW, blocks=blocks)
    return follow(BITCOIN, now=NOW)


def _only() -> ChainDeposit:
    return ChainDeposit.objects.get()


def test_an_account_has_one_address_per_chain(ada: factories.Trader) -> None:
    bob = factories.trader("bob@example.com")

    assert _address(ada) == _address(ada, "btc")
    assert _address(ada, "USDT") == _address(ada, "ETH") != _address(ada)
    assert _address(bob) != _address(ada)
    assert get_custody().is_address(chain="bitcoin", address=_address(ada))
    assert not get_custody().is_address(chain="ethereum", address=_address(ada))


def test_an_asset_without_a_chain_has_no_address(ada: factories.Trader) -> None:
    with pytest.raises(NotFound, match="cannot be deposited"):
        _address(ada, "EUR")


def test_a_wrong_letter_is_no_address() -> None:
    address = addresses.address_of("bitcoin", "somebody")
    wrong = [
        address[:at] + ("a" if address[at] != "a" else "b") + address[at + 1 :]
        for at in range(len(address))
    ]

    assert addresses.is_address("bitcoin", address)
    assert not any(addresses.is_address("bitcoin", each) for each in wrong)
    assert not any(addresses.is_address("bitcoin", each) for each in ("", "simbtc1", address * 2))


def test_what_is_seen_is_pending_and_credited_when_final(ada: factories.Trader) -> None:
    simulated.pay_in(outputs=[(_address(ada), "BTC", BTC)], now=NOW)

    steps = [follow(BITCOIN, now=NOW)]
    told = [(_only().state, _only().confirmations, ada.has("BTC"))]
    for _ in range(4):
        steps.append(_mine())
        told.append((_only().state, _only().confirmations, ada.has("BTC")))

    assert steps == [0, 0, 0, 1, 0]
    assert told == [
        ("pending", 0, (0, 0)),
        ("pending", 1, (0, 0)),
        ("pending", 2, (0, 0)),
        ("credited", 3, (BTC, 0)),
        ("credited", 4, (BTC, 0)),
    ]
    entry = LedgerEntry.objects.get(account=ada.account)
    assert entry.reference == reference_of("bitcoin", _only().txid, 0)
    assert _only().credited_at == NOW
    kinds = [event.data["kind"] for event in OutboxEvent.objects.order_by("id")]
    assert kinds == ["deposit_seen", "deposit_credited"]


def test_what_is_looked_at_again_is_credited_once(ada: factories.Trader) -> None:
    simulated.pay_in(outputs=[(_address(ada), "BTC", BTC)], now=NOW)
    _mine(3)
    # As if whoever credited it had died before writing that down.
    ChainDeposit.objects.update(state="pending", credited_at=None)

    assert follow(BITCOIN, now=NOW) == 1
    assert follow(BITCOIN, now=NOW) == 0
    assert ada.has("BTC") == (BTC, 0)
    assert LedgerEntry.objects.filter(account=ada.account).count() == 1


def test_each_output_of_a_transaction_is_a_deposit(ada: factories.Trader) -> None:
    bob = factories.trader("bob@example.com")
    outputs = [(_address(ada), "BTC", 5), (_address(bob), "BTC", 7), (_address(ada), "BTC", 9)]
    simulated.pay_in(outputs=outputs, now=NOW)

    assert _mine(3) == 3

    assert (ada.has("BTC"), bob.has("BTC")) == ((14, 0), (7, 0))


def test_a_reorganisation_takes_back_what_was_not_final(ada: factories.Trader) -> None:
    sent = simulated.pay_in(outputs=[(_address(ada), "BTC", BTC)], now=NOW)
    _mine(2)

    simulated.reorganise("bitcoin", depth=2, now=NOW, drop=[sent.txid])
    follow(BITCOIN, now=NOW)
    gone = (_only().state, _only().confirmations, _only().height)
    _mine(5)

    assert gone == ("gone", 0, None)
    assert (_only().state, ada.has("BTC")) == ("gone", (0, 0))


def test_what_comes_back_after_a_reorganisation_counts_from_its_new_block(
    ada: factories.Trader,
) -> None:
    simulated.mine("bitcoin", now=NOW, blocks=4)
    simulated.pay_in(outputs=[(_address(ada), "BTC", BTC)], now=NOW)
    _mine(2)
    before = (_only().height, _only().confirmations)

    simulated.reorganise("bitcoin", depth=2, now=NOW, shuffle=True)
    follow(BITCOIN, now=NOW)
    after = (_only().height, _only().confirmations, _only().state)

    assert before == (5, 2)
    assert after == (6, 2, "pending")
    assert _mine() == 1
    assert ada.has("BTC") == (BTC, 0)


def test_a_deposit_that_leaves_after_its_credit_is_left_to_people(ada: factories.Trader) -> None:
    sent = simulated.pay_in(outputs=[(_address(ada), "BTC", BTC)], now=NOW)
    _mine(3)

    simulated.reorganise("bitcoin", depth=3, now=NOW, drop=[sent.txid])
    follow(BITCOIN, now=NOW)

    assert (_only().state, _only().problem) == ("credited", "gone")
    assert ada.has("BTC") == (BTC, 0)


def test_a_follower_that_was_away_misses_nothing(ada: factories.Trader) -> None:
    _mine()
    for amount in (1, 2, 3):
        simulated.pay_in(outputs=[(_address(ada), "BTC", amount)], now=NOW)
        simulated.mine("bitcoin", now=NOW, blocks=100)

    assert follow(BITCOIN, now=NOW) == 3
    assert ada.has("BTC") == (6, 0)


def test_what_is_paid_to_nobody_of_us_is_nobodys(ada: factories.Trader) -> None:
    stranger = addresses.address_of("bitcoin", "stranger")
    simulated.pay_in(outputs=[(stranger, "BTC", BTC)], now=NOW)

    assert _mine(3) == 0
    assert ChainDeposit.objects.count() == 0


def test_the_same_commands_make_the_same_chain(ada: factories.Trader) -> None:
    from apps.wallets.custody.models import ChainBlock

    def hashes() -> list[str]:
        at = NOW
        for _ in range(200):
            simulated.run_by_itself(BITCOIN, now=at)
            at += timedelta(seconds=BITCOIN.block_seconds)
        found = list(ChainBlock.objects.order_by("id").values_list("hash", flat=True))
        ChainBlock.objects.all().delete()
        return found

    first = hashes()

    assert hashes() == first
    assert len(first) > 200


def test_the_task_lets_every_chain_go_on_and_credits(ada: factories.Trader) -> None:
    simulated.pay_in(outputs=[(_address(ada), "BTC", BTC)], now=NOW)

    follow_chains()
    follow_chains()

    assert {simulated.tip_height(network.name) for network in NETWORKS} == {1}
    assert _only().confirmations == 1


def test_without_custody_nothing_is_open(ada: factories.Trader, settings: object) -> None:
    settings.DEMO = False  # type: ignore[attr-defined]

    assert follow_all(now=NOW) == 0
    with pytest.raises(Exception, match="not open here yet"):
        _address(ada)
