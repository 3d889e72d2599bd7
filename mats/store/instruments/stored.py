"""The registry as the tables have it."""

from typing import cast

from mats.instruments import KnownInstrument
from mats.store.tables import Reader, Row, known_of


def stored_instruments(uri: str) -> list[KnownInstrument]:
    """The contracts of `general/instruments`, where there is that table. Raises the errors of a store that is away."""
    rows = Reader(uri).table("general", "instruments").to_dict("records")
    return [known_of(cast(Row, row)) for row in rows]
