"""ib_async's decoder, made unable to lose a message in silence.

The library logs what it cannot decode and goes on: an execution in an unknown time zone simply vanishes. Here every
failure, of the decoder and of what it calls, is reported, and times are read by `mats.ib.timestamps`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ib_async.decoder import Decoder

from mats.ib.timestamps import Zones, instant
from mats.model import SECOND

TIME_OF_EXECUTION = 15
"""The index of the time in an execDetails message, whose first field is the message number."""

IGNORED = frozenset(
    {
        7,  # portfolioValue: reconciliation reads positions, which are pushed without delay
        8,  # time of the account values
        14,  # news bulletins
        21,  # option computations that come with quotes of options
        45,  # generic ticks
        46,  # text ticks
        47,  # exchange-for-physical ticks
        58,  # market data type
        81,  # parameters of ticks
    }
)
"""Messages that come without being asked for and that nothing above needs."""


ORDER_NEWS = frozenset({3, 5})
"""orderStatus and openOrder: more than half of the work of decoding what a fill brings."""


def everything(_number: int) -> bool:
    """Every message is wanted."""
    return True


class CheckedDecoder(Decoder):
    """Decodes one message after the other; `failed` hears of every message that could not be used.

    `wanted` is asked by message number before any work is done; what is not wanted is not decoded.
    """

    def __init__(
        self,
        callbacks: Any,
        failed: Callable[[str], None],
        zones: Zones,
        wanted: Callable[[int], bool] = everything,
    ) -> None:
        super().__init__(callbacks, 0)
        self._failed, self._zones, self._wanted = failed, zones, wanted

    def wrap(self, methodName: str, types: Sequence[type], skip: int = 2) -> Callable[[list[str]], None]:
        """A handler that converts the fields and calls the method; unlike the library's it lets exceptions out."""

        def handler(fields: list[str]) -> None:
            values = [_convert(kind, field) for kind, field in zip(types, fields[skip:], strict=False)]
            getattr(self.wrapper, methodName)(*values)

        return handler

    def interpret(self, fields: list[str]) -> None:
        """Decode and hand over one message; a failure is reported, never raised: the next message is not to blame."""
        try:
            number = int(fields[0])
            if number not in IGNORED and self._wanted(number):
                self.handlers[number](fields)
        except Exception as error:
            self._failed(f"{type(error).__name__}: {error} in message {fields}")

    def execDetails(self, fields: list[str]) -> None:
        """The time is read with our rules; the library gets it as seconds, which it cannot misread."""
        time = instant(fields[TIME_OF_EXECUTION], self._zones)
        told = [*fields[:TIME_OF_EXECUTION], str(time // SECOND), *fields[TIME_OF_EXECUTION + 1 :]]
        super().execDetails(told)  # type: ignore[no-untyped-call]


def _convert(kind: type, field: str) -> object:
    if kind is bool:
        return bool(int(field or 0))
    return field if kind is str else kind(field or 0)
