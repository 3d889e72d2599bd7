"""When a symbol is compacted. Appends leave a segment each and updates more; reading slows as they add up."""

from pathlib import Path

from arcticdb.version_store.library import Library

APPEND_WEIGHT = 1
UPDATE_WEIGHT = 5
DUE = 100
"""Compact after 100 appends or 20 updates: cost per commit then stays flat from the first to the 20,000th."""

WORTHWHILE = 20
"""At idle, fewer loose commits than this are left alone."""

VERSION_MAP_DUE = 5_000
"""Version keys are never collected by ArcticDB; the writer's hourly upkeep folds so many and more."""

MAP_ALARM = 0.7
"""Share of the LMDB map from which an operator should be told: a full map refuses even deletes."""


def compact(library: Library, symbol: str) -> None:
    """Fold the small segments of `symbol` into full ones and let the old versions go. Rows and metadata stay."""
    library.compact_data(symbol, prune_previous_versions=True)


def compact_versions(library: Library, symbol: str) -> bool:
    """Fold the version keys of a much-written symbol where this ArcticDB offers it; say whether it did.

    The call is private to ArcticDB, so the row count is compared before and after.
    """
    engine = library._nvs.version_store
    if not hasattr(engine, "_compact_version_map") or library.get_description(symbol).row_count is None:
        return False
    before = library.get_description(symbol).row_count
    engine._compact_version_map(symbol)
    after = library.get_description(symbol).row_count
    if after != before:
        raise RuntimeError(f"folding the versions of {symbol} changed {before} rows to {after}; restore the backup")
    return True


def map_use(directory: Path, map_bytes: int) -> dict[str, float]:
    """How full each LMDB library below `directory` is, as a share of its map."""
    return {
        str(file.parent.relative_to(directory)): file.stat().st_size / map_bytes
        for file in sorted(directory.rglob("data.mdb"))
    }
