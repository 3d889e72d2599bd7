"""Names that the store accepts on every disk: libraries become folders, symbols become keys."""

import re
from collections.abc import Iterable

from mats.model import StrategyName

SYMBOL_LENGTH = 200

_UNSAFE_IN_LIBRARY = re.compile(r"[^A-Za-z0-9_-]")
_SYMBOL = re.compile(r"(?:(?![*<>])[ -~])+")


def library_part(name: str) -> str:
    """`name` as one folder: letters, digits, `_` and `-` stay, everything else becomes `_`.

    Dots above all must be replaced: ArcticDB turns `BRK.B` and `BRK/B` into the same file.
    """
    if not name:
        raise ValueError("an empty name cannot be a library; give the strategy or account a name")
    return _UNSAFE_IN_LIBRARY.sub("_", name)


def symbol_name(name: str) -> str:
    """`name` itself when it is a valid symbol; raises ValueError otherwise."""
    if len(name) > SYMBOL_LENGTH or not _SYMBOL.fullmatch(name):
        raise ValueError(
            f"{name[:40]!r} cannot be a symbol of the store; use 1 to {SYMBOL_LENGTH} printable ASCII characters"
            " without * < >"
        )
    return name


def check_distinct(names: Iterable[StrategyName]) -> None:
    """Refuse two strategies whose positions would share a folder, also where the disk ignores case."""
    owners: dict[str, StrategyName] = {}
    for name in names:
        owner = owners.setdefault(library_part(name).casefold(), name)
        if owner != name:
            raise ValueError(
                f"strategies {owner!r} and {name!r} would share the library positions/{library_part(name)};"
                " rename one of them"
            )
