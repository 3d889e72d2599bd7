"""A download that is killed at any moment and started again leaves no hole and stores nothing twice."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mats.data.download import Download, Downloader, Progress
from mats.errors import DataError
from mats.instruments import parse_instrument
from mats.model import DAY, HOUR, MINUTE, SECOND, Bar, Instrument, Nanos, from_datetime
from mats.sessions import exchange_calendar
from mats.store.tables import BarStore, Known, store_uri

NYSE = exchange_calendar("XNYS")
MONDAY = from_datetime(datetime(2026, 11, 2, tzinfo=UTC))
NOW = MONDAY + 20 * DAY
SPY, IBM = parse_instrument("SPY"), parse_instrument("IBM")


class Killed(BaseException):
    """The process ends here."""


class Refused(Exception):
    pass


class Broker:
    """One bar each ten minutes of a session, none on the second Tuesday; `kill_at` ends the process at that request."""

    def __init__(self, kill_at: int = -1) -> None:
        self.asked: list[tuple[str, Nanos, Nanos]] = []
        self.source, self._kill_at, self.heads = "TRADES", kill_at, 0

    def longest_span(self, seconds: int) -> int:
        return DAY // SECOND

    def source_of(self, instrument: Instrument) -> str:
        return self.source

    async def head(self, instrument: Instrument) -> Nanos | None:
        self.heads += 1
        return MONDAY + 2 * DAY

    async def page(self, instrument: Instrument, seconds: int, start: Nanos, end: Nanos) -> Sequence[Bar]:
        if len(self.asked) == self._kill_at:
            raise Killed
        self.asked.append((instrument.id, start, end))
        if instrument.id == "BAD":
            raise Refused("BAD: no permission")
        return [Bar(instrument.id, at, 600, 1.0, 1.0, 1.0, 1.0, 1.0) for at in traded(start, end)]


def traded(start: Nanos, end: Nanos) -> list[Nanos]:
    """The starts of all bars in a range."""
    holiday = MONDAY + 8 * DAY
    step = 10 * MINUTE
    return [
        at
        for session in NYSE.sessions(start, end, "extended")
        for at in range(session.extended_open, session.extended_close, step)
        if start <= at < end and not holiday <= session.open < holiday + DAY
    ]


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return store_uri("", tmp_path)


def run(
    broker: Broker,
    uri: str,
    *instruments: Instrument,
    start: Nanos = 0,
    end: Nanos = NOW - 2 * DAY,
    now: Nanos = NOW,
) -> Progress:
    downloader = Downloader(broker, uri, lambda _: NYSE, lambda: now, lambda: 0.0)
    wanted = [Download(instrument=each, seconds=600, start=start, end=end) for each in instruments or (SPY,)]
    return asyncio.run(downloader.run(wanted, Refused))


def stored(uri: str, name: str = "SPY") -> list[Nanos]:
    bars = BarStore(uri).read(name, 600)
    return [] if bars is None else [int(start) for start in bars.start]


EXPECTED = traded(MONDAY + 2 * DAY, NOW - 2 * DAY)


def test_everything_from_the_head_on_is_stored_and_known(uri: str) -> None:
    broker = Broker()
    progress = run(broker, uri, SPY, IBM)
    assert stored(uri) == stored(uri, "IBM") == EXPECTED
    assert progress.bars == 2 * len(EXPECTED)
    assert progress.pages == progress.planned == len(broker.asked)
    known = BarStore(uri).coverage("SPY", 600)
    assert known.source == "TRADES"
    assert (known.ranges[0].start, known.ranges[0].known) == (0, Known.EMPTY)
    assert known.ranges[-1].end == NOW - 2 * DAY
    kinds = [item.known for item in known.ranges[1:]]
    assert kinds.count(Known.EMPTY) == 1, "the Tuesday without a bar"
    again = Broker()
    assert run(again, uri, SPY, IBM).pages == 0
    assert (again.asked, again.heads) == ([], 0), "what is known is not asked again"


@pytest.mark.parametrize("ahead", [0, 1, 6, 9])
def test_one_that_is_killed_goes_on_where_it_was(uri: str, ahead: int) -> None:
    with pytest.raises(BaseExceptionGroup):
        run(Broker(kill_at=ahead), uri)
    broker = Broker()
    run(broker, uri)
    assert stored(uri) == EXPECTED


@pytest.mark.parametrize("call", range(8))
@pytest.mark.parametrize("before", [True, False])
def test_a_kill_before_or_after_any_write_of_the_store_costs_nothing(
    uri: str, monkeypatch: pytest.MonkeyPatch, call: int, before: bool
) -> None:
    calls = 0

    def dying(write: Callable[..., object]) -> Callable[..., object]:
        def method(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls > call and before:
                raise Killed  # and whatever is called afterwards does nothing either
            result = write(*arguments)
            if calls > call:
                raise Killed
            return result

        return method

    with monkeypatch.context() as patched:
        patched.setattr("mats.data.download.job.PAGES_A_COMMIT", 2)
        patched.setattr(BarStore, "write", dying(BarStore.write))
        patched.setattr(BarStore, "write_coverage", dying(BarStore.write_coverage))
        with pytest.raises((Killed, BaseExceptionGroup)):
            run(Broker(), uri)
    run(Broker(), uri)
    assert stored(uri) == EXPECTED
    known = BarStore(uri).coverage("SPY", 600).ranges
    assert all(item.end == after.start for item, after in pairwise(known)), "the map has no hole"


def test_one_instrument_that_is_refused_leaves_the_others_alone(uri: str) -> None:
    progress = run(Broker(), uri, SPY, parse_instrument("BAD"))
    assert progress.failed == {"BAD": "BAD: no permission"}
    assert stored(uri) == EXPECTED


class Delayed(Broker):
    """Has no bars of the last quarter of an hour."""

    async def page(self, instrument: Instrument, seconds: int, start: Nanos, end: Nanos) -> Sequence[Bar]:
        return [bar for bar in await super().page(instrument, seconds, start, end) if bar.end <= FRIDAY - 15 * MINUTE]


FRIDAY = MONDAY + 18 * DAY + 16 * HOUR


def test_bars_that_come_late_are_asked_for_the_next_time(uri: str) -> None:
    run(Delayed(), uri, end=FRIDAY, now=FRIDAY)
    assert stored(uri) == traded(MONDAY + 2 * DAY, FRIDAY - 20 * MINUTE)
    assert BarStore(uri).coverage("SPY", 600).ranges[-1].end == FRIDAY - 20 * MINUTE
    broker = Broker()
    run(broker, uri, end=FRIDAY + HOUR, now=FRIDAY + HOUR)
    assert broker.asked[0][1] == FRIDAY - 20 * MINUTE
    assert stored(uri) == traded(MONDAY + 2 * DAY, FRIDAY + HOUR)


def test_a_later_start_asks_no_more_than_that_and_an_earlier_one_asks_the_rest(uri: str) -> None:
    middle = MONDAY + 9 * DAY
    run(Broker(), uri, start=middle)
    assert stored(uri) == traded(middle, NOW - 2 * DAY)
    broker = Broker()
    run(broker, uri)
    assert max(end for _, _, end in broker.asked) <= middle
    assert stored(uri) == EXPECTED


def test_prices_of_two_kinds_are_not_mixed(uri: str) -> None:
    run(Broker(), uri)
    other = Broker()
    other.source = "MIDPOINT"
    with pytest.raises(DataError, match="the store has TRADES bars of SPY in 10min, not MIDPOINT"):
        run(other, uri)


def test_a_repair_asks_for_the_gaps_of_stored_bars_and_nothing_else(uri: str) -> None:
    store = BarStore(uri)
    broker = Broker()
    run(broker, uri)
    whole = store.read("SPY", 600)
    assert whole is not None
    fresh = store_uri("", Path(uri.removeprefix("lmdb://").partition("?")[0]) / "fresh")
    hole = (whole.start < MONDAY + 10 * DAY + 15 * HOUR) | (whole.start >= MONDAY + 10 * DAY + 16 * HOUR)
    kept = {name: getattr(whole, name)[hole] for name in ("start", "open", "high", "low", "close", "volume")}
    BarStore(fresh).write(type(whole)("SPY", 600, **kept))
    again = Broker()
    downloader = Downloader(again, fresh, lambda _: NYSE, lambda: NOW, lambda: 0.0)
    done = asyncio.run(downloader.repair([SPY, IBM], 600, Refused))
    assert np.array_equal(BarStore(fresh).read("SPY", 600).start, whole.start)  # type: ignore[union-attr]
    assert done.bars == 6
    holiday = NYSE.sessions(MONDAY + 8 * DAY, MONDAY + 9 * DAY)[0]
    assert [span[1:] for span in again.asked] == [
        (holiday.open, holiday.close),
        (MONDAY + 10 * DAY + 15 * HOUR, MONDAY + 10 * DAY + 16 * HOUR),
    ]
    assert asyncio.run(downloader.repair([SPY], 600, Refused)).pages == 2, "it counts what it did; nothing new"
