"""What the risk manager knows of the world beyond positions and orders, and how one order meets it."""

from collections.abc import Collection
from decimal import Decimal

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
    parse_instrument,
)
from mats.risk.checks import Circumstances
from mats.risk.limits import Limits
from mats.risk.sizing import Basis
from mats.risk.state import RiskState

EVERYTHING = ""
"""The scope of a halt that holds for every strategy."""


class World:
    """Instruments, prices, rates, equities; and everything that may speak against taking risk. Spans are seconds."""

    def __init__(self, limits: Limits, base: Currency, live_accounts: Collection[AccountId]) -> None:
        self._limits, self._live = limits, frozenset(live_accounts)
        self._instruments: dict[InstrumentId, Instrument] = {}
        self._prices: dict[InstrumentId, tuple[float | Decimal, float]] = {}
        self.rates = FxRates(base)
        self.equities: dict[StrategyName, Decimal | None] = {}
        self.homes: dict[StrategyName, AccountId] = {}
        self.accounts: tuple[AccountId, ...] = ()
        self.halts: dict[str, str] = {}
        self.behind: tuple[str, ...] = ("every stage has yet to report",)
        self.broken: frozenset[PositionKey] = frozenset()
        self.silent: frozenset[InstrumentId] = frozenset()
        self.links_down: dict[str, str] = {}
        self.routes: set[int] = set()

    def know(self, instrument: Instrument) -> None:
        """The broker has completed an instrument."""
        self._instruments[instrument.id] = instrument

    def mark(self, instrument: InstrumentId, price: float | Decimal, monotonic: float) -> None:
        """The newest price of an instrument."""
        self._prices[instrument] = (price, monotonic)

    def instrument(self, name: InstrumentId) -> Instrument:
        """The instrument as the broker completed it, or what its name alone tells; then checks will refuse it."""
        return self._instruments.get(name) or parse_instrument(name)

    def account_of(self, strategy: StrategyName) -> AccountId:
        """Where the strategy trades: the account of its record, else the first one; empty before any is known."""
        return self.homes.get(strategy) or next(iter(self.accounts), "")

    def basis(self, strategy: StrategyName, instrument: Instrument, now: Nanos) -> Basis:
        """What sizing needs to know."""
        equity = self.equities.get(strategy)
        return Basis(
            equity=Unknown(f"the equity of {strategy} is not known yet") if equity is None else equity,
            price=self._price(instrument.id),
            rate=self.rates.rate(instrument.currency, now, self._limits.rate_stale_after),
        )

    def meets(self, intent: OrderIntent, state: RiskState, route: int, now: Nanos, monotonic: float) -> Circumstances:
        """The world as this order meets it; `route` is the client id that would carry it."""
        name, strategy, account = intent.instrument.id, intent.strategy, intent.account
        unknown = state.unknown_order(strategy, name)
        price, seen = self._prices.get(name, (None, monotonic))
        own, whole = state.exposures(account, name, strategy, without=intent.intent_id)
        return Circumstances(
            resolved=intent.instrument.con_id != 0,
            strategy=own,
            account=whole,
            price=None if price is None else exact(price),
            price_age=None if price is None else self._age(name, monotonic - seen),
            rate=self.rates.rate(intent.instrument.currency, now, self._limits.rate_stale_after),
            recent_orders=state.orders_in_last_minute(strategy, now),
            connection=self._connection_fault(account, strategy, route),
            behind=f"behind or down: {', '.join(self.behind)}" if self.behind else "",
            halt=self._halt(strategy),
            disagreement=f"books and broker differ on {name}" if (account, name) in self.broken else "",
            unknown_order=f"the outcome of order {unknown.intent_id} is unknown" if unknown else "",
        )

    def _price(self, name: InstrumentId) -> Decimal | None:
        known = self._prices.get(name)
        return exact(known[0]) if known else None

    def _age(self, name: InstrumentId, age: float) -> float:
        """An instrument that market data calls silent is as old as the limit allows, at least."""
        return max(age, self._limits.stale_after + 1) if name in self.silent else age

    def _connection_fault(self, account: AccountId, strategy: StrategyName, route: int) -> str:
        if not account:
            return "the broker has not named its accounts yet"
        if self.accounts and account not in self.accounts:
            return f"account {account} of {strategy} is not the broker's; name one of {', '.join(self.accounts)}"
        if not account.startswith("D") and account not in self._live:
            return f"account {account} is live; name it in gateway.live_accounts to let it trade"
        return "" if route in self.routes else f"the connection of {strategy} (client {route}) is not ready"

    def _halt(self, strategy: StrategyName) -> str:
        for link, reason in self.links_down.items():
            return f"{link}: {reason}"
        for scope in (EVERYTHING, strategy):
            if scope in self.halts:
                return self.halts[scope]
        return ""
