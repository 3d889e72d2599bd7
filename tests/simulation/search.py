"""Look for seeds that fail: python tests/simulation/search.py --seeds 5000

Prints each failing seed with its complaints. `--first` continues where another search ended.
"""

import argparse
import logging
import sys
from pathlib import Path
from types import ModuleType

import structlog


def _find_tests() -> None:
    """Make `tests` the folder of this repository, whatever else is installed under that name."""
    root = Path(__file__).parents[2]
    package = ModuleType("tests")
    package.__path__ = [str(root / "tests")]
    sys.path.insert(0, str(root))
    sys.modules["tests"] = package


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--digest", action="store_true", help="print the hash of each seed's trace")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    from tests.simulation.checks import verdict

    failed: list[int] = []
    totals = [0, 0, 0, 0]
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        found = verdict(seed)
        totals = [total + more for total, more in zip(totals, found.figures, strict=True)]
        if chosen.digest:
            print(found.digest)
        if found.complaints:
            failed.append(seed)
            print(f"seed {seed}:", *found.complaints[:5], sep="\n    ", flush=True)
    orders, executions, crashes, boots = totals
    print(f"{chosen.seeds} seeds, {orders} orders, {executions} executions, {crashes} crashes, {boots} boots")
    sys.exit(f"failing seeds: {failed}" if failed else 0)


if __name__ == "__main__":
    _find_tests()
    main()
