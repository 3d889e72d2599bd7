"""What the settings of a strategy must be; each error is one sentence."""

from collections.abc import Sequence
from typing import get_args

from mats.errors import StrategyError
from mats.instruments import parse_instrument
from mats.model import InstrumentId, StrategyName
from mats.sessions import DAILY, Hours, check_size
from mats.strategy.strategy import Strategy


def check_settings(strategy: Strategy, instruments: Sequence[InstrumentId]) -> None:
    """Raises StrategyError where instruments, sizes of bars, hours or lengths are impossible."""
    name = strategy.name
    if not instruments or not all(instruments):
        raise StrategyError(f"strategy {name} names no instrument; give the parameter instrument or instruments")
    for instrument in instruments:
        _check_name(name, instrument)
    if len(set(instruments)) < len(instruments):
        raise StrategyError(f"strategy {name} names an instrument twice in {instruments}; name each once")
    if strategy.session not in get_args(Hours):
        raise StrategyError(f"strategy {name}: session is {strategy.session!r}; give regular or extended")
    _check_sizes(strategy)
    if strategy.history_length < max(strategy.warmup, 1) or strategy.warmup < 0:
        raise StrategyError(
            f"strategy {name}: warmup is {strategy.warmup} and history_length {strategy.history_length}; "
            "give 0 <= warmup <= history_length and a history of 1 at least"
        )


def _check_sizes(strategy: Strategy) -> None:
    name, seconds = strategy.name, strategy.bar_seconds
    if seconds < 5 or seconds % 5:
        raise StrategyError(f"strategy {name}: bar_seconds is {seconds}; give a multiple of 5")
    for size in (seconds, *strategy.larger_bars()):
        try:
            check_size(size)
        except ValueError as error:
            raise StrategyError(f"strategy {name}: {error}") from error
        if size < seconds or (size % seconds and size < DAILY):
            raise StrategyError(
                f"strategy {name}: bars of {size} s cannot be built from those of {seconds} s; "
                "make larger_bars() multiples of bar_seconds, days or weeks"
            )
    if seconds in strategy.larger_bars():
        raise StrategyError(f"strategy {name}: larger_bars() has bar_seconds itself, {seconds}; leave it out")


def _check_name(strategy: StrategyName, instrument: InstrumentId) -> None:
    """An invalid name is an error of this strategy, and must not reach the shared actors."""
    try:
        parse_instrument(instrument)
    except ValueError as error:
        raise StrategyError(f"strategy {strategy}: {error}") from error
