"""The actor that a helper object belongs to, as the helper sees it."""

from typing import Never, Protocol, TypeVar

import structlog

from mats.runtime import Clock, Ref

M_contra = TypeVar("M_contra", contravariant=True)


class Owner(Protocol[M_contra]):
    """An actor that handles M and watches others. Its helpers run in its turns and have its answers sent to it."""

    name: str
    incarnation: int
    clock: Clock

    @property
    def ref(self) -> Ref[M_contra]: ...

    @property
    def log(self) -> structlog.stdlib.BoundLogger: ...

    def watch(self, ref: Ref[Never], tag: object = None) -> None: ...
