"""So many lines a minute, and how many more there were."""

from collections.abc import Callable

SECONDS = 60.0


class LineLimit:
    """Lets `lines` pass in each minute that begins with one; the rest is counted until `missed` is asked."""

    def __init__(self, lines: int, monotonic: Callable[[], float]) -> None:
        self._lines, self._monotonic = lines, monotonic
        self._begun = -SECONDS
        self._passed = 0
        self._missed = 0

    def passes(self) -> bool:
        """Whether this line may be shown."""
        now = self._monotonic()
        if now - self._begun >= SECONDS:
            self._begun, self._passed = now, 0
        if self._passed < self._lines:
            self._passed += 1
            return True
        self._missed += 1
        return False

    @property
    def waiting(self) -> bool:
        """Whether lines were missed that nobody has asked about."""
        return bool(self._missed)

    @property
    def seconds_left(self) -> float:
        """Seconds until lines may pass again."""
        return max(0.0, self._begun + SECONDS - self._monotonic())

    def missed(self) -> int:
        """How many lines did not pass since the last time."""
        missed, self._missed = self._missed, 0
        return missed
