"""Writes to the journal that can be made later: a journal that cannot be written fails no actor."""

from collections.abc import Callable
from typing import Never

from actors.base.owner import Owner
from mats.store.journal import JournalUnwritableError


class JournalWrites:
    """The writes of one actor. That they fail is logged once, and that they succeed again."""

    def __init__(self, owner: Owner[Never]) -> None:
        self._owner = owner
        self.fault = ""
        """Why the last write failed; empty when it did not."""

    def attempt(self, write: Callable[[], object]) -> bool:
        """Whether the write is durable. What it was for must not happen before it is."""
        try:
            write()
        except JournalUnwritableError as error:
            if not self.fault:
                self._owner.log.error("journal cannot be written; what must be durable waits", reason=str(error))
            self.fault = str(error)
            return False
        if self.fault:
            self._owner.log.info("journal can be written again")
            self.fault = ""
        return True
