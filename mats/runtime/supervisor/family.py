"""The children of one supervisor, and what its next incarnation must know about them."""

from collections.abc import Callable
from typing import Any

from mats.runtime.spec import ChildSpec, Spec, SupervisorSpec
from mats.runtime.supervisor.child import Child
from mats.runtime.supervisor.launcher import Launcher


class Family:
    """Children in start order, by path. Those added or ended for good at run time stay so over every restart."""

    def __init__(
        self, name: str, path: str, launcher: Launcher, as_child: Callable[[Spec, str, Launcher], ChildSpec[Any]]
    ) -> None:
        self._path, self._launcher, self._as_child = path, launcher, as_child
        self._memory = launcher.slot(name)
        self._children: dict[str, Child] = {}

    def recall(self, specs: tuple[Spec, ...]) -> list[Child]:
        """Take the children over from the incarnation before, or all of `specs`, which are those of the first one.

        Returns those that have had their only life already: a temporary child is never started twice.
        """
        first = self._memory.children is None
        if self._memory.children is None:
            self._memory.children = specs
        for spec in self._memory.children:
            self.adopt(spec)
        return [] if first else [child for child in self.all if child.had_its_only_life]

    def path_of(self, name: str) -> str:
        return f"{self._path}/{name}" if self._path else name

    def adopt(self, spec: Spec) -> Child:
        """Add the child, as it is found: parked, running, or down."""
        path = self.path_of(spec.name)
        family = spec if isinstance(spec, SupervisorSpec) else None
        child = Child(self._as_child(spec, path, self._launcher), path, self._launcher.slot(path), family)
        self._children[path] = child
        if child.slot.parked:
            child.state = "parked"
        elif child.slot.incarnation is not None:
            child.adopt_running()
        return child

    def remember(self, spec: Spec) -> None:
        """The next incarnation has this child, too."""
        self._memory.children = (*(self._memory.children or ()), spec)

    def disown(self, child: Child) -> None:
        """The next incarnation does not have this child."""
        specs = self._memory.children or ()
        self._memory.children = tuple(spec for spec in specs if spec.name != child.spec.name)

    def forget(self, child: Child) -> None:
        """Neither this incarnation has it nor the next."""
        del self._children[child.path]
        self.disown(child)

    def get(self, path: str) -> Child | None:
        return self._children.get(path)

    @property
    def all(self) -> tuple[Child, ...]:
        return tuple(self._children.values())
