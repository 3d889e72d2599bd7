"""SIGTERM and SIGSTOP a trading daemon while it starts, recovers, trades and stops, and prove that nothing was lost.

python tests/system/soak_signals.py --rounds 100 --seed 5
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where its files go; default a new folder that is removed")
    chosen = parser.parse_args()
    from tests.system.signals import signals_at_any_moment

    with tempfile.TemporaryDirectory() as folder:
        struck = signals_at_any_moment(chosen.folder or Path(folder), chosen.rounds, chosen.seed)
    for name, value in msgspec.structs.asdict(struck).items():
        print(f"{name:<12}{value}")


if __name__ == "__main__":
    _find_tests()
    main()
