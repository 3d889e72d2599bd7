"""An account: cash by currency, holdings by instrument, and what both are worth in the base currency."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from mats.model.instrument import Instrument, InstrumentId, SecType
from mats.model.money import ONE, ZERO, Currency, exact
from mats.model.orders import AccountId
from mats.venue.universe import Universe

BASE: Currency = "USD"

MARGIN = {SecType.STOCK: Decimal("0.25"), SecType.CASH: Decimal("0.03"), SecType.FUTURE: Decimal("0.10")}
"""Initial margin as a share of the market value: plain figures of the order a margin account knows."""

CENT = Decimal("0.01")

Mark = Callable[[InstrumentId], Decimal]
"""The price an instrument is valued at; 0 where it was never quoted."""


class Holding(msgspec.Struct):
    """A net position: signed `quantity`, the average `price` it was opened at, what was `realized` in its currency."""

    quantity: Decimal = ZERO
    price: Decimal = ZERO
    realized: Decimal = ZERO


class Worth(msgspec.Struct, frozen=True):
    """Figures of an account in the base currency."""

    cash: Decimal
    holdings: Decimal
    gross: Decimal
    margin: Decimal
    unrealized: Decimal
    realized: Decimal

    @property
    def equity(self) -> Decimal:
        return self.cash + self.holdings


class Account(msgspec.Struct):
    """The account and its books; every change goes through `book`."""

    id: AccountId
    cash: dict[Currency, Decimal]
    holdings: dict[InstrumentId, Holding] = {}

    def quantity(self, name: InstrumentId) -> Decimal:
        holding = self.holdings.get(name)
        return holding.quantity if holding else ZERO

    def book(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """Books a signed quantity at a price; returns the profit it realised, in the instrument's currency.

        Stock and pairs move cash by their full value; a pair moves its base currency too. A future moves cash by its
        realised profit alone.
        """
        holding = self.holdings.setdefault(instrument.id, Holding())
        realized = _close(holding, quantity, price) * instrument.multiplier
        holding.realized += realized
        if instrument.sec_type is SecType.FUTURE:
            self.pay(instrument.currency, realized)
            return realized
        self.pay(instrument.currency, -quantity * price * instrument.multiplier)
        if instrument.sec_type is SecType.CASH:
            self.pay(instrument.symbol, quantity)
        return realized

    def pay(self, currency: Currency, amount: Decimal) -> None:
        """Adds a signed amount to the cash of a currency."""
        self.cash[currency] = self.cash.get(currency, ZERO) + amount

    def worth(self, universe: Universe, mark: Mark) -> Worth:
        """What the account is worth at the marks; pairs count as the cash that they moved, and never twice."""
        cash = sum((amount * rate(currency, universe, mark) for currency, amount in self.cash.items()), ZERO)
        held = gross = margin = unrealized = realized = ZERO
        for name, holding in self.holdings.items():
            instrument = universe.instrument(name)
            fx = rate(instrument.currency, universe, mark)
            realized += holding.realized * fx
            if not holding.quantity:
                continue
            price = mark(name) or holding.price
            value = holding.quantity * price * instrument.multiplier * fx
            gain = holding.quantity * (price - holding.price) * instrument.multiplier * fx
            unrealized += gain
            margin += abs(value) * MARGIN.get(instrument.sec_type, ONE)
            if instrument.sec_type is SecType.CASH:
                continue
            gross += abs(value)
            held += gain if instrument.sec_type is SecType.FUTURE else value
        return Worth(cash, held, gross, margin, unrealized, realized)


def _close(holding: Holding, quantity: Decimal, price: Decimal) -> Decimal:
    """Folds a trade into the holding; returns the profit per unit of multiplier of what it closed."""
    before, after = holding.quantity, holding.quantity + quantity
    holding.quantity = after
    if before * quantity >= 0:
        holding.price = (before * holding.price + quantity * price) / after if after else ZERO
        return ZERO
    closed = min(abs(before), abs(quantity)) * (1 if before > 0 else -1)
    gain = closed * (price - holding.price)
    if before * after <= 0:
        holding.price = price if after else ZERO
    return gain


def rate(currency: Currency, universe: Universe, mark: Mark) -> Decimal:
    """Units of the base currency for one unit of `currency`: by the pair's mark, by its listed level before the first
    quote, and 1 where no pair is listed."""
    if currency == BASE:
        return ONE
    if currency + BASE in universe:
        return mark(currency + BASE) or exact(universe.listing(currency + BASE).price)
    if BASE + currency in universe:
        return ONE / (mark(BASE + currency) or exact(universe.listing(BASE + currency).price))
    return ONE


def account_values(account: Account, worth: Worth, universe: Universe, mark: Mark) -> list[tuple[str, str, Currency]]:
    """Tag, value and currency of each account value, as IB names them; amounts in units of the currency."""
    available = worth.equity - worth.margin
    totals = {
        "NetLiquidation": worth.equity,
        "EquityWithLoanValue": worth.equity,
        "TotalCashValue": worth.cash,
        "SettledCash": worth.cash,
        "GrossPositionValue": worth.gross,
        "InitMarginReq": worth.margin,
        "MaintMarginReq": worth.margin,
        "AvailableFunds": available,
        "ExcessLiquidity": available,
        "BuyingPower": max(available, ZERO) * 4,
        "UnrealizedPnL": worth.unrealized,
        "RealizedPnL": worth.realized,
    }
    values = [("AccountReady", "true", ""), ("AccountType", "INDIVIDUAL", "")]
    values += [(tag, str(amount.quantize(CENT)), BASE) for tag, amount in totals.items()]
    values.append(("TotalCashBalance", str(worth.cash.quantize(CENT)), "BASE"))
    for currency, amount in sorted(account.cash.items()):
        values.append(("CashBalance", str(amount.quantize(CENT)), currency))
        values.append(("TotalCashBalance", str(amount.quantize(CENT)), currency))
        values.append(("ExchangeRate", f"{rate(currency, universe, mark):.8f}", currency))
    return values
