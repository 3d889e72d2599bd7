"""Formatting of tables and lines on a terminal, for the live screen and the report at the end of a run."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.table import Table
from rich.text import Text

from mats.ledger.valuation import TradingResult
from mats.model import Figure, Unknown

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


def line(*parts: str | Text | tuple[str, str]) -> Text:
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


def amount(figure: Figure | None, form: str = ",.0f") -> Text:
    """A figure of the base currency; `?` when it is not known."""
    return unknown() if figure is None or isinstance(figure, Unknown) else Text(format(figure, form))


def gain(figure: Figure | None) -> Text:
    """Profit green, loss red; `?` when it is not known."""
    if figure is None or isinstance(figure, Unknown):
        return unknown()
    return Text(f"{figure:+,.2f}", style="green" if figure > 0 else "red") if figure else Text("0", style="dim")


def gains(result: TradingResult | None) -> tuple[Text, Text]:
    """Realized less commissions, and unrealized."""
    return (unknown(), unknown()) if result is None else (gain(result.net_realized), gain(result.unrealized))


def exposure(result: TradingResult | None) -> Text:
    """The signed value of what is held; with long and short positions together, the gross value too."""
    if result is None or isinstance(result.net, Unknown) or isinstance(result.gross, Unknown):
        return unknown()
    beside = f" of {result.gross:,.0f}" if result.gross != abs(result.net) else ""
    return Text(f"{result.net:+,.0f}{beside}") if result.gross else Text("0", style="dim")
