"""The worked examples of docs/accounting.md: each table is read, played, and recomputed row by row, number by number.

An example is a heading `###`, a line `Terms: …`, a table whose second column says what happened, and, if it has trades,
a table of those. Each row is one entry of the log, and its number is the seq.
"""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from mats.ledger.books.book import market_value, unrealized
from mats.ledger.books.books import Books
from mats.ledger.books.trade_matching import RoundTrips
from mats.model.executions import (
    AdjustmentRecorded,
    Commission,
    CommissionRecorded,
    Execution,
    FillCorrected,
    FillRecorded,
)
from mats.model.orders import Side

PAGE = Path(__file__).parents[2] / "docs" / "accounting.md"
SECONDS = 10
"""So far apart are two executions, but for one that is match to be executed before another."""

TERMS = re.compile(r"Terms: `(?P<instrument>[^`]+)`, (?P<currency>[A-Z]{3}), multiplier (?P<multiplier>[\d.]+)")
FILL = r"(?P<side>buy|sell) (?P<quantity>[\d.]+) at (?P<price>[\d.]+)"
GRAMMAR = {
    "fill": re.compile(rf"{FILL}(, executed before (?P<before>\d+))?"),
    "cost": re.compile(r"(?P<fill>\d+) costs (?P<amount>[\d.]+)( (?P<unit>[A-Z]{3}))?"),
    "fix": re.compile(rf"(?P<fill>\d+) was: {FILL}"),
    "bust": re.compile(r"(?P<fill>\d+) was not"),
    "split": re.compile(r"(?P<new>\d+):(?P<old>\d+) split"),
    "expiry": re.compile(r"expires at (?P<price>[\d.]+)"),
    "adjustment": re.compile(r"adjusted by (?P<quantity>[+-][\d.]+) at (?P<price>[\d.]+)"),
}


def examples():
    """Heading → terms and tables, of every example on the page."""
    page = PAGE.read_text(encoding="utf-8").replace("−", "-")
    sections = re.split(r"^#{2,3} ", page, flags=re.MULTILINE)
    return {s.splitlines()[0]: (TERMS.search(s), tables(s)) for s in sections if TERMS.search(s)}


def tables(section):
    blocks = re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)
    return [rows_of(block) for block in blocks]


def rows_of(block):
    head, _, *lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
    return [dict(zip(head, line, strict=True)) for line in lines]


