"""Messages handled and sent by a strategy's actor."""

import msgspec


class StrategyLoaded(msgspec.Struct, frozen=True):
    """The strategy's file and parameters were read; with a `fault` they cannot be used, and its actor ends."""

    strategy: str
    fault: str = ""


class StrategyStarted(msgspec.Struct, frozen=True):
    """The strategy has its book, its orders and its history, and gets bars from here on."""

    strategy: str


class StrategyWaits(msgspec.Struct, frozen=True):
    """The strategy does not trade yet; `reason` says what it waits for."""

    strategy: str
    reason: str


class StopTrading(msgspec.Struct, frozen=True):
    """Stop in order: run `on_stop`, unsubscribe from every service, then end."""
