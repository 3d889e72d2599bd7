"""Replay of stored minute bars as a market.

One stored minute becomes twelve five-second bars and thirteen quotes per instrument. The path of the price: from the
open to one extreme at 20 s, to the other at 40 s, to the close at 60 s, in straight lines rounded to the tick grid and
kept within low and high. A minute that closes above its open visits the low first, any other the high first. The
five-second bars add up to the stored minute exactly: first open, highest high, lowest low, last close, sum of volumes.
Minutes in which nothing traded are skipped; an instrument without a bar in a minute sends nothing in it.
"""

import csv
import gzip
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec

from mats.model import MINUTE, SECOND, Bar, InstrumentId, Nanos, Quote, SecType, exact, from_datetime
from mats.venue.markets.bar_history import merge_bars
from mats.venue.markets.listing import Listing
from mats.venue.markets.universe import Universe

PIECES = 12
PIECE = MINUTE // PIECES


class Minute(msgspec.Struct, frozen=True, gc=False):
    """A stored bar; `spread` is the quoted spread in the file, 0 if it has none."""

    start: Nanos
    open: float
    high: float
    low: float
    close: float
    volume: float
    spread: float = 0.0


class Slice(msgspec.Struct, frozen=True):
    """The data of one instant: quotes, then the bars that end there."""

    time: Nanos
    quotes: tuple[Quote, ...]
    bars: tuple[Bar, ...]


