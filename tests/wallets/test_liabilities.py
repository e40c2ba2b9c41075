"""What is owed can be checked by each person alone; custody and ledger agree, or an alarm rings."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.errors import NotFound
from apps.wallets.custody import simulated
from apps.wallets.deposits.actions import address_for, follow_all
from apps.wallets.deposits.models import ChainDeposit
from apps.wallets.liabilities import check_proof
from apps.wallets.liabilities.actions import publish_liabilities, reconcile
from apps.wallets.liabilities.models import LiabilityTree
from apps.wallets.liabilities.queries import proof_of, published, tree_json
from apps.wallets.liabilities.rules import Leaf, path_of, root_of, tree_of
from apps.wallets.models import Balance
from tests import factories
from tests.wallets.withdrawing import confirmed, go_on, rich

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SCRIPT = Path(check_proof.__file__)
# How busy the machine is says nothing about the tree.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
AMOUNTS = st.lists(st.integers(0, 2**62), min_size=1, max_size=40)


def _leaves(amounts: list[int]) -> list[Leaf]:
    return [Leaf(f"{n:032x}", f"{n + 7:032x}", amount) for n, amount in enumerate(amounts)]


def _proof(leaf: Leaf, path: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": leaf.name, "salt": leaf.salt, "amount_minor": leaf.amount_minor, "path": path,
    }  # fmt: skip


@PATIENT
@given(AMOUNTS)
def test_every_proof_leads_to_root_and_total(amounts: list[int]) -> None:
    leaves = _leaves(amounts)
    levels = tree_of(leaves)
    root = root_of(levels)

    assert root.sum_minor == sum(amounts)
    for index, leaf in enumerate(leaves):
        check_proof.check(_proof(leaf, path_of(levels, index)), root.hash.hex(), sum(amounts))


@PATIENT
@given(AMOUNTS, st.data())
def test_no_other_amount_is_proved(amounts: list[int], data: st.DataObject) -> None:
    leaves = _leaves(amounts)
    levels = tree_of(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = _proof(leaves[index], path_of(levels, index))
    proof["amount_minor"] = data.draw(
        st.integers(-(2**62), 2**63).filter(lambda other: other != leaves[index].amount_minor)
    )

    with pytest.raises(check_proof.Wrong):
        check_proof.check(proof, root_of(levels).hash.hex(), sum(amounts))


@PATIENT
@given(AMOUNTS, st.integers(1, 2**62))
def test_a_negative_account_hides_nothing(amounts: list[int], hidden: int) -> None:
    with pytest.raises(check_proof.Wrong):
        tree_of(_leaves([*amounts, -hidden]))


def test_a_negative_sum_beside_the_path_is_found() -> None:
    levels = tree_of(_leaves([5, 7, 9]))
    proof = _proof(_leaves([5, 7, 9])[0], path_of(levels, 0))
    proof["path"][1]["sum_minor"] = -9

    with pytest.raises(check_proof.Wrong, match="owed"):
        check_proof.check(proof, root_of(levels).hash.hex(), 3)


def test_of_nothing_the_root_is_nothing() -> None:
    assert root_of(tree_of([])).sum_minor == 0


@pytest.mark.django_db
def test_each_person_checks_alone(tmp_path: Path) -> None:
    ada, bob = rich(), factories.trader("bob@example.com", USDT="7")
    factories.trader("carol@example.com")
    publish_liabilities(now=NOW)
    shown = next(tree_json(tree) for tree in published() if tree.asset.code == "USDT")
    file = tmp_path / "proof.json"
    said = []

    for who in (ada, bob):
        file.write_text(json.dumps(proof_of(viewer=who.user, asset="usdt")))
        for total in (shown["total_minor"], "1"):
            asked = [sys.executable, "-I", str(SCRIPT), str(file), shown["root"], total]
            said.append(subprocess.run(asked, capture_output=True, check=False).returncode)

    owed = sum(ada.has("USDT")) + sum(bob.has("USDT"))
    assert (shown["total_minor"], shown["leaves"]) == (str(owed), 2)
    assert said == [0, 1, 0, 1]


@pytest.mark.django_db
def test_a_proof_is_its_owners(engine_gateway: Any) -> None:
    ada, bob = rich(), factories.trader("bob@example.com")
    publish_liabilities(now=NOW)
    client = Client()
    client.force_login(ada.user)

    page = Client().get("/wallet/proof").content.decode()
    mine = client.get("/wallet/proof/USDT.json")
    script = Client().get("/wallet/proof/check_proof.py")

    assert LiabilityTree.objects.get(asset__code="USDT").root in page
    assert mine.json()["amount_minor"] == sum(ada.has("USDT"))
    assert "attachment" in mine["Content-Disposition"]
    assert script.content == SCRIPT.read_bytes()
    assert Client().get("/wallet/proof/USDT.json").status_code == 302
    with pytest.raises(NotFound):
        proof_of(viewer=bob.user, asset="USDT")
    with pytest.raises(NotFound):
        proof_of(viewer=ada.user, asset="EUR")


@pytest.mark.django_db
def test_names_and_salts_are_new_each_day(engine_gateway: Any) -> None:
    ada = rich()
    publish_liabilities(now=NOW)
    first = proof_of(viewer=ada.user, asset="USDT")
    publish_liabilities(now=NOW.replace(day=11))
    second = proof_of(viewer=ada.user, asset="USDT")

    assert first["amount_minor"] == second["amount_minor"]
    assert (first["name"], first["salt"]) != (second["name"], second["salt"])


@pytest.mark.django_db
def test_custody_and_ledger_agree_at_every_step(engine_gateway: Any) -> None:
    ada = rich()
    address = address_for(actor=ada.user, asset="USDT", now=NOW).address
    problems: list[str] = []

    def look() -> None:
        problems.extend(row.problem for row in reconcile(now=NOW))

    look()
    simulated.pay_in(outputs=[(address, "USDT", 500)], now=NOW)
    for _ in range(7):
        simulated.mine("ethereum", now=NOW)
        look()
        follow_all(now=NOW)
        look()
    confirmed(ada, "100")
    for _ in range(8):
        go_on()
        look()

    assert set(problems) == {""}


@pytest.mark.django_db
def test_a_difference_is_an_alarm(engine_gateway: Any) -> None:
    ada = rich()
    address = address_for(actor=ada.user, asset="USDT", now=NOW).address
    simulated.pay_in(outputs=[(address, "USDT", 500)], now=NOW)
    simulated.mine("ethereum", now=NOW, blocks=6)
    follow_all(now=NOW)
    ChainDeposit.objects.all().delete()

    found = next(row for row in reconcile(now=NOW) if row.asset.code == "USDT")

    assert found.problem == "500 came in over the chain and stands nowhere"


@pytest.mark.django_db
@pytest.mark.breaks_ledger
def test_what_is_owed_without_a_deposit_is_an_alarm(engine_gateway: Any) -> None:
    ada = rich()
    balance = Balance.objects.get(account=ada.account, asset__code="USDT")
    Balance.objects.filter(account=ada.account, asset__code="USDT").update(
        available_minor=balance.available_minor + 3
    )

    found = next(row for row in reconcile(now=NOW) if row.asset.code == "USDT")

    assert found.problem == "3 is owed and was never deposited"
