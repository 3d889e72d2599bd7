"""What docs/backtests.md tells people to run, and the bars and the day that it tells it of."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from mats.model.timestamp import SECOND
from tests.command.command import ROOT

PAGE = (ROOT / "docs/backtests.md").read_text()
LINES = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)).splitlines()
TODAY = 1_578_009_600 * SECOND  # 2020-01-03


def write_bars(path: Path, seed: int, count: int = 2_000) -> None:
    random = np.random.default_rng(seed)
    close = np.round(100 + np.cumsum(random.normal(0, 0.05, count)), 2)
    frame = pd.DataFrame({"open": np.round(close + 0.01, 2), "high": close + 0.05, "low": close - 0.05, "close": close})
    frame["volume"] = 1e6
    frame.index = pd.date_range("2020-01-01", periods=count, freq="min", tz="UTC", name="timestamp")
    frame.to_csv(path)
