"""Gains as files: CSV of every disposal, and PDF with what came, left and is open beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apps.core.clock import from_ns
from apps.core.errors import Refused
from apps.core.paper import Column, Document, Table, pdf_of
from apps.core.spreadsheet import lines
from apps.trades.tax.presentation import (
    asset_json,
    disposal_json,
    lot_json,
    passage_json,
)
from apps.trades.tax.queries import Gains
from apps.trades.tax.rules import METHOD_WORDS
from apps.wallets.presentation import amount_text
from apps.wallets.statements.presentation import day_and_time

PDF_ROWS_MAX: Final = 3_000
LOTS_SHOWN: Final = 500
_COLUMNS: Final = (
    "asset", "quantity", "acquired_at", "disposed_at", "days_held", "acquired_by", "proceeds",
    "cost", "fees", "gain", "lot", "sale",
)  # fmt: skip
NOTES: Final = (
    "Gain is proceeds, less cost, less fees; fees are those of the sale and the lot's part of those"
    " of its purchase. Money is in USDT.",
    "What was deposited or transferred in is a lot that has cost what it was worth at the last"
    " market price of that moment; your own records of what you paid elsewhere may say otherwise."
    " What was withdrawn or transferred out takes its lots with it at their cost and makes no"
    " gain, and neither does moving between your accounts: it enters the other at market value.",
    "A trade against an asset other than USDT is a sale of the one and a purchase of the other, at"
    " the last price of the other. What came before an asset had any price enters at its first.",
    "Parts of a lot and of a sale are cut off to the smallest unit; the last part carries the"
    " rest, so all parts add up. This counts; it is no advice on what is taxed where you live.",
)


def gains_csv(gains: Gains) -> Iterator[str]:
    """Yield every disposal, by asset and then in the order of sales."""
    return lines(
        _COLUMNS,
        (
            disposal_json(disposal, each.asset, gains.value)
            for each in gains.assets
            for disposal in each.disposals
        ),
    )


def gains_pdf(gains: Gains) -> bytes:
    """Return gains, passages and open lots on paper."""
    if gains.rows > PDF_ROWS_MAX:
        raise Refused(
            "statement_too_long",
            f"There are {gains.rows} lines in this period, and a PDF takes {PDF_ROWS_MAX}. Choose"
            " a shorter period, or CSV.",
        )
    until = [("Until", day_and_time(gains.ends))] if gains.goes_on else []
    words = METHOD_WORDS[gains.method]
    document = Document(
        title="Gains and lots",
        about=f"SUM+1 · Gains · {gains.account.name} · {words} · {gains.period.words}",
        facts=[
            ("Holder", gains.owner.display_name or gains.owner.email),
            ("Account", gains.account.name),
            ("E-mail", gains.owner.email),
            ("Number", str(gains.account.public_id)),
            ("Period", gains.period.words),
            ("Method", words),
            *until,
        ],
        tables=_tables(gains),
        notes=NOTES,
        wide=True,
    )
    return pdf_of(document)


def file_name(gains: Gains, ending: str) -> str:
    return f"sum1-gains-{gains.method.value}-{gains.period.first}-{gains.period.last}.{ending}"


def _tables(gains: Gains) -> list[Table]:
    value = gains.value
    total = ["All", "", "", "", "", amount_text(gains.gain_minor, value), ""]
    return [
        Table("Gains by asset", _ASSET_COLUMNS, _asset_rows(gains), [total],
              empty="Nothing was sold in this period."),
        Table("What was sold", _SALE_COLUMNS, _sale_rows(gains),
              empty="Nothing was sold in this period."),
        Table("What came and left without a sale", _PASSAGE_COLUMNS, _passage_rows(gains),
              empty="Nothing came or left in this period."),
        Table("Lots open at the end", _LOT_COLUMNS, _lot_rows(gains), empty="No lot is open."),
    ]  # fmt: skip


_ASSET_COLUMNS: Final = (
    Column("Asset", 1), Column("Sold", 2, True), Column("Proceeds", 2, True),
    Column("Cost", 2, True), Column("Fees", 2, True), Column("Gain", 2, True),
    Column("Left, at cost", 2, True),
)  # fmt: skip
_SALE_COLUMNS: Final = (
    Column("Asset", 0.8), Column("Quantity", 1.8, True), Column("Acquired", 2.1),
    Column("Sold", 2.1), Column("Days", 0.7, True), Column("By", 1), Column("Proceeds", 1.8, True),
    Column("Cost", 1.8, True), Column("Fees", 1.5, True), Column("Gain", 1.8, True),
)  # fmt: skip
_PASSAGE_COLUMNS: Final = (
    Column("Time", 2), Column("Asset", 1), Column("What", 1.5), Column("Quantity", 2, True),
    Column("Market value, or cost", 2, True),
)  # fmt: skip
_LOT_COLUMNS: Final = (
    Column("Acquired", 2), Column("Asset", 1), Column("By", 1.5), Column("Quantity left", 2, True),
    Column("Cost with fees", 2, True),
)  # fmt: skip


def _asset_rows(gains: Gains) -> list[list[str]]:
    rows = []
    for each in gains.assets:
        shown = asset_json(each, gains.value)
        names = ("asset", "quantity", "proceeds", "cost", "fees", "gain", "cost_open")
        rows.append([str(shown[name]) for name in names])
    return rows


def _sale_rows(gains: Gains) -> list[list[str]]:
    rows = []
    for each in gains.assets:
        for disposal in each.disposals:
            shown = disposal_json(disposal, each.asset, gains.value)
            rows.append([
                each.asset.code, str(shown["quantity"]),
                day_and_time(from_ns(disposal.acquired_ns)),
                day_and_time(from_ns(disposal.disposed_ns)),
                *(str(shown[name]) for name in (
                    "days_held", "acquired_by", "proceeds", "cost", "fees", "gain")),
            ])  # fmt: skip
    return rows


def _passage_rows(gains: Gains) -> list[list[str]]:
    rows = []
    for each in gains.assets:
        for passage in each.passages:
            shown = passage_json(passage, each.asset, gains.value)
            what = "came in" if shown["direction"] == "in" else "left"
            rows.append([
                day_and_time(from_ns(passage.at_ns)), each.asset.code, what,
                str(shown["quantity"]), str(shown["basis"]),
            ])  # fmt: skip
    return rows


def _lot_rows(gains: Gains) -> list[list[str]]:
    rows = []
    for each in gains.assets:
        for lot in each.lots[:LOTS_SHOWN]:
            shown = lot_json(lot, each.asset, gains.value)
            rows.append([
                day_and_time(from_ns(lot.at_ns)), each.asset.code, str(shown["acquired_by"]),
                str(shown["quantity"]), str(shown["cost"]),
            ])  # fmt: skip
        more = each.lots[LOTS_SHOWN:]
        if more:
            left = amount_text(sum(lot.left_minor for lot in more), each.asset)
            cost = amount_text(sum(lot.cost_minor for lot in more), gains.value)
            rows.append([f"and {len(more)} more", each.asset.code, "", left, cost])
    return rows
