"""The results of a sweep in the store: library `backtests`, one symbol, a row for each outcome.

Rows are added as outcomes come, so an interrupted sweep keeps them; its metadata suffices to resume it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from arcticdb import LibraryOptions

from mats.backtest import Code, DataSource
from mats.backtest.result.metrics import Metrics
from mats.errors import SweepError
from mats.model import Nanos
from mats.model.bar_columns import Floats, Instants
from mats.store.tables import LIBRARY, connect, open_library, symbol_name, time_index, write_lock
from mats.sweep.grid import Axis
from mats.sweep.plan import SweepPlan
from mats.sweep.trials import Trial, TrialTask

METRICS = tuple(name for name in Metrics.__struct_fields__ if name != "undefined")
PARAMETER = "param_"
CURVE = "out_of_sample"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The plan, its data and its code: all that is needed to resume an interrupted sweep."""

    name: str
    plan: SweepPlan
    source: DataSource
    data_fingerprint: str
    code: Code
    started: Nanos


class SweepTable:
    """One sweep in the store. Only one process writes it; processes that write other results take turns with it."""

    def __init__(self, uri: str, name: str) -> None:
        self._uri, self.name = uri, symbol_name(name)
        self._library = open_library(connect(uri), LIBRARY, LibraryOptions(recursive_normalizers=True))
        self._rows = 0

    def check_free(self) -> None:
        """Raises SweepError if the name is taken: before a long sweep, not after it."""
        if self._library.has_symbol(self.name):
            raise SweepError(
                f"a sweep {self.name} exists; resume it with --resume {self.name}, replace it with --replace,"
                " or choose another --description"
            )

    def read(self) -> tuple[Manifest, list[Trial]]:
        """The manifest and the outcomes by number. Raises SweepError where there is no such sweep."""
        if not self._library.has_symbol(self.name):
            known = [name for name in self._library.list_symbols() if name.startswith("sweep_")]
            available = f"there are {', '.join(sorted(known))}" if known else "there is none"
            raise SweepError(f"the store has no sweep {self.name}; {available}")
        item = self._library.read(self.name)
        manifest = msgspec.json.decode(item.metadata["sweep"], type=Manifest)
        self._rows = len(item.data)
        outcomes = [_outcome(row) for row in item.data.to_dict("records")]
        return manifest, sorted(outcomes, key=lambda outcome: outcome.task.number)

    def append(self, manifest: Manifest, outcomes: Sequence[Trial]) -> None:
        """Add outcomes that are not there yet, all or none of them; the first ones replace a sweep of the name."""
        frame = _frame(outcomes, manifest, self._rows)
        with write_lock(self._uri, LIBRARY):
            write = self._library.append if self._rows else self._library.write
            write(self.name, frame, metadata=_metadata(manifest), prune_previous_versions=True)
        self._rows += len(frame)

    def write_curve(self, time: Instants, equity: Floats) -> None:
        """Keep the stitched out-of-sample curve of a walk-forward beside the table."""
        frame = pd.DataFrame({"equity": equity}, index=time_index(time.tolist()))
        with write_lock(self._uri, LIBRARY):
            self._library.write(f"{self.name}/{CURVE}", frame, prune_previous_versions=True)

    def read_curve(self) -> tuple[Instants, Floats] | None:
        """The out-of-sample curve, None before the end of a walk-forward."""
        name = f"{self.name}/{CURVE}"
        if not self._library.has_symbol(name):
            return None
        frame = self._library.read(name).data
        return frame.index.asi8, frame["equity"].to_numpy()


def _metadata(manifest: Manifest) -> dict[str, str]:
    return {"sweep": msgspec.json.encode(manifest).decode()}


def _frame(outcomes: Iterable[Trial], manifest: Manifest, first: int) -> pd.DataFrame:
    """Rows a nanosecond apart, from the sweep's start on; a metric that is not defined is NaN.

    The task is stored exactly, as JSON.
    """
    items = list(outcomes)
    columns: dict[str, Any] = {
        "number": np.array([o.task.number for o in items], dtype=np.int64),
        "window": np.array([o.task.window for o in items], dtype=np.int64),
        "leg": _texts(o.task.leg for o in items),
        "state": _texts(o.state for o in items),
        "reason": _texts(o.reason for o in items),
        "task": _texts(msgspec.json.encode(o.task).decode() for o in items),
    }
    for axis in manifest.plan.axes:
        values = [o.task.parameters.get(axis.name) for o in items]
        columns[PARAMETER + axis.name] = np.array(values, dtype=float) if _numeric(axis) else _texts(map(str, values))
    for name in METRICS:
        values = [o.metrics.get(name) for o in items]
        columns[name] = np.array([np.nan if value is None else value for value in values], dtype=float)
    start = manifest.started + first
    return pd.DataFrame(columns, index=time_index(list(range(start, start + len(items)))))


def _texts(values: Iterable[str]) -> Any:
    """A column of text that stays one where it is empty."""
    return np.array(list(values), dtype=object)


def _numeric(axis: Axis) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in axis.values)


def _outcome(row: dict[Any, Any]) -> Trial:
    task = msgspec.json.decode(row["task"], type=TrialTask)
    complete = row["state"] == "complete"
    metrics = {name: None if np.isnan(row[name]) else float(row[name]) for name in METRICS} if complete else {}
    return Trial(task=task, state=row["state"], reason=row["reason"], metrics=metrics)