class BarReplay:
    """The stored minutes of a folder: one `NAME.csv` or `NAME.csv.gz` for each instrument.

    Raises ValueError if the folder is missing or empty, a name is not listed, or a row cannot be read.
    """

    def __init__(self, folder: Path, universe: Universe) -> None:
        if not folder.is_dir():
            raise ValueError(f"replay folder {folder} not found; check the path")
        self._listings: dict[InstrumentId, Listing] = {}
        self._minutes: dict[InstrumentId, dict[Nanos, Minute]] = {}
        for path in sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")]):
            name = path.name.split(".csv")[0]
            if name not in universe:
                raise ValueError(f"replay file {path}: {name} is not listed; list it or remove the file")
            self._listings[name] = universe.listing(name)
            self._minutes[name] = {minute.start: minute for minute in sorted(read_minutes(path), key=_start)}
        self._times = sorted({time for minutes in self._minutes.values() for time in minutes})
        if not self._times:
            raise ValueError(f"replay folder {folder} has no bars; add NAME.csv or NAME.csv.gz files")

    @property
    def start(self) -> Nanos:
        return self._times[0]

    @property
    def end(self) -> Nanos:
        return self._times[-1] + MINUTE

    def minutes(self, after: Nanos) -> Iterator[tuple[Nanos, list[Slice]]]:
        """The minutes that end after `after`, each with its slices later than `after`."""
        for start in self._times:
            if start + MINUTE > after:
                slices = [piece for piece in self._slices(start) if piece.time > after or after <= self.start]
                yield start, slices

    def head(self, name: InstrumentId) -> Nanos:
        return next(iter(self._minutes.get(name, {})), self.start)

    def bars(self, name: InstrumentId, start: Nanos, end: Nanos, seconds: int, what: str) -> list[Bar]:
        """Complete historical bars; every kind of price follows the path of the stored bars."""
        span = seconds * SECOND
        low, high = -(-start // span) * span, end // span * span
        chosen = [minute for time, minute in self._minutes.get(name, {}).items() if low <= time < high]
        if seconds >= 60:
            return merge_bars((_minute_bar(name, minute) for minute in chosen), seconds)
        pieces = (bar for minute in self._inside(name, low, high) for bar in self._pieces(name, minute))
        return merge_bars((bar for bar in pieces if low <= bar.start and bar.end <= high), seconds)

    def _inside(self, name: InstrumentId, low: Nanos, high: Nanos) -> list[Minute]:
        minutes = self._minutes.get(name, {})
        return [minute for time, minute in minutes.items() if low < time + MINUTE and time < high]

    def _pieces(self, name: InstrumentId, minute: Minute) -> list[Bar]:
        return five_second_bars(name, minute, self._tick(name, minute.open))

    def _tick(self, name: InstrumentId, price: float) -> float:
        instrument = self._listings[name].instrument
        return float(instrument.tick_at(exact(price)) if instrument.price_increments else instrument.tick_size)

    def _slices(self, start: Nanos) -> list[Slice]:
        quotes: list[list[Quote]] = [[] for _ in range(PIECES + 1)]
        bars: list[list[Bar]] = [[] for _ in range(PIECES + 1)]
        for name, minutes in self._minutes.items():
            minute = minutes.get(start)
            if minute is None:
                continue
            pieces = self._pieces(name, minute)
            prices = [pieces[0].open, *(piece.close for piece in pieces)]
            for i, price in enumerate(prices):
                before = prices[max(i - 1, 0)]
                quotes[i].append(self._quote(name, minute, start + i * PIECE, price, rising=price >= before))
            for i, piece in enumerate(pieces):
                bars[i + 1].append(piece)
        return [Slice(start + i * PIECE, tuple(quotes[i]), tuple(bars[i])) for i in range(PIECES + 1)]

    def _quote(self, name: InstrumentId, minute: Minute, time: Nanos, price: float, *, rising: bool) -> Quote:
        """A quote one tick wide, with the trade at the ask of a rising path and at the bid of a falling one; a stored
        spread is centered on the price instead."""
        listing, tick = self._listings[name], self._tick(name, price)
        if minute.spread > 0:
            bid, ask = price - minute.spread / 2, price + minute.spread / 2
        else:
            bid, ask = (price - tick, price) if rising else (price, price + tick)
        pair = listing.instrument.sec_type is SecType.CASH
        size = 1_000_000.0 if pair else max(100.0, minute.volume // PIECES // 100 * 100)
        return Quote(name, time, round(max(bid, tick), 8), round(ask, 8), size, size, 0.0 if pair else price)


def five_second_bars(name: InstrumentId, minute: Minute, tick: float) -> list[Bar]:
    """The twelve bars of a stored minute."""
    prices = path_prices(minute, tick)
    share, rest = divmod(minute.volume, PIECES)
    bars = []
    for i in range(PIECES):
        opened, closed = prices[i], prices[i + 1]
        volume = share + max(0.0, min(1.0, rest - i))
        bars.append(
            Bar(
                instrument=name,
                start=minute.start + i * PIECE,
                seconds=PIECE // SECOND,
                open=opened,
                high=max(opened, closed),
                low=min(opened, closed),
                close=closed,
                volume=volume,
                wap=round((opened + closed) / 2, 8),
                count=math.ceil(volume / 100),
            )
        )
    return bars


def path_prices(minute: Minute, tick: float) -> list[float]:
    """The thirteen prices of a minute, five seconds apart."""
    extremes = (minute.low, minute.high) if minute.close > minute.open else (minute.high, minute.low)
    corners = (minute.open, *extremes, minute.close)
    prices = [minute.open]
    for a, b in pairwise(corners):
        between = (round(round((a + (b - a) * part / 4) / tick) * tick, 8) for part in (1, 2, 3))
        prices += [min(max(price, minute.low), minute.high) for price in between]
        prices.append(b)
    return prices


def read_minutes(path: Path) -> Iterator[Minute]:
    """Reads a file of bars; raises ValueError with file and line."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open("rt") as file:
        rows = csv.DictReader(file)
        try:
            for row in rows:
                yield _minute(row)
        except KeyError as error:
            raise ValueError(f"replay file {path} has no column {error}; add it") from error
        except (TypeError, ValueError, csv.Error, OSError, EOFError) as error:
            raise ValueError(f"replay file {path}: line {rows.line_num} cannot be read ({error}); fix it") from error


def _minute(row: dict[str, str]) -> Minute:
    moment = datetime.fromisoformat(row["timestamp"])
    start = from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    spread = float(row["ask"]) - float(row["bid"]) if row.get("bid") and row.get("ask") else 0.0
    opened, high, low, close, volume = (float(row[column]) for column in ("open", "high", "low", "close", "volume"))
    return Minute(start, opened, high, low, close, volume, spread)


def _start(minute: Minute) -> Nanos:
    return minute.start


def _minute_bar(name: InstrumentId, minute: Minute) -> Bar:
    wap = round((minute.open + minute.high + minute.low + minute.close) / 4, 8)
    count = math.ceil(minute.volume / 100)
    return Bar(name, minute.start, 60, minute.open, minute.high, minute.low, minute.close, minute.volume, wap, count)
