"""Adapts messages for clients with server versions 157 to 177.

Source: the version gates in the decoders of the TWS API reference clients.
"""

from mats.gateway.protocol.wire import Message

NEWEST = 178
MIN_TICK = {10: 13, 18: 20}
"""The position of minTick in the details of contracts and of bonds."""


def adapt(message: Message, version: int) -> Message:
    """The message in the layout of `version`."""
    match message[0]:
        case 4 if version < 166:  # error
            return message[:-1]
        case 5:  # openOrder
            return _with_profile(_older_open_order(message, version), version)
        case 101:  # completedOrder
            return _with_profile(message[:-5] if version < 170 else message, version)
        case int(number) if number in MIN_TICK and version < 164:  # contractDetails, bondContractDetails
            sizes = message[-1:] if (number, version) == (10, 163) else ()
            after = MIN_TICK[number] + 1
            return (number, 8, *message[1:after], "", *message[after:-3], *sizes)
        case 11 if version < NEWEST:  # execDetails
            return message[:-1]
        case 79 if version < 176:  # symbolSamples
            return _without_descriptions(message)
    return message


def _with_profile(message: Message, version: int) -> Message:
    """Before version 177 an empty faProfile follows faPercentage."""
    at = 34 if message[0] == 5 else 31
    return (*message[:at], "", *message[at:]) if version < 177 else message


def _without_descriptions(message: Message) -> Message:
    """Drops the description and the issuer behind the derivatives of each symbol."""
    kept, at = list(message[:3]), 3
    while at < len(message):
        derivatives = int(str(message[at + 5]))
        kept += message[at : at + 6 + derivatives]
        at += 8 + derivatives
    return tuple(kept)


def _older_open_order(message: Message, version: int) -> Message:
    """Drops, from the end, the pegged sizes and offsets, autoCancelParent, postToAts and duration."""
    dropped = 5 * (version < 170) + (version < 162) + (version < 160) + (version < 158)
    return message[: len(message) - dropped]
