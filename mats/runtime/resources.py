"""What an incarnation holds outside of the program's memory: processes, sockets, files."""

from collections.abc import Callable
from threading import Lock

from mats.runtime.containment import contain


class Resources:
    """Releases each resource once, from the last to the first, whichever way the incarnation ends.

    The end and an abandonment may come at once, from two threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._releases: list[Callable[[], object]] = []
        self._over = False

    def add(self, release: Callable[[], object]) -> None:
        """Call `release` at the end; at once if that has come already."""
        with self._lock:
            if not self._over:
                self._releases.append(release)
                return
        contain("a resource was not released", release)

    def release(self) -> None:
        """The end: release what is left."""
        with self._lock:
            self._over = True
            releases, self._releases = self._releases, []
        for release in reversed(releases):
            contain("a resource was not released", release)

    def __bool__(self) -> bool:
        return bool(self._releases)
