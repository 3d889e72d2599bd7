"""The random market: prices that are a pure function of seed, instrument and instant.

The logarithm of a price is a Brownian path built by midpoint displacement: the value in the middle of two known ones is
their mean plus a normal number drawn by hashing (seed, instrument, instant), with the variance of a Brownian bridge,
sigma^2 h / 2 for a half span of h. So any part of any day can be computed alone, always with the same result, and
history agrees with the live feed. The path returns to its level every 194 days. Quotes change on a grid of 250 ms.
"""

import hashlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mats.model import DAY, SECOND, Bar, InstrumentId, Nanos, Quote, SecType
from mats.venue.markets.listing import Listing
from mats.venue.markets.option_pricing import Floats, option_prices
from mats.venue.markets.universe import Universe

QUOTE_STEP: Nanos = SECOND // 4
ROOT_LEVEL = 26
"""Spans of 2**26 steps, 194 days, begin and end near the listing's price."""
COARSE_LEVEL = 8
"""Daily bars sample the path every 2**8 steps, 64 seconds."""
STEPS_PER_YEAR = 365 * DAY // QUOTE_STEP
CORRELATION = 0.4
BLOCK = 256
HEAD: Nanos = 946_684_800 * SECOND
"""History begins on 2000-01-01."""

Hashes = npt.NDArray[np.uint64]


class PricePath(NamedTuple):
    """Steps of one instrument as arrays: quote, last trade, volume."""

    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats
    last: Floats
    volume: Floats


