"""Streams as an operator sees them, and what risk has to know of them."""

from collections.abc import Iterable, Mapping

import msgspec

from mats.model import InstrumentId, MarketStream, StrategyName
from mats.streams.stream_state import StreamState

StreamKey = tuple[InstrumentId, MarketStream]

VERBS = {MarketStream.CONTRACT: "is", MarketStream.BARS: "are", MarketStream.QUOTES: "are"}


class StreamView(msgspec.Struct, frozen=True, kw_only=True):
    """One stream: bars, quotes, or the contract that both need.

    `state` for so many `seconds`; `silence`: seconds since data came last, null before the first. `cadence`: seconds
    between two data at most. `next_try`: in so many seconds it is asked for again, null while nothing is due. `fault`:
    what is wrong with it as one sentence, empty when nothing is.
    """

    instrument: InstrumentId
    stream: MarketStream
    state: str
    seconds: float
    silence: float | None
    cadence: float | None
    reason: str
    next_try: float | None
    tries: int
    fault: str = ""
    strategies: tuple[StrategyName, ...] = ()


def view_of(key: StreamKey, state: StreamState, now: float, strategies: tuple[StrategyName, ...]) -> StreamView:
    """The stream at monotonic second `now`."""
    return StreamView(
        instrument=key[0],
        stream=key[1],
        state=str(state.phase),
        seconds=now - state.since,
        silence=None if state.data_at is None else now - state.data_at,
        cadence=None if key[1] is MarketStream.CONTRACT else state.cadence,
        reason=state.reason,
        next_try=None if state.next_try is None else max(0.0, state.next_try - now),
        tries=state.tries,
        fault=fault_of(key, state) if state.phase.troubled else "",
        strategies=strategies,
    )


def fault_of(key: StreamKey, state: StreamState) -> str:
    """What is wrong with it, in one line."""
    return f"the {key[1]} of {key[0]} {VERBS[key[1]]} {state.phase}: {state.reason}"


def faults_by_strategy(streams: Iterable[StreamView]) -> Mapping[StrategyName, str]:
    """For each strategy on a stream in trouble what is wrong with the first of them."""
    faults: dict[StrategyName, str] = {}
    for view in streams:
        for strategy in view.strategies if view.fault else ():
            faults.setdefault(strategy, view.fault)
    return faults
