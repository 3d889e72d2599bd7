import os
from pathlib import Path

import pytest

from mats.runtime import SystemClock
from tests.command.backtests_page import TODAY, write_bars


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands of the page run: bars in a folder, a data directory of its own, and a day that stays."""
    (tmp_path / "bars").mkdir()
    for seed, name in enumerate(("SPY", "IBM")):
        write_bars(tmp_path / f"bars/{name}.csv", seed)
    for name in [name for name in os.environ if name.startswith("MATS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MATS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(SystemClock, "now", lambda self: TODAY)
    monkeypatch.chdir(tmp_path)
    return tmp_path
