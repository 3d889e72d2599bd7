"""Asks that a handler has put off: they are answered in a later turn, or fail when the incarnation ends."""

from mats.runtime.messaging import Reply

FEW = 16
"""So many are kept before it is looked which of them are still owed."""


class OwedReplies:
    """Forgets those that were answered, and those whose asker has given up."""

    def __init__(self) -> None:
        self._replies: list[Reply] = []
        self._next_look = FEW

    def add(self, reply: Reply) -> None:
        self._replies.append(reply)
        if len(self._replies) >= self._next_look:
            self._replies = [owed for owed in self._replies if not (owed.settled or owed.abandoned)]
            self._next_look = max(FEW, 2 * len(self._replies))

    def fail(self, error: BaseException) -> None:
        """None of them will be answered any more."""
        replies, self._replies = self._replies, []
        for reply in replies:
            reply.fail(error)

    def __len__(self) -> int:
        return len(self._replies)
