"""What was asked in the last ten minutes, in a file: who is killed and starts again must not ask it once more."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from mats.ib.history.budget import HistoricalBudget, RequestCost
from mats.model import SECOND, Nanos

KEPT: Nanos = 660 * SECOND
"""Longer than the longest span of IB's limits."""


class _Sent(msgspec.Struct, frozen=True):
    at: Nanos
    cost: RequestCost


class RequestLog:
    """Lines of requests in the order in which they were sent. A line that is torn by a kill is left out."""

    def __init__(self, path: Path, now: Callable[[], Nanos]) -> None:
        """Open the file, created when absent, and drop what is old."""
        self._now = now
        since = now() - KEPT
        self._recent = [sent for sent in _read(path) if since <= sent.at <= now()]
        unfinished = path.with_suffix(".new")
        unfinished.write_bytes(b"".join(map(_line, self._recent)))
        unfinished.replace(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def recall(self, budget: HistoricalBudget) -> None:
        """Count what was sent before."""
        for sent in self._recent:
            budget.remember(sent.cost, (self._now() - sent.at) / SECOND)

    def add(self, cost: RequestCost) -> None:
        """A request leaves now."""
        os.write(self._file, _line(_Sent(self._now(), cost)))

    def close(self) -> None:
        os.close(self._file)


def _line(sent: _Sent) -> bytes:
    return msgspec.json.encode(sent) + b"\n"


def _read(path: Path) -> Iterator[_Sent]:
    decoder = msgspec.json.Decoder(_Sent)
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            yield decoder.decode(line)
        except msgspec.DecodeError:
            continue
