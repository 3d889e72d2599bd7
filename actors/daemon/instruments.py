"""Before anything is named at a start, the registry of instruments takes over what is known."""

from contextlib import closing
from pathlib import Path

import structlog

from actors.tree import DaemonPlan
from mats.errors import say
from mats.instruments import KnownInstrument
from mats.store.instruments import prepare_instruments, stored_instruments
from mats.store.journal import Journal
from mats.store.tables import STORE_ERRORS, StoreUnreachableError


def fill_registry(plan: DaemonPlan, file: Path) -> None:
    """What an operator must know is said. A store that is away keeps nobody from trading: names are assigned anew."""
    with closing(Journal(plan.journal)) as journal:
        stored = [] if journal.instruments() else _stored(plan.store_uri)
        for sentence in prepare_instruments(journal, file, stored):
            say(sentence)
            structlog.get_logger(name="instruments").warning(sentence)


def _stored(uri: str) -> list[KnownInstrument]:
    try:
        return stored_instruments(uri)
    except (*STORE_ERRORS, StoreUnreachableError, ValueError) as error:
        structlog.get_logger(name="instruments").warning("general/instruments is not read", reason=str(error)[:200])
        return []
