"""A start joins journal and tables where a file was put back or lost, before anybody reads either."""

from contextlib import closing

import structlog

from actors.tree import DaemonPlan
from mats.errors import say
from mats.store.isolation import IsolatedArctic
from mats.store.journal import Journal
from mats.store.lineage import check_lineage, join_tables
from mats.store.tables import (
    STORE_ERRORS,
    NewerTableError,
    StoreDamagedError,
    StoreUnreachableError,
    check_disk_space,
    safe_uri,
)

LOOK_SECONDS = 20.0
"""A store that does not answer within this time is looked at by the writer, when it answers."""


def join_store(plan: DaemonPlan, store: IsolatedArctic) -> None:
    """Compare marks, and join where they differ; what was done is said. Raises the errors of a journal or table that
    cannot be used; a store that is away keeps nobody from trading.
    """
    with closing(Journal(plan.journal)) as journal:
        try:
            with store.patience(LOOK_SECONDS):
                found = check_lineage(journal, plan.store_uri)
            if found:
                check_disk_space(plan.store_uri)
                for sentence in join_tables(journal, plan.store_uri, plan.matching):
                    _warn(sentence)
        except NewerTableError:
            raise
        except StoreDamagedError:
            return  # it has been said when the address was checked
        except (*STORE_ERRORS, StoreUnreachableError) as error:
            reason = safe_uri(str(error))[:200]
            _warn(f"journal and tables cannot be compared now ({reason}); trading goes on without the tables")


def _warn(sentence: str) -> None:
    """To the operator at the terminal, and to the log."""
    say(sentence)
    structlog.get_logger(name="store").warning(sentence)
