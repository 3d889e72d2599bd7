"""How long to wait before the broker is asked once more. Spans are seconds."""

import msgspec

JITTER = 0.2
DOUBLINGS = 30


class Retry(msgspec.Struct, frozen=True):
    """The wait doubles with each try, up to a longest one; a random share of `JITTER` keeps streams apart."""

    first: float
    longest: float

    def wait(self, tries: int, chance: float) -> float:
        """Before the next try, after `tries` that were of no use; `chance` is uniform in [0, 1)."""
        doubled = self.first * 2.0 ** min(max(tries - 1, 0), DOUBLINGS)
        return min(self.longest, doubled) * (1 + JITTER * chance)

    @property
    def bound(self) -> float:
        """No wait is longer."""
        return self.longest * (1 + JITTER)
