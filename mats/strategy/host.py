"""The interface between a strategy and what runs it: the strategy actor, a backtest, a test."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from mats.model import (
    ZERO,
    CancelRequest,
    InstrumentId,
    IntentId,
    Nanos,
    OrderModification,
    OrderRequest,
    OrderView,
    Signal,
)

LogLevel = Literal["debug", "info", "warning", "error"]


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy holds: signed `quantity`, and the average price per unit it was opened at, 0 when flat."""

    instrument: InstrumentId
    quantity: Decimal = ZERO
    average_price: Decimal = ZERO


class StrategyHost(Protocol):
    """The services of a strategy's host. No method waits; requests are answered by later callbacks."""

    def submit(self, signal: Signal, /) -> None:
        """Send a signal to the risk manager."""

    def place(self, request: OrderRequest, /) -> None:
        """Send an order request to the risk manager."""

    def cancel(self, request: CancelRequest, /) -> None:
        """Ask the order manager to cancel one order."""

    def modify(self, modification: OrderModification, /) -> None:
        """Request a change of one working order."""

    def equity(self) -> Decimal | None:
        """The strategy's own equity in the account's base currency; None while it is not known."""

    def position(self, instrument: InstrumentId) -> Position:
        """The strategy's own position; quantity 0 where it holds none."""

    def positions(self) -> Mapping[InstrumentId, Position]:
        """The strategy's own positions that are not flat."""

    def working_orders(self) -> Mapping[IntentId, OrderView]:
        """The strategy's own orders that are not final."""

    def now(self) -> Nanos:
        """The host's clock, the same that the runner's `clock` gets; in a replay it may be years past the data."""

    def mint(self) -> IntentId:
        """A new intent id, never used before."""

    def log(self, level: LogLevel, text: str, /) -> None:
        """Write one line to the log, under the strategy's name."""
