"""How tables and lines look on a terminal: one style for the live screen and for the last report."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mats.ledger.book import Book, unrealized
from mats.model.instrument import InstrumentId
from mats.model.money import Currency, exact

T = TypeVar("T")


def unknown() -> Text:
    return Text("?", style="bold yellow")


def new_table(title: str, *columns: str) -> Table:
    """A table whose first column is headed by the title; a column `>name` is aligned to the right."""
    table = Table(expand=True, box=None, pad_edge=False, header_style="dim")
    table.add_column(Text(title, style="not dim bold cyan"), no_wrap=True, overflow="ellipsis", min_width=14)
    for column in columns:
        table.add_column(column.removeprefix(">"), no_wrap=True, overflow="ellipsis")
        table.columns[-1].justify = "right" if column.startswith(">") else "left"
    table.columns[-1].ratio = 1
    return table


def line(*parts: str | tuple[str, str]) -> Text:
    """One line of styled parts, cut with an ellipsis where the terminal ends."""
    text = Text.assemble(*parts, no_wrap=True, overflow="ellipsis")
    text.plain = text.plain.replace("\n", " ")
    return text


def fitting(table: Table, rows: Sequence[T], room: int) -> Iterator[T]:
    """The rows that fit into `room` lines; where some do not, the last line says how many."""
    shown = len(rows) if len(rows) <= room else max(room - 1, 0)
    yield from rows[:shown]
    if shown < len(rows):
        table.add_row(Text(f"… {len(rows) - shown} more", style="dim"))


def gain(amounts: Mapping[Currency, Decimal] | None) -> RenderableType:
    """Profit green, loss red, each currency by itself; `?` when it is not known."""
    if amounts is None:
        return unknown()
    told = {currency: amount for currency, amount in amounts.items() if amount}
    parts = [(f"{amount:+,.2f} {currency}", "green" if amount > 0 else "red") for currency, amount in told.items()]
    return Text("  ").join(Text(*part) for part in parts) if parts else Text("0", style="dim")


def realized(books: Iterable[Book]) -> Mapping[Currency, Decimal]:
    """What was earned by closing, less commissions, by currency."""
    totals: dict[Currency, Decimal] = defaultdict(Decimal)
    for book in books:
        totals[book.currency] += book.realized
        for currency, commission in book.commissions.items():
            totals[currency] -= commission
    return totals


def unrealized_gain(books: Iterable[Book], prices: Mapping[InstrumentId, float]) -> Mapping[Currency, Decimal] | None:
    """What the open positions would earn at these prices; None where one has no price."""
    totals: dict[Currency, Decimal] = defaultdict(Decimal)
    for book in (book for book in books if book.quantity):
        if (price := prices.get(book.instrument)) is None:
            return None
        totals[book.currency] += unrealized(book, exact(price))
    return totals