class Ledger:
    """The books and trades of one example."""

    def __init__(self, terms):
        self.instrument, self.currency = terms["instrument"], terms["currency"]
        self.multiplier, self.log = Decimal(terms["multiplier"]), []
        self.books, self.trips = Books(self._history), RoundTrips(self._history)
        self.trades = {}

    def _history(self, account, strategy, instrument, after=0):
        return [entry for entry in self.log if entry.seq > after]

    def book(self, text, rate):
        kind, match = next((kind, m) for kind, rule in GRAMMAR.items() if (m := rule.fullmatch(text)))
        self.rate = rate
        entry = getattr(self, f"_{kind}")(match)
        self.log.append(entry)
        (change,) = self.books.apply(entry)
        changed = self.trips.apply(entry)
        for trade in changed.removed:
            del self.trades[trade.id]
        self.trades.update((trade.id, trade) for trade in changed.kept)
        return change.after

    def _head(self):
        return {"seq": len(self.log) + 1, "strategy": "trend", "recorded": 10**18, "rate": self.rate}

    def _fill(self, match):
        seq = len(self.log) + 1
        before = match["before"]
        execution = Execution(
            account="DU1", exec_id=f"{seq}.01", instrument=self.instrument, currency=self.currency,
            multiplier=self.multiplier, **self._done(match),
            time=SECONDS * (int(before) if before else seq) - (SECONDS // 2 if before else 0),
        )  # fmt: skip
        return FillRecorded(**self._head(), intent_id="", execution=execution)

    def _done(self, match):
        side = Side.BUY if match["side"] == "buy" else Side.SELL
        return {"side": side, "quantity": Decimal(match["quantity"]), "price": Decimal(match["price"])}

    def _cost(self, match):
        fill = self._latest(match)
        cost = Commission(
            exec_id=fill.exec_id, amount=Decimal(match["amount"]), currency=match["unit"] or self.currency
        )
        earlier = [e.commission for e in self.log if isinstance(e, CommissionRecorded) and e.execution == fill]
        previous = earlier[-1] if earlier else None
        return CommissionRecorded(**self._head(), intent_id="", execution=fill, commission=cost, previous=previous)

    def _fix(self, match):
        return self._corrected(match, **self._done(match))

    def _bust(self, match):
        return self._corrected(match, quantity=Decimal(0))

    def _corrected(self, match, **changes):
        old = self._latest(match)
        new = replace(old, exec_id=f"{old.family}.{old.revision + 1:02d}", **changes)
        return FillCorrected(**self._head(), intent_id="", execution=new, previous=old)

    def _latest(self, match):
        reports = [e.execution for e in self.log if isinstance(e, FillRecorded | FillCorrected)]
        return next(e for e in reversed(reports) if e.family == match["fill"])

    def _split(self, match):
        held = next(iter(self.books)).quantity
        return self._adjusted(held * int(match["new"]) / int(match["old"]) - held, "0", cost=Decimal(0))

    def _expiry(self, match):
        book = next(iter(self.books))
        worth = book.quantity * Decimal(match["price"]) * self.multiplier
        return self._adjusted(-book.quantity, match["price"], cost=-book.cost, realized=worth - book.cost)

    def _adjustment(self, match):
        return self._adjusted(Decimal(match["quantity"]), match["price"])

    def _adjusted(self, quantity, price, **stated):
        return AdjustmentRecorded(
            **self._head(), account="DU1", instrument=self.instrument, quantity=quantity, price=Decimal(price),
            currency=self.currency, multiplier=self.multiplier, reason="example", **stated,
        )  # fmt: skip


def figures(book, row):
    """What the columns of a row should say."""
    price = Decimal(row["price"].replace(",", "")) if row.get("price") else None
    return {
        "quantity": book.quantity,
        "cost": book.cost,
        "average": book.average_price if book.quantity else None,
        "realized": book.realized,
        "commissions": book.commissions,
        "in base": book.net_base,
        "worth": None if price is None else market_value(book, price),
        "unrealized": None if price is None else unrealized(book, price),
    }


def trade_figures(trade):
    return {
        "quantity": trade.quantity,
        "open": trade.entry_price,
        "close": trade.exit_price,
        "gross": trade.gross,
        "commissions": trade.commissions,
        "net": trade.net,
        "in base": trade.net_base,
        "seconds": Decimal(str(trade.seconds)) * 10**9,
    }


def match(text, value):
    """Whether a cell says a value: exactly, or with … as far as it goes."""
    if value is None:
        return text in ("", "–", "unknown")
    if isinstance(value, dict):
        return {unit: Decimal(amount) for amount, unit in re.findall(r"([\d.]+) ([A-Z]{3})", text)} == value
    plain = text.replace(",", "")
    return str(value).startswith(plain[:-1]) if plain.endswith("…") else Decimal(plain) == value


@pytest.mark.parametrize("name", examples())
def test_every_number_of_the_example_is_what_the_ledger_says(name):
    terms, (entries, *trades) = examples()[name]
    ledger = Ledger(terms)
    for number, row in enumerate(entries, 1):
        rate = row.get("rate", "1")
        book = ledger.book(row["entry"], None if rate == "unknown" else Decimal(rate))
        assert row["#"] == str(number)
        for column, value in figures(book, row).items():
            assert column not in row or match(row[column], value), f"entry {number}, {column} is {value}"
    rows = {row["trade"].replace("→", "/"): row for table in trades for row in table}
    assert rows.keys() == (ledger.trades.keys() if trades else set())
    for trade_id, row in rows.items():
        for column, value in trade_figures(ledger.trades[trade_id]).items():
            assert column not in row or match(row[column], value), f"trade {trade_id}, {column} is {value}"


def test_the_page_has_the_examples_that_an_auditor_asks_for():
    assert len(examples()) >= 10
    assert sum(len(table) for _, found in examples().values() for table in found) >= 50
