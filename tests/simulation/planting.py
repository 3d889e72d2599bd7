"""Plants a defect: some words of a function of the program are replaced by others, for as long as a block lasts."""

import inspect
import types
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from textwrap import dedent
from typing import Any, NamedTuple


class NotThere(Exception):
    """The words that a defect replaces are not in the function, or more than once."""


class Edit(NamedTuple):
    """In the function `name` of a class or a module, each first text becomes the second."""

    owner: Any
    name: str
    changes: tuple[tuple[str, str], ...]


class Defect(NamedTuple):
    """`harm` is what it leads to, in a few words."""

    harm: str
    edits: tuple[Edit, ...]


def edit(owner: Any, name: str, *changes: tuple[str, str]) -> Edit:
    return Edit(owner, name, changes)


@contextmanager
def planted(defect: Defect) -> Iterator[None]:
    """Whoever calls the functions meanwhile, from wherever, calls them as they are with the defect."""
    with ExitStack() as stack:
        for change in defect.edits:
            function = inspect.unwrap(inspect.getattr_static(change.owner, change.name))
            stack.callback(setattr, function, "__code__", function.__code__)
            function.__code__ = _code(function, change)
        yield


def _code(function: types.FunctionType, change: Edit) -> types.CodeType:
    source = dedent(inspect.getsource(function))
    for old, new in change.changes:
        if source.count(old) != 1:
            raise NotThere(f"{change.owner.__name__}.{change.name} has {source.count(old)} times {old!r}")
        source = source.replace(old, new)
    made: dict[str, Any] = {}
    exec(compile(source, f"<{change.name} with a defect>", "exec"), dict(function.__globals__), made)
    edited: types.FunctionType = inspect.unwrap(made[change.name])
    if edited.__code__.co_freevars != function.__code__.co_freevars:
        raise NotThere(f"{change.owner.__name__}.{change.name} closes over what cannot be edited")
    return edited.__code__
