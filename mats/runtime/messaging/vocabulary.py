"""Which messages an actor class understands: those of the union that it names, `class Shop(Actor[ShopMessage])`."""

from types import UnionType
from typing import Any, Never, TypeVar, Union, get_args, get_origin


class Vocabulary:
    """The classes of a union. A subclass of one of them is understood, too."""

    def __init__(self, classes: tuple[type, ...]) -> None:
        self.classes = classes

    def understands(self, kind: type) -> bool:
        """Whether a message of this class is understood."""
        return issubclass(kind, self.classes)


def union_of(actor: type, base: type) -> object:
    """The union that `actor` has given to the generic class `base`, through classes that add to it; Any for none."""
    for written in actor.__dict__.get("__orig_bases__", ()):
        origin = get_origin(written)
        if isinstance(origin, type) and issubclass(origin, base):
            if origin is base:
                (union,) = get_args(written)
                return union
            return _filled(union_of(origin, base), dict(zip(_parameters(origin), get_args(written), strict=True)))
    parent = next((parent for parent in actor.__mro__[1:] if issubclass(parent, base) and parent is not base), None)
    return Any if parent is None else union_of(parent, base)


def vocabulary_of(union: object) -> Vocabulary:
    """The classes in a union; of one that is open, `object`, so that every message is understood."""
    return Vocabulary(tuple(_class_of(member) for member in _members(union) if member is not Never))


def _class_of(member: object) -> type:
    kind = get_origin(member) or member
    return kind if isinstance(kind, type) and kind is not Any else object


def _members(union: object) -> tuple[object, ...]:
    if get_origin(union) in (Union, UnionType):
        return tuple(member for part in get_args(union) for member in _members(part))
    return (union,)


def _parameters(generic: type) -> tuple[object, ...]:
    return tuple(getattr(generic, "__parameters__", ()))


def _filled(union: object, given: dict[object, object]) -> object:
    """The union with its type variables replaced by what a subclass has given for them."""
    parts = tuple(given.get(part, Any) if isinstance(part, TypeVar) else part for part in _members(union))
    return Union[parts]  # noqa: UP007
