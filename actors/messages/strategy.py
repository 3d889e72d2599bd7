"""What a strategy's actor understands and says."""

import msgspec


class StrategyStarted(msgspec.Struct, frozen=True):
    """The strategy has its book, its orders and its history, and gets bars from here on."""

    strategy: str


class StopTrading(msgspec.Struct, frozen=True):
    """End in order: the strategy's own last word, then farewell to every service, then the end."""
