"""Whether an LMDB file can be mapped: a page that it refers to and does not have ends the process with a signal.

The file is read, never mapped, and every page that leads to data is looked at, but not the data themselves. The format
is that of LMDB 0.9 on little-endian machines with 64 bits (`mdb.c`: MDB_page, MDB_meta, MDB_db, MDB_node).
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

PAGE = struct.Struct("<QHHHH")
"""Its number, its key size, its flags, and the bounds of its free space; or instead of these how many it is long."""
META = struct.Struct("<IIQQ48s48sQQ")
"""Magic, version, address, map size, the tree of free pages, the main tree, the last page, the transaction."""
TREE = struct.Struct("<IHHQQQQQ")
"""Page size (in the first one), flags, depth, number of branch, leaf and overflow pages, entries, and the root."""
NODE = struct.Struct("<HHHH")
"""Low and high part of a size or page, flags, length of the key that follows."""
MAGIC, VERSION = 0xBEEFC0DE, 1
BRANCH, LEAF, OVERFLOW = 1, 2, 4
BIG_DATA, SUB_TREE = 1, 2
NO_PAGE = 2**64 - 1
PAGE_SIZES = tuple(2**power for power in range(9, 17))
LOOKS = 3
"""A file that is written meanwhile is looked at again."""


class DamagedFileError(Exception):
    """The file must not be mapped; says what is wrong with it."""


def check_lmdb_file(path: Path) -> None:
    """Raise DamagedFileError for a file that cannot be mapped safely. A missing or empty one is a new one."""
    for _ in range(LOOKS):
        try:
            with path.open("rb", buffering=0) as file:
                looked = _Look(file.fileno())
                try:
                    looked.check()
                except DamagedFileError:
                    if not looked.changed():
                        raise
                else:
                    return
        except FileNotFoundError:
            return
        except OSError as error:
            raise DamagedFileError(error.strerror or str(error)) from error


class _Look:
    """One look at a file as it is at one transaction."""

    def __init__(self, file: int) -> None:
        self._file, self._size = file, os.fstat(file).st_size
        self._page_size, self._pages, self._transaction = PAGE_SIZES[0], 0, 0
        self._seen: set[int] = set()

    def check(self) -> None:
        if self._size == 0:
            return
        free, main = self._newest()
        self._check_tree(free)
        self._check_tree(main)

    def changed(self) -> bool:
        """Whether somebody has written it meanwhile."""
        before = self._transaction
        try:
            self._newest()
        except DamagedFileError:
            return False
        return self._transaction != before

    def _newest(self) -> tuple[bytes, bytes]:
        """The trees of the newer of the two heads, of which both must be whole."""
        first = self._head(0)
        self._page_size = TREE.unpack(first[4])[0]
        if self._page_size not in PAGE_SIZES:
            raise DamagedFileError(f"its page size is {self._page_size}")
        newest = max(first, self._head(self._page_size), key=lambda head: int(head[-1]))
        _, _, _, _, free, main, last, self._transaction = newest
        self._pages = last + 1
        return free, main

    def _head(self, place: int) -> tuple[int, int, int, int, bytes, bytes, int, int]:
        head: tuple[int, int, int, int, bytes, bytes, int, int] = META.unpack(
            self._read(place + PAGE.size, META.size, "its head")
        )
        if head[:2] != (MAGIC, VERSION):
            raise DamagedFileError("it does not begin as a file of LMDB does")
        return head

    def _check_tree(self, tree: bytes) -> None:
        waiting = [TREE.unpack(tree)[-1]]
        while waiting:
            number = waiting.pop()
            if number != NO_PAGE:
                waiting.extend(self._children(number))

    def _children(self, number: int) -> Iterator[int]:
        """The pages that a page of a tree leads to; what is no tree is checked itself."""
        page, flags, lower, upper = self._page(number)
        if not flags & (BRANCH | LEAF) or not PAGE.size <= lower <= upper <= self._page_size:
            raise DamagedFileError(f"page {number} is no page of a tree")
        for (place,) in struct.iter_unpack("<H", page[PAGE.size : lower - lower % 2]):
            if place + NODE.size > self._page_size:
                raise DamagedFileError(f"page {number} points beyond itself")
            low, high, marks, key_size = NODE.unpack_from(page, place)
            value = place + NODE.size + key_size
            if flags & BRANCH:
                yield low | high << 16 | marks << 32
            elif marks & BIG_DATA:
                self._check_overflow(*struct.unpack("<Q", _part(page, value, 8)))
            elif marks & SUB_TREE:
                yield TREE.unpack(_part(page, value, TREE.size))[-1]

    def _check_overflow(self, number: int) -> None:
        _, flags, low, high = self._page(number)
        end = number + (low | high << 16)
        if not flags & OVERFLOW or end > self._pages or end * self._page_size > self._size:
            raise DamagedFileError(f"page {number} is not the data that it should be")

    def _page(self, number: int) -> tuple[bytes, int, int, int]:
        if number >= self._pages or number in self._seen:
            raise DamagedFileError(f"page {number} is referred to, and is not one of its own")
        self._seen.add(number)
        page = self._read(number * self._page_size, self._page_size, f"page {number}")
        own, _, flags, lower, upper = PAGE.unpack_from(page)
        if own != number:
            raise DamagedFileError(f"page {number} is overwritten")
        return page, flags, lower, upper

    def _read(self, place: int, length: int, what: str) -> bytes:
        found = os.pread(self._file, length, place)
        if len(found) < length:
            raise DamagedFileError(f"it ends before {what}")
        return found


def _part(page: bytes, place: int, length: int) -> bytes:
    part = page[place : place + length]
    if len(part) < length:
        raise DamagedFileError("a page points beyond itself")
    return part
