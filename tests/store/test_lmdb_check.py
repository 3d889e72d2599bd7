"""A file that would end the process that maps it is known before; one that would not is never refused."""

import random
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from arcticdb import Arctic

from mats.store.lmdb_check import DamagedFileError, check_lmdb_file
from mats.store.tables.connection import StoreDamagedError, connect
from tests.patience import PATIENCE

PAGE = 4096

READ = """
import sys
from arcticdb import Arctic
library = Arctic(f"lmdb://{sys.argv[1]}")["fills"]
for symbol in library.list_symbols():
    library.read(symbol)
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The bytes of a library with several symbols, versions and large segments, some of them deleted."""
    folder = tmp_path_factory.mktemp("store")
    library = Arctic(f"lmdb://{folder}").create_library("fills")
    for number in range(40):
        rows = 20 if number % 4 else 5_000
        frame = pd.DataFrame({"x": np.random.default_rng(number).normal(size=rows)})
        library.write(f"symbol-{number % 10}", frame, prune_previous_versions=number % 3 == 0)
    library.delete("symbol-3")
    del library
    return folder, (folder / "fills" / "data.mdb").read_bytes()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data.mdb"


def test_a_file_that_is_whole_passes(written, file):
    file.write_bytes(written[1])
    check_lmdb_file(file)


@pytest.mark.parametrize("content", [None, b""], ids=["missing", "empty"])
def test_a_file_that_is_to_be_made_passes(content, file):
    if content is not None:
        file.write_bytes(content)
    check_lmdb_file(file)


def _cut(content, share):
    return content[: int(len(content) * share)]


def _overwrite(content, begin, end, byte=0x5A):
    return content[:begin] + bytes([byte]) * (end - begin) + content[end:]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda content: _cut(content, 0.5), "ends before|not the data"),
        (lambda content: content[: 2 * PAGE], "ends before"),
        (lambda content: content[:100], "ends before"),
        (lambda content: random.Random(1).randbytes(len(content)), "does not begin as"),
        (lambda content: _overwrite(content, 0, 64), "does not begin as"),
        (lambda content: _overwrite(content, PAGE, PAGE + 64), "does not begin as"),
        (lambda content: _overwrite(content, 2 * PAGE, len(content)), "overwritten"),
        (lambda content: _overwrite(content, 2 * PAGE, len(content), 0), "overwritten"),
    ],
    ids=["half", "two pages", "100 bytes", "random", "first head", "second head", "body", "zeros"],
)
def test_a_damaged_file_is_refused_with_the_reason(spoil, why, written, file):
    file.write_bytes(spoil(written[1]))
    with pytest.raises(DamagedFileError, match=why):
        check_lmdb_file(file)


def test_a_directory_in_place_of_the_file_is_refused(file):
    file.mkdir()
    with pytest.raises(DamagedFileError, match="directory"):
        check_lmdb_file(file)


def test_the_store_is_not_opened_and_the_remedy_is_told(written, tmp_path):
    (tmp_path / "fills").mkdir()
    (tmp_path / "fills" / "data.mdb").write_bytes(_cut(written[1], 0.5))
    with pytest.raises(StoreDamagedError, match=r"fills/data\.mdb is damaged .* restore it from a backup, or move"):
        connect(f"lmdb://{tmp_path}")


@pytest.mark.parametrize("seed", range(8))
def test_no_flipped_bytes_that_pass_end_a_reader_with_a_signal(seed, written, tmp_path):
    """Whatever else ArcticDB makes of damaged data, it is an error that can be told."""
    source, content = written
    chance, spoiled = random.Random(seed), bytearray(content)
    for _ in range(2):
        spoiled[chance.randrange(2 * PAGE, len(spoiled))] ^= 0xFF
    for name in ("fills", "_arctic_cfg"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").write_bytes((source / name / "data.mdb").read_bytes())
    target = tmp_path / "fills" / "data.mdb"
    target.write_bytes(spoiled)
    try:
        check_lmdb_file(target)
    except DamagedFileError:
        return
    command = [sys.executable, "-c", READ, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode >= 0, f"signal {-done.returncode}"
