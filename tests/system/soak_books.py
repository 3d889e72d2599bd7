"""An hour of the market through a gateway full of faults, with kills of the daemon; then the books are made again.

python tests/system/soak_books.py --minutes 60 --bar-seconds 3 --kills 5 --seed 1
"""

import argparse
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import msgspec


def _find_tests() -> None:
    """Make `tests` the folder of this repository, whatever else is installed under that name."""
    root = Path(__file__).parents[2]
    package = ModuleType("tests")
    package.__path__ = [str(root / "tests")]
    sys.path.insert(0, str(root))
    sys.modules["tests"] = package


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--bar-seconds", type=float, default=3.0)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where its files go; default a new folder that is removed")
    chosen = parser.parse_args()
    from tests.system.troubled import soak_books

    with tempfile.TemporaryDirectory() as folder:
        place = chosen.folder or Path(folder)
        soaked = soak_books(place, chosen.minutes, chosen.bar_seconds, chosen.kills, chosen.seed)
    for name, value in msgspec.structs.asdict(soaked).items():
        print(f"{name:<12}{value}")


if __name__ == "__main__":
    _find_tests()
    main()
