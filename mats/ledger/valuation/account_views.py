"""An account at one moment: cash, equity, exposure and P&L, by strategy and in total, in the base currency."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from mats.ledger.books import Book
from mats.ledger.valuation.broker_figures import AccountFigures
from mats.ledger.valuation.cash_flows import Payment, cash_flow, payment
from mats.ledger.valuation.trading_results import Marks, TradingResult, combined, result
from mats.model import AccountId, Currency, Figure, StrategyName, Unknown, difference, total


class StrategyView(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy in an account. `equity` is the amount it may trade with; `Discretionary` has none."""

    strategy: StrategyName
    equity: Decimal | None
    result: TradingResult


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """The value and the exposure of an account. Every figure without a currency is in `base`.

    `cash` are the broker's balances by currency, `unexplained` the part of them not caused by fills: deposits,
    dividends, interest, fees. `equity` is the broker's net liquidation value; `own_equity` is the same from those
    balances, our books, prices and rates, and `deviation` is own less broker's:
    a check of books, prices and rates in one figure.
    `result` nets the positions of all strategies, so its `gross` may be less than the sum of theirs. `overcommitted`
    explains that the equities of its strategies exceed its own; empty when they do not.
    """

    account: AccountId
    base: Currency
    cash: Mapping[Currency, Decimal]
    unexplained: Mapping[Currency, Decimal]
    equity: Figure
    own_equity: Figure
    result: TradingResult
    strategies: tuple[StrategyView, ...]
    overcommitted: str = ""

    @property
    def deviation(self) -> Figure:
        return difference(self.own_equity, self.equity)

    @property
    def missing(self) -> tuple[str, ...]:
        """The reasons of all unknown figures, once each; empty when every figure is known."""
        figures = [self.equity, self.own_equity]
        for part in (self.result, *(strategy.result for strategy in self.strategies)):
            figures += [part.gross, part.net, part.realized, part.unrealized, part.commissions]
        reasons = [reason for f in figures if isinstance(f, Unknown) for reason in f.reason.split("; ")]
        return tuple(dict.fromkeys(reasons))


def account_view(
    account: AccountId,
    books: Iterable[Book],
    figures: AccountFigures,
    marks: Marks,
    equities: Mapping[StrategyName, Decimal | None],
    overcommitted: str = "",
) -> AccountView:
    """The view of one account; `books` may be those of all accounts, `equities` are those of this one's strategies."""
    own = [book for book in books if book.account == account]
    cash = figures.cash(account)
    return AccountView(
        account=account,
        base=figures.rates.base,
        cash=cash,
        unexplained=_unexplained(cash, own),
        equity=figures.equity(account),
        own_equity=_own_equity(account, own, figures, marks),
        result=result(own, marks),
        strategies=tuple(
            StrategyView(
                strategy=name,
                equity=equities.get(name),
                result=result((book for book in own if book.strategy == name), marks),
            )
            for name in sorted({book.strategy for book in own} | equities.keys())
        ),
        overcommitted=overcommitted,
    )


def results_of(views: Iterable[AccountView]) -> dict[StrategyName, TradingResult]:
    """The result of each strategy over all accounts."""
    found: dict[StrategyName, list[TradingResult]] = {}
    for line in (line for view in views for line in view.strategies):
        found.setdefault(line.strategy, []).append(line.result)
    return {strategy: combined(results) for strategy, results in found.items()}


def _unexplained(cash: Mapping[Currency, Decimal], books: Iterable[Book]) -> dict[Currency, Decimal]:
    """The balances less all cash flows of fills; for currencies that the broker reports."""
    unexplained = dict(cash)
    for book in books:
        for currency, amount in cash_flow(book).items():
            if currency in unexplained:
                unexplained[currency] -= amount
    return unexplained


def _own_equity(account: AccountId, books: Iterable[Book], figures: AccountFigures, marks: Marks) -> Figure:
    """Cash and positions. Futures count by their P&L since the last settlement where the broker reports it.

    Source: IB's account values: net liquidation is cash balance + positions paid in full + `FuturesPNL`.
    """
    cash = figures.cash(account)
    if not cash:
        return Unknown(f"the broker has not reported the cash of {account}")
    settled = {currency: figures.figure(account, "FuturesPNL", currency) for currency in cash}
    parts = [marks.in_base(amount, currency) for currency, amount in cash.items()]
    parts += [marks.in_base(gain, currency) for currency, gain in settled.items() if gain is not None]
    for book in books:
        if payment(book.instrument) is not Payment.GAINS or settled.get(book.currency) is None:
            parts.append(marks.equity_contribution(book))
    return total(parts)
