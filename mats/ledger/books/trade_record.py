"""A completed round trip: opened by one execution, closed by another, with its P&L."""

from decimal import Decimal

import msgspec

from mats.model import (
    EXACT,
    SECOND,
    ZERO,
    AccountId,
    Currency,
    InstrumentId,
    IntentId,
    Nanos,
    Side,
    StrategyName,
    converted,
)


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """Units that one execution opened and another closed; `quantity` is unsigned, `side` the one that opened it.

    `entry_id` is the position transaction, the family of the opening execution; the intents are the ids of the signals
    that caused both ends, empty where no strategy did. `entry_value` is the amount paid (long) or received (short),
    unsigned and with multiplier, where a split has changed it; else it follows from the price. `commissions`
    are the shares of both executions, by their own currency, as far as they are known: `uncharged` names the
    executions whose commission is missing. `rate` is base currency for one unit of `currency` when the exit was
    booked, `commissions_base` the commissions at the rates of their booking; None where a rate was not known.
    """

    account: AccountId
    strategy: StrategyName
    instrument: InstrumentId
    currency: Currency
    multiplier: Decimal
    side: Side
    quantity: Decimal
    entry_id: str
    entry_time: Nanos
    entry_price: Decimal
    exit_id: str
    exit_time: Nanos
    exit_price: Decimal
    entry_intent: IntentId = ""
    exit_intent: IntentId = ""
    entry_value: Decimal | None = None
    commissions: dict[Currency, Decimal] = {}
    uncharged: tuple[str, ...] = ()
    rate: Decimal | None = None
    commissions_base: Decimal | None = ZERO

    @property
    def id(self) -> str:
        """Two executions meet in one trade at most, so their families name it within an account."""
        return f"{self.entry_id}/{self.exit_id}"

    @property
    def gross(self) -> Decimal:
        """P&L before commissions, in `currency`."""
        size = EXACT.multiply(self.quantity, self.multiplier)
        paid = EXACT.multiply(self.entry_price, size) if self.entry_value is None else self.entry_value
        gain = EXACT.subtract(EXACT.multiply(self.exit_price, size), paid)
        return gain if self.side is Side.BUY else gain.copy_negate()

    @property
    def net(self) -> Decimal | None:
        """P&L after commissions, in `currency`; None while one is missing, or in another currency."""
        if self.uncharged or self.commissions.keys() - {self.currency}:
            return None
        return EXACT.subtract(self.gross, self.commissions.get(self.currency, ZERO))

    @property
    def net_base(self) -> Decimal | None:
        """P&L after commissions in the base currency, at the rates of booking; None while a part is missing."""
        if self.uncharged or self.rate is None or self.commissions_base is None:
            return None
        return EXACT.subtract(converted(self.gross, self.rate), self.commissions_base)

    @property
    def seconds(self) -> float:
        """Holding time."""
        return (self.exit_time - self.entry_time) / SECOND
