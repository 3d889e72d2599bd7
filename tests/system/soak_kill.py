"""Kill the trading daemon, its gateway or both, again and again, and prove that nothing was lost or doubled.

python tests/system/soak_kill.py --kills 200 --victims daemon gateway both --strategies 8 --bar-seconds 0.5
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from types import ModuleType


def _find_tests() -> None:
    """Make `tests` the folder of this repository, whatever else is installed under that name."""
    root = Path(__file__).parents[2]
    package = ModuleType("tests")
    package.__path__ = [str(root / "tests")]
    sys.path.insert(0, str(root))
    sys.modules["tests"] = package


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--victims", nargs="+", choices=("daemon", "gateway", "both"), default=("daemon",))
    parser.add_argument("--strategies", type=int, default=4)
    parser.add_argument("--bar-seconds", type=float, default=2.0, help="how long a minute of the market lasts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where its files go; default a new folder that is removed")
    chosen = parser.parse_args()
    from tests.system.kills import Kills, soak

    kills = Kills(
        rounds=chosen.kills,
        seed=chosen.seed,
        victims=tuple(chosen.victims),
        strategies=chosen.strategies,
        bar_seconds=chosen.bar_seconds,
    )
    with tempfile.TemporaryDirectory() as folder:
        soaked = soak(chosen.folder or Path(folder), kills)
    print(f"executions at the kills: {list(soaked.at_kills)}")
    print(f"executions a second before them: median {statistics.median(soaked.rates):.0f}, all {soaked.rates}")
    print(f"{chosen.kills} kills, {soaked.orders} orders, {soaked.executions} executions, each booked once")


if __name__ == "__main__":
    _find_tests()
    main()
