"""From the actors' state to the rows that an operator reads."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from mats.ledger.books import Book, unrealized
from mats.model import AccountId, InstrumentId, StrategyName, StrategyRecord, exact
from mats.operator.protocol import BookLine, EquityLine, StrategyStatus

Equities = Mapping[StrategyName, Decimal | None]


def book_lines(books: Iterable[Book], prices: Mapping[InstrumentId, float]) -> tuple[BookLine, ...]:
    """Every book by account, strategy and instrument; an open one without a price has no unrealized P&L."""
    return tuple(_book_line(book, prices.get(book.instrument)) for book in sorted(books, key=lambda book: book.key))


def _book_line(book: Book, price: float | None) -> BookLine:
    known = None if price is None else exact(price)
    unrealized_result = Decimal(0) if not book.quantity else None if known is None else unrealized(book, known)
    return BookLine(
        account=book.account,
        strategy=book.strategy,
        instrument=book.instrument,
        quantity=book.quantity,
        average_cost=book.average_cost,
        price=known,
        realized=book.realized,
        unrealized=unrealized_result,
        commissions=book.commissions,
        currency=book.currency,
    )


def strategy_lines(
    records: Iterable[StrategyRecord],
    running: Collection[StrategyName],
    faults: Mapping[StrategyName, str],
    waiting: Mapping[StrategyName, str],
    halts: Mapping[str, str] | None,
    equities: Equities | None,
    data_faults: Mapping[StrategyName, str],
) -> tuple[StrategyStatus, ...]:
    """The strategy table with the state of each strategy; `halt` is `unknown` where the risk manager did not answer."""
    return tuple(
        StrategyStatus(
            name=record.name,
            active=record.active,
            running=record.name in running,
            weight=record.target_weight,
            equity=(equities or {}).get(record.name),
            halt="unknown" if halts is None else halts.get("", "") or halts.get(record.name, ""),
            fault=faults.get(record.name, ""),
            waiting=waiting.get(record.name, ""),
            data=data_faults.get(record.name, ""),
        )
        for record in records
    )


def equity_lines(
    records: Iterable[StrategyRecord], accounts: tuple[AccountId, ...], equities: Equities
) -> tuple[EquityLine, ...]:
    """Each strategy's account (its own, else the first one; empty before any is known), weight and equity."""
    first = next(iter(accounts), "")
    return tuple(
        EquityLine(
            strategy=record.name,
            account=record.account or first,
            weight=record.target_weight,
            equity=equities.get(record.name),
        )
        for record in records
    )
