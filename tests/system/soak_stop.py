"""Stop a trading daemon four of whose strategies block for ever, again and again, and prove that each stop is clean.

python tests/system/soak_stop.py --stops 100 --seed 5
"""

import argparse
import tempfile
from pathlib import Path

from blocked_stops import stops_of_blocked_strategies  # a script finds its neighbours by their own names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where its files go; default a new folder that is removed")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        executions = stops_of_blocked_strategies(chosen.folder or Path(folder), chosen.stops, chosen.seed)
    print(f"{chosen.stops} stops with blocked strategies, exit code 0 each time, {executions} executions all stored")


if __name__ == "__main__":
    main()
