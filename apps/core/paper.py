"""Documents on paper (PDF): a head, facts, tables of single lines, notes, and "Page 1 of 3".

Every line has the same height, so the pages are known before the first is drawn. The same document
has the same bytes, whenever it is made. It knows no business: what the cells say comes from above.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

# The site's own colours, as they are on white (static/css/tokens.css).
_STRONG: Final = HexColor("#0d1320")
_NORMAL: Final = HexColor("#343d4d")
_MUTED: Final = HexColor("#5d6778")
_LINE: Final = HexColor("#dfe3ea")
_LINE_STRONG: Final = HexColor("#c3cad6")
_ACCENT: Final = HexColor("#6a5cf0")
_WHITE: Final = HexColor("#ffffff")
_DOWN: Final = HexColor("#ab0d2b")

_REGULAR: Final = "Inter-Regular"
_BOLD: Final = "Inter-SemiBold"
_FONTS: Final = Path(__file__).parent / "fonts"

_MARGIN: Final = 16 * mm
_TOP: Final = 14 * mm
_FOOT: Final = 14 * mm
_ROW: Final = 13.5
_GAP: Final = 8.0
_TEXT: Final = 7.6
_SMALL: Final = 6.8


@dataclass(frozen=True, slots=True)
class Column:
    """``share`` is its part of the width. Numbers stand at the right; negative ones are red."""

    title: str
    share: float
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of single lines; a cell that is too wide is cut, and ends with an ellipsis.

    ``totals`` are drawn below, stronger. ``empty`` is said where there are no rows.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    totals: Sequence[Sequence[str]] = ()
    empty: str = "None."


@dataclass(frozen=True, slots=True)
class Document:
    """``facts`` are pairs of a name and what it is; ``about`` stands at the foot of each page."""

    title: str
    about: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    notes: Sequence[str] = ()
    wide: bool = False


def pdf_of(document: Document) -> bytes:
    """Return the document as PDF."""
    return _Drawing(document).drawn()


@cache
def _load_fonts() -> None:
    for name in (_REGULAR, _BOLD):
        registerFont(TTFont(name, str(_FONTS / f"{name}.ttf")))


class _Drawing:
    """Where on which page the next line comes. ``page`` counts from one."""

    def __init__(self, document: Document) -> None:
        _load_fonts()
        self.document = document
        self.width, self.height = landscape(A4) if document.wide else A4
        self.inside = self.width - 2 * _MARGIN
        self.y = 0.0
        self.page = 0
        self.pages = 0
        self.canvas: Canvas | None = None

    def drawn(self) -> bytes:
        # Once without paper, to know how many pages there are.
        self._lay_out()
        self.pages, self.page = self.page, 0
        paper = BytesIO()
        self.canvas = Canvas(paper, (self.width, self.height), invariant=1, pageCompression=1)
        self.canvas.setTitle(self.document.title)
        self.canvas.setAuthor("SUM+1")
        self.canvas.setSubject(self.document.about)
        self._lay_out()
        self.canvas.showPage()
        self.canvas.save()
        return paper.getvalue()

    def _lay_out(self) -> None:
        self._begin_page()
        self._title()
        for table in self.document.tables:
            self._table(table)
        self._notes()

    def _begin_page(self) -> None:
        if self.page and self.canvas is not None:
            self.canvas.showPage()
        self.page += 1
        self.y = self.height - _TOP
        self._foot()

    def _room(self, points: float) -> bool:
        """Whether so much fits onto the page; a new page is begun where it does not."""
        if self.y - points >= _FOOT + 2 * mm:
            return True
        self._begin_page()
        return False

    def _foot(self) -> None:
        self._rule(_FOOT, _LINE)
        self._text(_MARGIN, _FOOT - 10, self.document.about, size=_SMALL, color=_MUTED)
        words = f"Page {self.page} of {self.pages}"
        self._text(self.width - _MARGIN, _FOOT - 10, words, size=_SMALL, color=_MUTED, right=True)

    def _title(self) -> None:
        self._mark(_MARGIN, self.y - 20)
        self._text(_MARGIN + 28, self.y - 14.5, "SUM+1", font=_BOLD, size=13, color=_STRONG)
        self._text(
            self.width - _MARGIN, self.y - 14.5, self.document.title, font=_BOLD, size=13,
            color=_STRONG, right=True,
        )  # fmt: skip
        self.y -= 34
        self._rule(self.y, _LINE_STRONG)
        self.y -= 6
        half = self.inside / 2
        for number, (name, value) in enumerate(self.document.facts):
            left = _MARGIN + half * (number % 2)
            if number % 2 == 0:
                self.y -= _ROW
            self._text(left, self.y, name, color=_MUTED)
            self._text(left + 74, self.y, value, color=_STRONG, width=half - 84)
        self.y -= _ROW

    def _table(self, table: Table) -> None:
        self._room(26 + 3 * _ROW)
        self.y -= 20
        self._text(_MARGIN, self.y, table.title, font=_BOLD, size=9.5, color=_STRONG)
        self.y -= 4
        self._head(table)
        if not table.rows:
            self.y -= _ROW
            self._text(_MARGIN, self.y + 4, table.empty, color=_MUTED)
        for row in table.rows:
            self._row(table, row, _REGULAR)
        for number, row in enumerate(table.totals):
            if number == 0:
                self._rule(self.y, _LINE_STRONG)
            self._row(table, row, _BOLD)

    def _head(self, table: Table) -> None:
        self.y -= _ROW
        for left, right, column in self._places(table):
            at = right if column.is_number else left
            self._text(
                at, self.y + 4, column.title, size=_SMALL, color=_MUTED, right=column.is_number,
                width=right - left,
            )  # fmt: skip
        self._rule(self.y, _LINE_STRONG)

    def _row(self, table: Table, row: Sequence[str], font: str) -> None:
        if not self._room(_ROW):
            self.y -= 6
            self._head(table)
        self.y -= _ROW
        for (left, right, column), value in zip(self._places(table), row, strict=True):
            at = right if column.is_number else left
            is_less = column.is_number and value.startswith("-")
            self._text(
                at, self.y + 4, value, font=font, right=column.is_number, width=right - left,
                color=_DOWN if is_less else _STRONG if column.is_number else _NORMAL,
            )  # fmt: skip
        self._rule(self.y, _LINE)

    def _notes(self) -> None:
        lines = [line for note in self.document.notes for line in self._folded(note)]
        if lines:
            self._room(20 + len(lines) * 10)
            self.y -= 12
        for line in lines:
            self._room(10)
            self.y -= 10
            self._text(_MARGIN, self.y, line, size=_SMALL, color=_MUTED)

    def _folded(self, note: str) -> Iterator[str]:
        line = ""
        for word in note.split():
            longer = f"{line} {word}".strip()
            if stringWidth(longer, _REGULAR, _SMALL) > self.inside:
                yield line
                longer = word
            line = longer
        yield line

    def _places(self, table: Table) -> Iterator[tuple[float, float, Column]]:
        whole = sum(column.share for column in table.columns)
        left = _MARGIN
        last = len(table.columns) - 1
        for number, column in enumerate(table.columns):
            wide = self.inside * column.share / whole
            yield left, left + wide - (0 if number == last else _GAP), column
            left += wide

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        font: str = _REGULAR,
        size: float = _TEXT,
        color: Any = _NORMAL,
        right: bool = False,
        width: float = 0,
    ) -> None:
        if self.canvas is None:
            return
        if width:
            text = _fitted(text, font, size, width)
        self.canvas.setFont(font, size)
        self.canvas.setFillColor(color)
        (self.canvas.drawRightString if right else self.canvas.drawString)(x, y, text)

    def _rule(self, y: float, color: Any) -> None:
        if self.canvas is not None:
            self.canvas.setStrokeColor(color)
            self.canvas.setLineWidth(0.5)
            self.canvas.line(_MARGIN, y, self.width - _MARGIN, y)

    def _mark(self, x: float, y: float) -> None:
        """Draw the mark as static/img/mark.svg has it: 24 units wide, y downwards."""
        if self.canvas is None:
            return
        paper = self.canvas
        paper.saveState()
        paper.translate(x, y + 20)
        paper.scale(20 / 24, -20 / 24)
        paper.setFillColor(_ACCENT)
        paper.roundRect(0, 0, 24, 24, 6, stroke=0, fill=1)
        paper.setStrokeColor(_WHITE)
        paper.setLineWidth(2)
        paper.setLineCap(1)
        paper.setLineJoin(1)
        line = paper.beginPath()
        for begin, *others in (
            ((12.5, 6.5), (5.5, 6.5), (9.5, 12), (5.5, 17.5), (12.5, 17.5)),
            ((18, 9), (18, 15)), ((15, 12), (21, 12)),
        ):  # fmt: skip
            line.moveTo(*begin)
            for point in others:
                line.lineTo(*point)
        paper.drawPath(line, stroke=1, fill=0)
        paper.restoreState()


def _fitted(text: str, font: str, size: float, width: float) -> str:
    """Return the text, cut where it is wider than there is room."""
    if stringWidth(text, font, size) <= width:
        return text
    while text and stringWidth(f"{text}…", font, size) > width:
        text = text[:-1]
    return f"{text}…"
