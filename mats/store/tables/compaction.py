"""When a symbol is compacted. Each append leaves a segment and each update several; they slow reading."""

from pathlib import Path

from arcticdb.version_store.library import Library

APPEND_WEIGHT = 1
UPDATE_WEIGHT = 5
COMPACT_AT = 100
"""Compact after 100 appends or 20 updates: the cost of a commit then stays flat from the first to the 20,000th."""

COMPACT_AT_IDLE = 20
"""At idle, symbols below this weight of uncompacted commits are left alone."""

COMPACT_VERSIONS_AT = 5_000
"""ArcticDB never collects version keys; the writer's hourly upkeep compacts symbols with this many or more."""

MAP_ALARM = 0.7
"""Share of the LMDB map from which an operator should act: a full map refuses even deletes."""


def compact(library: Library, symbol: str) -> None:
    """Merge the small segments of `symbol` and drop old versions. Rows and metadata stay."""
    library.compact_data(symbol, prune_previous_versions=True)


def compact_versions(library: Library, symbol: str) -> bool:
    """Compact the version keys of a symbol where this ArcticDB offers it; returns whether it did.

    The call is private to ArcticDB, so the row count is compared before and after.
    """
    engine = library._nvs.version_store
    if not hasattr(engine, "_compact_version_map") or library.get_description(symbol).row_count is None:
        return False
    before = library.get_description(symbol).row_count
    engine._compact_version_map(symbol)
    after = library.get_description(symbol).row_count
    if after != before:
        raise RuntimeError(f"compacting the versions of {symbol} changed {before} rows to {after}; restore the backup")
    return True


def map_use(directory: Path, map_bytes: int) -> dict[str, float]:
    """How full each LMDB library below `directory` is, as a share of its map."""
    return {
        str(file.parent.relative_to(directory)): file.stat().st_size / map_bytes
        for file in sorted(directory.rglob("data.mdb"))
    }
