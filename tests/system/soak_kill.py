"""Kill the trading daemon again and again, and prove at the end that nothing was lost or doubled.

python tests/system/soak_kill.py --kills 20 --seed 5
"""

import argparse
import tempfile
from pathlib import Path

from harness import soak  # a script finds its neighbours by their own names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where its files go; default a new folder that is removed")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soaked = soak(chosen.folder or Path(folder), chosen.kills, chosen.seed)
    print(f"executions at the kills: {list(soaked.at_kills)}")
    print(f"{chosen.kills} kills, {soaked.orders} orders, {soaked.executions} executions, each booked once")


if __name__ == "__main__":
    main()
