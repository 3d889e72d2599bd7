"""Market and account state that sizing and pre-trade checks use, beyond positions and orders."""

from collections.abc import Collection, Mapping
from decimal import Decimal

from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.ledger.quarantine import QuarantinePlace
from mats.ledger.valuation import FxRates
from mats.model import (
    AccountId,
    Currency,
    Instrument,
    InstrumentId,
    Nanos,
    OrderIntent,
    PositionKey,
    StrategyName,
    Unknown,
    exact,
)
from mats.risk.checks import PreTradeContext
from mats.risk.exposure import Exposure, RiskState
from mats.risk.limits import Limits
from mats.risk.sizing import Basis

MarketQuote = tuple[Decimal | None, float | None, Decimal | Unknown]
"""The newest price of an instrument, how many seconds old it is, and base currency for one unit of its currency."""

Faults = tuple[str, str, str, str, str, str]
"""Texts of a `PreTradeContext`: of stages behind, halt, disagreement, unknown order, quarantine and market data."""

EVERYTHING = ""
"""The scope of a halt that holds for every strategy."""


class MarketState:
    """Instruments, prices, rates, equities; and everything that may speak against taking risk. Spans are seconds."""

    def __init__(self, limits: Limits, base: Currency, live_accounts: Collection[AccountId]) -> None:
        self.limits, self._live = limits, frozenset(live_accounts)
        self._instruments: dict[InstrumentId, Instrument] = {}
        self._prices: dict[InstrumentId, tuple[float | Decimal, float]] = {}
        self.rates = FxRates(base)
        self.equities: dict[StrategyName, Decimal | None] = {}
        self.homes: dict[StrategyName, AccountId] = {}
        self.accounts: tuple[AccountId, ...] = ()
        self.halts: dict[str, str] = {}
        self.behind: tuple[str, ...] = ("every stage has yet to report",)
        self.store = ""
        self.broken: frozenset[PositionKey] = frozenset()
        self.quarantine: tuple[QuarantinePlace, ...] = ()
        self.silent: Mapping[InstrumentId, str] = {}
        self.links_down: dict[str, str] = {}
        self.routes: set[int] = set()

    def know(self, instrument: Instrument) -> None:
        """The broker has completed an instrument. Its hours, which are long texts, would go into every intent."""
        self._instruments[instrument.id] = replace(instrument, trading_hours="", liquid_hours="")

    def mark(self, instrument: InstrumentId, price: float | Decimal, monotonic: float) -> None:
        """The newest price of an instrument."""
        self._prices[instrument] = (price, monotonic)

    def instrument(self, name: InstrumentId) -> Instrument:
        """The instrument as the broker completed it, or what its name alone tells; then checks will refuse it."""
        return self._instruments.get(name) or parse_instrument(name)

    def account_of(self, strategy: StrategyName) -> AccountId:
        """Where the strategy trades: the account of its record, else the first one; empty before any is known."""
        return self.homes.get(strategy) or (self.accounts[0] if self.accounts else "")

    # The figures that a backtest looks up in its bars in place of being told them

    def equity(self, strategy: StrategyName) -> Decimal | None:
        """What the strategy may work with, in the base currency; None while it is not known."""
        return self.equities.get(strategy)

    def quote(self, instrument: Instrument, now: Nanos, monotonic: float) -> MarketQuote:
        """The newest price, its age and the rate of the currency; no price and no age before the first one.

        Where market data calls the instrument silent, the price is too old at least.
        """
        rate = self.rates.rate(instrument.currency, now, self.limits.max_rate_age_seconds)
        if (newest := self._prices.get(instrument.id)) is None:
            return None, None, rate
        price, age = exact(newest[0]), monotonic - newest[1]
        return price, max(age, self.limits.max_price_age_seconds + 1) if instrument.id in self.silent else age, rate

    # What sizing and checks ask for

    def basis(self, strategy: StrategyName, quote: MarketQuote) -> Basis:
        """What sizing needs to know."""
        equity = self.equity(strategy)
        return Basis(
            Unknown(f"the equity of {strategy} is not known yet") if equity is None else equity, quote[0], quote[2]
        )

    def pretrade_context(
        self,
        intent: OrderIntent,
        exposures: tuple[Exposure, Exposure],
        quote: MarketQuote,
        state: RiskState,
        route: int,
        now: Nanos,
    ) -> PreTradeContext:
        """The market as this order meets it; `exposures` are without it, `route` is the client that would carry it."""
        account, (own, whole), (price, age, rate) = intent.account, exposures, quote
        connection = self._connection_fault(account, intent.strategy, route)
        troubled = (
            connection
            or self.behind
            or self.store
            or self.halts
            or self.links_down
            or self.quarantine
            or self.broken
            or state.unknown
            or self.silent
        )
        resolved, recent = intent.instrument.con_id != 0, state.orders_in_last_minute(intent.strategy, now)
        if not troubled:
            return PreTradeContext(resolved, own, whole, price, age, rate, recent)
        others = self._other_faults(intent, state)
        return PreTradeContext(resolved, own, whole, price, age, rate, recent, connection, *others)

    def _other_faults(self, intent: OrderIntent, state: RiskState) -> Faults:
        name, strategy, account = intent.instrument.id, intent.strategy, intent.account
        unknown = state.unknown_order(strategy, name)
        return (
            self._behind() if self.behind or self.store else "",
            self._halt(strategy),
            f"books and broker differ on {name}" if (account, name) in self.broken else "",
            f"the outcome of order {unknown.intent_id} is unknown" if unknown else "",
            self._quarantined(account, name, strategy),
            self.silent.get(name, ""),
        )

    def _connection_fault(self, account: AccountId, strategy: StrategyName, route: int) -> str:
        if not account:
            return "the broker has not named its accounts yet"
        if self.accounts and account not in self.accounts:
            return f"account {account} of {strategy} is not the broker's; name one of {', '.join(self.accounts)}"
        if not account.startswith("D") and account not in self._live:
            return f"account {account} is live; name it in gateway.live_accounts to let it trade"
        return "" if route in self.routes else f"the connection of {strategy} (client {route}) is not ready"

    def _quarantined(self, account: AccountId, instrument: InstrumentId, strategy: StrategyName) -> str:
        for place in self.quarantine:
            if place.is_everywhere:
                return f"{place.kind}; resolve what is in it with `mats quarantine`"
            if place.holds_instrument(account, instrument) or place.strategy == strategy:
                whose = f"{place.kind} of {place.instrument or place.strategy}"
                return f"{whose} is in quarantine; see `mats quarantine show {place.id}`"
        return ""

    def _behind(self) -> str:
        if self.behind:
            return f"behind or down: {', '.join(self.behind)}"
        return f"the store is {self.store}: orders that reduce pass"

    def _halt(self, strategy: StrategyName) -> str:
        for link, reason in self.links_down.items():
            return f"{link}: {reason}"
        return self.halts.get(EVERYTHING) or self.halts.get(strategy, "")
