"""ib_async's decoder, with every failure reported.

The library logs what it cannot decode and continues: an execution in an unknown time zone simply vanishes. Here every
failure, of the decoder and of what it calls, is reported, and times are read by `mats.ib.conversion.timestamps`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ib_async.decoder import Decoder

from mats.ib.conversion import Zones, to_execution
from mats.ib.undecoded import undecoded
from mats.model import UndecodedMessage

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
"""Messages that come without a request and that are not needed."""

ORDER_MESSAGES = frozenset({3, 5})
"""orderStatus and openOrder: more than half of the decoding work of a fill."""


def decode_all(_number: int) -> bool:
    """No message is skipped."""
    return True


class CheckedDecoder(Decoder):
    """Decodes one message after the other; `on_failure` gets each that could not be used, and what can be read of it.

    A number that is not known here is counted and left out: a newer gateway has more of them. `is_wanted` decides by
    message number whether a message is decoded at all.
    """

    def __init__(
        self,
        callbacks: Any,
        on_failure: Callable[[UndecodedMessage], None],
        zones: Zones,
        is_wanted: Callable[[int], bool] = decode_all,
    ) -> None:
        super().__init__(callbacks, 0)
        self._callbacks = callbacks
        self._on_failure, self._zones, self._is_wanted = on_failure, zones, is_wanted
        self.unknown = 0

    def wrap(self, methodName: str, types: Sequence[type], skip: int = 2) -> Callable[[list[str]], None]:
        """A handler that converts the fields and calls the method; unlike the library's it lets exceptions out."""

        def handler(fields: list[str]) -> None:
            values = [_convert(kind, field) for kind, field in zip(types, fields[skip:], strict=False)]
            getattr(self.wrapper, methodName)(*values)

        return handler

    def interpret(self, fields: list[str]) -> None:
        """Decode one message and pass it on; a failure is reported, not raised, so that the next message is read."""
        try:
            number = int(fields[0])
            if number not in self.handlers:
                self.unknown += 1
            elif number not in IGNORED and self._is_wanted(number):
                self.handlers[number](fields)
        except Exception as error:
            self._on_failure(undecoded(fields, f"{type(error).__name__}: {error}"))

    def execDetails(self, fields: list[str]) -> None:
        """The library would make objects of its own, and misread times in unknown zones."""
        self._callbacks.execDetails(*to_execution(fields, self.serverVersion, self._zones))


def _convert(kind: type, field: str) -> object:
    if kind is bool:
        return bool(int(field or 0))
    return field if kind is str else kind(field or 0)
