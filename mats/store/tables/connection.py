"""Connections to ArcticDB: one per address and process, one map size, secrets masked; one writer at a time."""

import errno
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

# One thread a pool: appends are serialized by ArcticDB anyway, and fewer hand-offs halve their cost on a busy machine.
os.environ.setdefault("ARCTICDB_VersionStore_NumCPUThreads_int", "1")
os.environ.setdefault("ARCTICDB_VersionStore_NumIOThreads_int", "1")

from arcticdb import Arctic, LibraryOptions
from arcticdb.config import set_config_int, set_log_level
from arcticdb.exceptions import ArcticException
from arcticdb.version_store.library import Library

from mats.errors import UserError
from mats.store.directory_lock import DataLock, LockHeldError
from mats.store.lmdb_check import DamagedFileError, check_lmdb_file

MAP_SIZE = "16GB"
"""LMDB's address space per library. Daemon, web and notebooks must agree: a smaller map aborts the process."""

DATA = "data.mdb"
"""The file of a library; beside it is one of locks, which LMDB makes anew when nobody holds one."""

_SECRET = re.compile(r"(?i)((?:access|secret|key|token|password)[^=&]*=)[^&]*")
_CREDENTIALS = re.compile(r"://[^/@]*@")
_arctics: WeakValueDictionary[str, Arctic] = WeakValueDictionary()


STORE_ERRORS = (ArcticException, OSError)
"""Errors of a store that may answer the same call later: a full disk or map, an unreachable network."""

RESERVE_BYTES = 64 * 2**20
"""A local store is not written when its disk has less free space than this."""


class StoreUnreachableError(UserError):
    """The store cannot be opened; the message names its address, secrets masked, and the reason."""


class StoreAddressError(StoreUnreachableError):
    """The address itself is wrong: the store will never open there."""


class StoreDamagedError(StoreUnreachableError):
    """A file of a local store is damaged, and was not opened."""


class NewerTableError(StoreUnreachableError):
    """A table was written by a newer version of this program."""


class StoreMovedError(OSError):
    """The directory of a local store is gone from its place: opening a library would make another one there."""


class DiskReservedError(OSError):
    """A local store is not written, because its disk is nearly full."""


def check_disk_space(uri: str) -> None:
    """Raise DiskReservedError where the disk of a local store is nearly full.

    A commit of LMDB must never fail: ArcticDB 6.28 then frees memory twice, which ends the process.
    """
    if uri.startswith("lmdb://"):
        directory = next(known for known in _with_parents(lmdb_directory(uri)) if known.exists())
        free = shutil.disk_usage(directory).free
        if free < RESERVE_BYTES:
            raise DiskReservedError(
                errno.ENOSPC, f"the disk of {directory} has {free} bytes left; free at least {RESERVE_BYTES}"
            )


def _with_parents(directory: Path) -> tuple[Path, ...]:
    return (directory, *directory.absolute().parents)


def lmdb_uri(directory: Path) -> str:
    """The address of a store on the local disk."""
    return f"lmdb://{directory}?map_size={MAP_SIZE}"


def store_uri(uri: str, data_dir: Path) -> str:
    """The configured address: `uri`, or the local store of the data directory where that is empty."""
    return uri or lmdb_uri(data_dir / "arctic")


def safe_uri(uri: str) -> str:
    """The address as it may be logged: keys, secrets and passwords masked."""
    return _CREDENTIALS.sub("://***@", _SECRET.sub(r"\1***", uri))


def connect(uri: str) -> Arctic:
    """The connection of this process to `uri`: two over one path would lose each other's rows, so there is one.

    Of a remote store nothing is asked yet. Raises StoreUnreachableError.
    """
    full = _full(uri)
    arctic = _arctics.get(full)
    if arctic is None:
        if full.startswith("lmdb://"):
            _make(lmdb_directory(full))
            _check_files(lmdb_directory(full))
        set_log_level("WARN")
        set_config_int("VersionMap.ReloadInterval", 0)  # a cached version hides a second writer, and fails when pruned
        arctic = _arctics[full] = _open(full)
    return arctic


