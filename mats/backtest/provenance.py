"""Which code made a result: the package, the commit, and the strategy files."""

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from mats.backtest.spec import BacktestSpec
from mats.model import StrategyName
from mats.strategy.hosting import find_file

ROOT = Path(__file__).resolve().parents[2]


class Code(msgspec.Struct, frozen=True):
    """`commit` is empty outside of a checkout, and ends in `-dirty` where files differ from it."""

    package: str
    commit: str
    files: Mapping[StrategyName, str]
    """A hash of each strategy's file."""


def code_of(spec: BacktestSpec) -> Code:
    """The code that runs a spec now. Raises StrategyError where a strategy's file is missing."""
    files = {record.name: find_file(record.file, Path(spec.folder)) for record in spec.strategies}
    hashes = {name: hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest() for name, file in files.items()}
    return Code(_package(), _commit(), hashes)


def _package() -> str:
    try:
        return version("mats")
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return ""
    command = [git, "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--match="]
    described = subprocess.run(command, capture_output=True, text=True, check=False)
    return described.stdout.strip()