class RandomMarket:
    """Quotes of the active instruments and bars of all, deterministic for the seed."""

    def __init__(self, universe: Universe, seed: int) -> None:
        self._universe = universe
        self._seed = seed
        self._common = _key(seed, "market")
        self._blocks: dict[InstrumentId, tuple[int, PricePath]] = {}

    def head(self, name: InstrumentId) -> Nanos:
        return HEAD

    def quotes(self, now: Nanos) -> list[Quote]:
        """The quote of every active instrument at an instant."""
        step = now // QUOTE_STEP
        return [self._quote(name, step) for name in self._universe.active]

    def bars(self, name: InstrumentId, start: Nanos, end: Nanos, seconds: int, what: str) -> list[Bar]:
        """Complete bars; daily ones sample one step in 256, so their extremes are slightly inside the true ones."""
        span = seconds * SECOND
        first, last = -(-max(start, HEAD) // span), end // span
        stride = 2**COARSE_LEVEL if span >= DAY else 1
        chunk = max(1, DAY // span) if span < DAY else 366
        bars: list[Bar] = []
        for low in range(first, last, chunk):
            bars += self._bars(name, low, min(low + chunk, last), seconds, what, stride)
        return bars

    def _bars(self, name: InstrumentId, first: int, last: int, seconds: int, what: str, stride: int) -> list[Bar]:
        span = seconds * SECOND // QUOTE_STEP
        path = self._path(name, first * span, last * span, stride)
        prices = {"MIDPOINT": (path.bid + path.ask) / 2, "BID": path.bid, "ASK": path.ask}.get(what, path.last)
        prices = prices.reshape(last - first, -1)
        volumes = path.volume.reshape(last - first, -1)
        volume = volumes.sum(axis=1)
        wap = np.divide((prices * volumes).sum(axis=1), volume, out=prices.mean(axis=1), where=volume > 0)
        columns = (prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1])
        rows = zip(*(np.round(column, 8).tolist() for column in (*columns, volume, wap)), strict=True)
        count = prices.shape[1] if volume.any() else 0
        starts = range(first * seconds * SECOND, last * seconds * SECOND, seconds * SECOND)
        return [
            Bar(name, start, seconds, opened, high, low, close, traded, average, count)
            for start, (opened, high, low, close, traded, average) in zip(starts, rows, strict=True)
        ]

    def _quote(self, name: InstrumentId, step: int) -> Quote:
        block = self._blocks.get(name)
        if block is None or block[0] != step // BLOCK:
            low = step // BLOCK * BLOCK
            block = (step // BLOCK, self._path(name, low, low + BLOCK, 1))
            self._blocks[name] = block
        at = step % BLOCK
        bid, ask, bid_size, ask_size, last, volume = (float(column[at]) for column in block[1])
        if self._universe.instrument(name).sec_type is SecType.INDEX:
            return Quote(name, step * QUOTE_STEP, 0.0, 0.0, 0.0, 0.0, last)
        return Quote(name, step * QUOTE_STEP, bid, ask, bid_size, ask_size, last if volume else 0.0)

    def _levels(self, listing: Listing, low: int, high: int, stride: int) -> Floats:
        """Fair prices: the walk around the listed level; for an option, the model price from its underlying.

        An option that an account holds of something that is not listed has a walk of its own.
        """
        if listing.is_option and listing.underlying:
            underlying = self._levels(self._universe.listing(listing.underlying), low, high, stride)
            return option_prices(
                listing.instrument, underlying, np.arange(low, high, stride) * QUOTE_STEP, listing.volatility
            )
        key = _key(self._seed, listing.walk or listing.instrument.id)
        own, common = _brownian(key, low, high, stride), _brownian(self._common, low, high, stride)
        walk = np.sqrt(1 - CORRELATION**2) * own + CORRELATION * common
        levels: Floats = listing.price * np.exp(listing.volatility * walk)
        return levels

    def _path(self, name: InstrumentId, low: int, high: int, stride: int) -> PricePath:
        listing = self._universe.listing(name)
        key = _key(self._seed, name)
        steps = np.arange(low, high, stride)
        noise = _mix(steps.astype(np.uint64) ^ np.uint64(key ^ 0x5DEECE66D))
        wide = listing.spread + (_bits(noise, 0) < 0.2)
        levels = self._levels(listing, low, high, stride)
        tick = _ticks(listing, levels)
        bid_ticks = np.round(levels / tick) - (wide + 1) // 2
        bid_ticks = np.maximum(bid_ticks, 1)
        bid, ask = np.round(bid_ticks * tick, 8), np.round((bid_ticks + wide) * tick, 8)
        sizes = [listing.lot * (1 + np.floor(20 * _bits(noise, part))) for part in (1, 2)]
        last = np.where(_bits(noise, 3) < 0.5, bid, ask)
        return PricePath(bid, ask, sizes[0], sizes[1], last, _volume(listing, steps, noise, stride))


def _ticks(listing: Listing, levels: Floats) -> Floats | float:
    """The tick size at each price."""
    instrument = listing.instrument
    if not instrument.price_increments:
        return float(instrument.tick_size)
    edges, ticks = zip(*((float(edge), float(tick)) for edge, tick in instrument.price_increments), strict=True)
    at = np.searchsorted(np.array(edges[1:]), levels, side="right")
    steps: Floats = np.array(ticks)[at]
    return steps


def _volume(listing: Listing, steps: npt.NDArray[np.int64], noise: Hashes, stride: int) -> Floats:
    """Units traded in each step: U-shaped over the US session (13:30 to 20:00 UTC), low outside it."""
    if listing.instrument.sec_type is SecType.CASH or not listing.daily_volume:
        return np.zeros(len(steps))
    hour = (steps % (DAY // QUOTE_STEP)) / (3600 * SECOND / QUOTE_STEP)
    inside = (hour - 13.5) / 6.5
    shape = np.where((inside >= 0) & (inside <= 1), 1 + 3 * (2 * inside - 1) ** 2, 0.15)
    mean = listing.daily_volume * QUOTE_STEP / DAY * stride
    return np.floor(mean * shape * (0.25 + 1.5 * _bits(noise, 0))) + 1


def _brownian(key: int, low: int, high: int, stride: int) -> Floats:
    """The path of unit annual variance at steps low, low + stride, … below high, by midpoint displacement."""
    span = 2**ROOT_LEVEL
    first = low // span
    nodes = np.arange(first, -(-high // span) + 1) * span
    values = 0.3 * _normal(key, nodes)
    while span > stride:
        half = span // 2
        middles = nodes[:-1] + half
        sigma = np.sqrt(half / 2 / STEPS_PER_YEAR)
        between = (values[:-1] + values[1:]) / 2 + sigma * _normal(key, middles)
        finer = np.empty(2 * len(nodes) - 1)
        finer[0::2], finer[1::2] = values, between
        start, span = int(nodes[0]), half
        skip = max(0, (low - start) // span)
        keep = -(-(high - start) // span) + 1
        values = finer[skip:keep]
        nodes = start + span * np.arange(skip, skip + len(values))
    offset = (low - int(nodes[0])) // span
    return values[offset : offset + -(-(high - low) // stride)]


def _normal(key: int, at: npt.NDArray[np.int64]) -> Floats:
    """A nearly normal number for each step: four uniform ones added, mean 0 and variance 1."""
    hashed = _mix(at.astype(np.uint64) ^ np.uint64(key))
    return (sum(_bits(hashed, part) for part in range(4)) - 2.0) * np.sqrt(3.0)  # type: ignore[no-any-return]


def _bits(hashed: Hashes, part: int) -> Floats:
    """Sixteen of the bits as a number in [0, 1)."""
    return ((hashed >> np.uint64(16 * part)) & np.uint64(0xFFFF)).astype(np.float64) / 65536.0


def _mix(value: Hashes) -> Hashes:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _key(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest())
