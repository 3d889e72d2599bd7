"""What the linters refuse: imports upwards, circles, and the clock, chance and threads inside the plain libraries."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FAULTS = {
    "mats never imports actors": ("mats/ledger/books/fault.py", "import actors.tree\n"),
    "layers import downwards": ("mats/ledger/books/fault.py", "import mats.gateway.server\n"),
    "no circles": ("mats/ledger/books/book.py", "import mats.ledger.books.books\n"),
}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The sources and the linters' settings, to be spoiled."""
    for folder in ("actors", "mats"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> str:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout


def test_imports_keep_to_their_layers() -> None:
    assert "0 broken" in lint_imports(ROOT)


@pytest.mark.parametrize("contract", FAULTS)
def test_an_import_against_the_layers_is_refused(copied: Path, contract: str) -> None:
    name, line = FAULTS[contract]
    file = copied / name
    file.write_text((file.read_text() if file.exists() else "") + "\n" + line)
    assert f"{contract} BROKEN" in lint_imports(copied)


@pytest.mark.parametrize(
    "line",
    [
        "import time\n\ntime.time()\n",
        "import time\n\ntime.sleep(1)\n",
        "import random\n\nrandom.random()\n",
        "import threading\n\nthreading.Lock()\n",
        "from datetime import UTC, datetime\n\ndatetime.now(UTC)\n",
        "from uuid import uuid4\n\nuuid4()\n",
    ],
    ids=lambda line: line.split()[-1],
)
def test_clocks_chance_and_threads_are_refused_inside(copied: Path, line: str) -> None:
    (copied / "mats/ledger/books/fault.py").write_text(f'"""A fault."""\n\n{line}')
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "mats/ledger"]
    done = subprocess.run(command, cwd=copied, capture_output=True, text=True, check=False)
    assert "TID251" in done.stdout