@contextmanager
def connected(uri: str, arctic: Arctic) -> Iterator[None]:
    """Let `arctic` be the connection of this process to `uri`, whoever asks for it, within the block."""
    _arctics[_full(uri)] = arctic
    try:
        yield
    finally:
        _arctics.pop(_full(uri), None)


def _full(uri: str) -> str:
    return f"{uri}?map_size={MAP_SIZE}" if uri.startswith("lmdb://") and "map_size=" not in uri else uri


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreAddressError(
            f"the store's directory {directory} cannot be used ({error.strerror}); remove the file in its place, "
            "or correct store.uri"
        ) from error
    except OSError as error:
        raise StoreUnreachableError(
            f"the store's directory {directory} cannot be used ({error.strerror}); make it writable for this user, "
            "or correct store.uri"
        ) from error


def _check_files(directory: Path) -> None:
    """Raise StoreDamagedError where opening a library would end the process."""
    for file in sorted(directory.glob("**/*.mdb")):
        try:
            if file.is_dir():
                raise DamagedFileError("it is a directory")
            if file.name == DATA:
                check_lmdb_file(file)
        except DamagedFileError as error:
            raise StoreDamagedError(
                f"{file} is damaged ({error}) and is not opened; restore it from a backup, or move its folder away and "
                "start again: what is in the journal is written anew"
            ) from None


def _open(uri: str) -> Arctic:
    try:
        return Arctic(uri)
    except (ArcticException, ValueError, AttributeError) as error:  # the last where no address can be made out
        kind = StoreUnreachableError if isinstance(error, ArcticException) else StoreAddressError
        reason = safe_uri(str(error))
        raise kind(f"the store at {safe_uri(uri)} cannot be opened: {reason}; correct store.uri") from None


def lmdb_directory(uri: str) -> Path:
    """Where an `lmdb://` address keeps its files."""
    return Path(uri.removeprefix("lmdb://").partition("?")[0])


def require_in_place(uri: str) -> None:
    """Raise StoreMovedError where the directory of a local store that was connected to is gone."""
    if uri.startswith("lmdb://") and not (directory := lmdb_directory(uri)).is_dir():
        raise StoreMovedError(
            errno.ENOENT, f"the store's directory {directory} was moved or removed; move it back, or start again"
        )


def open_library(arctic: Arctic, name: str, options: LibraryOptions) -> Library:
    """The library, created when absent; a new folder is flushed, because LMDB flushes only the file in it.

    Raises StoreMovedError.
    """
    known = arctic.has_library(name)
    require_in_place(arctic.get_uri())
    if not known:
        arctic.create_library(name, options)
        uri = arctic.get_uri()
        if uri.startswith("lmdb://"):
            _flush_directories(lmdb_directory(uri), lmdb_directory(uri) / name)
    return arctic.get_library(name)


def symbols(library: Library) -> list[str]:
    """The names in a library, sorted. The plain listing writes an index of them, for which it may wait a second."""
    names: list[str] = library._nvs.list_symbols(use_symbol_list=False)
    return sorted(names)


def _flush_directories(root: Path, leaf: Path) -> None:
    for directory in (leaf, *leaf.parents):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(descriptor)
        os.close(descriptor)
        if directory == root:
            return


ATTEMPTS, PAUSE_SECONDS = 600, 0.1

_NEVER = threading.Event()


@contextmanager
def write_lock(uri: str, libraries: str, attempts: int = ATTEMPTS) -> Iterator[None]:
    """Hold the lock for writing `libraries` (`bars`, `backtests`) of a local store.

    It is tried ten times a second, by default for a minute; then LockHeldError. Raises StoreMovedError, too.

    A remote store has no lock: only one deployment may write it.
    """
    if not uri.startswith("lmdb://"):
        yield
        return
    require_in_place(uri)
    held = lmdb_directory(uri) / libraries
    for _ in range(attempts - 1):
        try:
            lock = DataLock(held)
            break
        except LockHeldError:
            _NEVER.wait(PAUSE_SECONDS)
    else:
        lock = DataLock(held)
    with lock:
        yield
