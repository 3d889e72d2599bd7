"""What a daemon holds while it trades, and by how much that grows with each fill."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.system.harness import Daemon


class Held(msgspec.Struct, frozen=True):
    """At one moment: executions so far; bytes of resident memory, of its journal, tables and log; open descriptors."""

    fills: int
    memory: int
    descriptors: int
    journal: int
    tables: int
    log: int


MEASURES = ("memory", "descriptors", "journal", "tables", "log")


def held_by(daemon: Daemon) -> Held:
    """Of the process itself: a strategy's own process belongs to its author."""
    process = Path("/proc") / str(daemon.process.pid)
    pages = int((process / "statm").read_text().split()[1])
    return Held(
        fills=daemon.executions(),
        memory=pages * os.sysconf("SC_PAGE_SIZE"),
        descriptors=len(list((process / "fd").iterdir())),
        journal=_size(daemon.data.glob("journal.db*")),
        tables=_size((daemon.data / "arctic").rglob("*")),
        log=_size([daemon.log, *(daemon.data / "logs").rglob("*")]),
    )


def _size(files: Iterable[Path]) -> int:
    """What they take on the disk."""
    return sum(file.stat().st_blocks * 512 for file in files if file.is_file())


def slopes(series: list[Held]) -> dict[str, float]:
    """By how much each measure grows with a fill: least squares over the second half, when everything is warm."""
    late = series[len(series) // 2 :]
    mean = sum(at.fills for at in late) / len(late)
    spread = sum((at.fills - mean) ** 2 for at in late)
    if not spread:
        return dict.fromkeys(MEASURES, 0.0)
    return {name: sum((at.fills - mean) * getattr(at, name) for at in late) / spread for name in MEASURES}
