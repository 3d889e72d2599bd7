"""ib_async's decoder, with every failure reported.

The library logs what it cannot decode and continues: an execution in an unknown time zone simply vanishes. Here every
failure, of the decoder and of what it calls, is reported, and times are read by `mats.ib.conversion.timestamps`.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ib_async.decoder import Decoder

from mats.ib.conversion import TimeZones, to_execution
from mats.ib.undecoded import undecoded
from mats.model import UndecodedMessage
from mats.store.journal import JournalUnwritableError

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


FILL_MESSAGES = frozenset({11, 59})
"""execDetails and commissionReport."""

GRACE_SECONDS = 0.005
"""How long the rest of a packet waits for its fills: longer than those take to the strategy on an idle machine."""


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
        zones: TimeZones,
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
        except JournalUnwritableError as error:
            self._callbacks.on_unrecorded(str(error))  # a contract has no name before that is on the disk
        except Exception as error:
            self._on_failure(undecoded(fields, f"{type(error).__name__}: {error}"))

    def execDetails(self, fields: list[str]) -> None:
        """The library would make objects of its own, and misread times in unknown zones."""
        self._callbacks.execDetails(*to_execution(fields, self.serverVersion, self._zones, self._callbacks.instruments))


class PacketDecoder(CheckedDecoder):
    """Decodes packet by packet, and of a packet with fills first what is in `at_once` (None: all of it).

    Everybody shares one interpreter lock, so whoever books a fill waits for what is decoded beside it: orders,
    positions and account values are four fifths of such a packet. They are decoded `GRACE_SECONDS` later, in the order
    of the wire, and before what comes after them; only fills overtake.
    """

    def __init__(
        self,
        callbacks: Any,
        on_failure: Callable[[UndecodedMessage], None],
        zones: TimeZones,
        is_wanted: Callable[[int], bool],
        at_once: frozenset[int] | None,
    ) -> None:
        super().__init__(callbacks, on_failure, zones, is_wanted)
        self._at_once = None if at_once is None else {str(number) for number in at_once}
        self._packet: list[list[str]] = []
        self._later: list[list[str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def interpret(self, fields: list[str]) -> None:
        """One message of a packet."""
        self._packet.append(fields)

    def end_packet(self) -> None:
        """Decode the packet, or what of it cannot wait."""
        packet, self._packet = self._packet, []
        if self._at_once is None or not (self._later or any(_is_one_of(_FILLS, fields) for fields in packet)):
            self._decode(packet)
            return
        self._later += [fields for fields in packet if not _is_one_of(self._at_once, fields)]
        self._decode([fields for fields in packet if _is_one_of(self._at_once, fields)])
        if self._later and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GRACE_SECONDS, self.catch_up)

    def catch_up(self) -> None:
        """Decode what waits."""
        later = self.discard()
        self._decode(later)

    def discard(self) -> list[list[str]]:
        """What waits is not decoded any more, and returned."""
        if self._timer is not None:
            self._timer.cancel()
        later, self._later, self._timer = self._later, [], None
        return later

    def _decode(self, messages: list[list[str]]) -> None:
        for fields in messages:
            super().interpret(fields)
        try:
            self._callbacks.packet_decoded()
        except Exception as error:  # of whoever takes the events
            self._on_failure(undecoded([], f"{type(error).__name__}: {error} at the end of a packet"))


_FILLS = frozenset(map(str, FILL_MESSAGES))


def _is_one_of(numbers: Collection[str], fields: list[str]) -> bool:
    return bool(fields) and fields[0] in numbers


def _convert(kind: type, field: str) -> object:
    if kind is bool:
        return bool(int(field or 0))
    return field if kind is str else kind(field or 0)
