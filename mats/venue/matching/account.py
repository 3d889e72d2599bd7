"""An account: cash by currency, holdings by instrument, and their valuation in the base currency."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from mats.model import ONE, ZERO, AccountId, Currency, Instrument, InstrumentId, Nanos, SecType, exact, to_datetime
from mats.venue.markets import Universe
from mats.venue.models import IntradayMargin, MarginModel

BASE: Currency = "USD"

CENT = Decimal("0.01")

MARGINED = frozenset({SecType.FUTURE, SecType.CFD})
"""Types that are settled by their gains, and not paid."""

DEFAULT_MARGIN: MarginModel = IntradayMargin()

Mark = Callable[[InstrumentId], Decimal]
"""The price at which an instrument is valued; 0 if it was never quoted."""


class VenueHolding(msgspec.Struct):
    """A net position: signed `quantity`, average `price`, and `realized` P&L in its currency. One that `stays` is
    reported when it is zero, too."""

    quantity: Decimal = ZERO
    price: Decimal = ZERO
    realized: Decimal = ZERO
    stays: bool = False


class AccountValuation(msgspec.Struct, frozen=True):
    """Figures of an account in the base currency."""

    cash: Decimal
    holdings: Decimal
    gross: Decimal
    margin: Decimal
    maintenance: Decimal
    unrealized: Decimal
    realized: Decimal

    @property
    def equity(self) -> Decimal:
        return self.cash + self.holdings


class Account(msgspec.Struct):
    """The account and its books; every trade goes through `book`.

    `volume` is what it traded in the calendar month `month` (UTC, counted from year 0): in units, for pairs in value.
    """

    id: AccountId
    cash: dict[Currency, Decimal]
    holdings: dict[InstrumentId, VenueHolding] = {}
    month: int = 0
    volume: dict[SecType, Decimal] = {}

    def quantity(self, name: InstrumentId) -> Decimal:
        holding = self.holdings.get(name)
        return holding.quantity if holding else ZERO

    def book(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """Books a signed quantity at a price; returns the realized P&L, in the instrument's currency.

        Stock and pairs move cash by their full value; a pair moves its base currency too. A future and a contract for
        difference move cash only by their realized P&L.
        """
        holding = self.holdings.setdefault(instrument.id, VenueHolding())
        realized = _close(holding, quantity, price) * instrument.unit_value
        holding.realized += realized
        if instrument.sec_type in MARGINED:
            self.add_cash(instrument.currency, realized)
            return realized
        self.add_cash(instrument.currency, -quantity * price * instrument.unit_value)
        if instrument.sec_type is SecType.CASH:
            self.add_cash(instrument.symbol, quantity)
        return realized

    def transfer(self, name: InstrumentId, quantity: Decimal, price: Decimal) -> None:
        """Adds a signed quantity without a trade: no cash moves and nothing is realized."""
        _close(self.holdings.setdefault(name, VenueHolding()), quantity, price)

    def split(self, name: InstrumentId, new: int, old: int) -> None:
        """Turns every `old` units into `new` at unchanged cost."""
        holding = self.holdings[name]
        holding.quantity = holding.quantity * new / old
        holding.price = holding.price * old / new

    def add_cash(self, currency: Currency, amount: Decimal) -> None:
        """Adds a signed amount to the cash of a currency."""
        self.cash[currency] = self.cash.get(currency, ZERO) + amount

    def add_volume(self, sec_type: SecType, amount: Decimal, now: Nanos) -> Decimal:
        """Adds to the volume of the month and returns its total."""
        moment = to_datetime(now)
        month = moment.year * 12 + moment.month
        if month != self.month:
            self.month, self.volume = month, {}
        self.volume[sec_type] = self.volume_of(sec_type) + amount
        return self.volume[sec_type]

    def volume_of(self, sec_type: SecType) -> Decimal:
        """The volume of a security type in the month of the last trade."""
        return self.volume.get(sec_type, ZERO)

    def valuation(self, universe: Universe, mark: Mark, model: MarginModel = DEFAULT_MARGIN) -> AccountValuation:
        """The valuation at the marks; pairs are counted as the cash that they moved, not as holdings."""
        cash = sum((amount * fx_rate(currency, universe, mark) for currency, amount in self.cash.items()), ZERO)
        held = gross = margin = maintenance = unrealized = realized = ZERO
        for name, holding in self.holdings.items():
            instrument = universe.instrument(name)
            fx = fx_rate(instrument.currency, universe, mark)
            realized += holding.realized * fx
            if not holding.quantity:
                continue
            price = mark(name) or holding.price
            value = holding.quantity * price * instrument.unit_value * fx
            gain = holding.quantity * (price - holding.price) * instrument.unit_value * fx
            unrealized += gain
            requirement = model.requirement(instrument, holding.quantity, abs(value))
            margin += requirement.initial
            maintenance += requirement.maintenance
            if instrument.sec_type is SecType.CASH:
                continue
            gross += abs(value)
            held += gain if instrument.sec_type in MARGINED else value
        return AccountValuation(cash, held, gross, margin, maintenance, unrealized, realized)


def _close(holding: VenueHolding, quantity: Decimal, price: Decimal) -> Decimal:
    """Applies a trade to the holding; returns the realized P&L before the multiplier."""
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


def has_rate(currency: Currency, universe: Universe) -> bool:
    """Whether its rate to the base currency is known."""
    return currency == BASE or currency + BASE in universe or BASE + currency in universe


def fx_rate(currency: Currency, universe: Universe, mark: Mark) -> Decimal:
    """Units of the base currency for one unit of `currency`: the pair's mark, its listed level before the first quote,
    or 1 if no pair is listed."""
    if currency == BASE:
        return ONE
    if currency + BASE in universe:
        return mark(currency + BASE) or exact(universe.listing(currency + BASE).price)
    if BASE + currency in universe:
        return ONE / (mark(BASE + currency) or exact(universe.listing(BASE + currency).price))
    return ONE
