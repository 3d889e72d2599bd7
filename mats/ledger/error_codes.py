"""What IB's error codes mean for an order. A code is read together with the order's state: see `order_state`.

Source: IB's message-code reference (TWS API, "System, Error and Warning messages") and what live gateways were seen to
send. A code that is not in the table means "ask the broker", never "the order is gone".
"""

from enum import Enum


class ErrorMeaning(Enum):
    """What a code says about the order that carries it."""

    REJECTED = "the broker refused the order"
    INVALID = "the request failed validation: a new order is dead, a working one lives on unchanged"
    CANCELLED = "the order is cancelled"
    CANCEL_REFUSED = "the cancel did not take: the order may be working, filled or gone"
    MODIFY_REFUSED = "the change did not take: the order lives on as it was"
    WARNING = "the order lives; its owner should read the text"
    INFORMATION = "nothing changed"
    UNCLEAR = "the code decides nothing: ask the broker"


_MEANINGS: dict[ErrorMeaning, tuple[int, ...]] = {
    ErrorMeaning.REJECTED: (201, 203),
    ErrorMeaning.INVALID: (
        *(109, 110, 111, 113, 116, 117, 118, 121, 122, 124, 125, 129, 131, 144, 146, 147, 148, 151, 152, 157, 163),
        *(200, 320, 321, 328, 336, 387, 388, 391, 393, 394, 396, 397, 398, 401, 402, 403),
        *(411, 412, 414, 415, 416, 417, 418, 421, 422, 423, 427, 429, 434, 435, 436, 437, 439, 440, 441, 448, 449, 460),
        *(461, 462, 463, 512, 10006, 10043, 10052, 10243, 10244, 10245, 10246, 10247, 10248, 10249, 10250, 10251),
        *(10252, 10268, 10318),
    ),
    ErrorMeaning.CANCELLED: (202,),
    ErrorMeaning.CANCEL_REFUSED: (136, 161, 10147, 10148),
    ErrorMeaning.MODIFY_REFUSED: (104, 105, 134, 140, 2102, 10242, 10326),
    ErrorMeaning.WARNING: (399, 404, 2109, 2148),
    ErrorMeaning.INFORMATION: (10349, 10167, 165, 492),
}

_BY_CODE = {code: meaning for meaning, codes in _MEANINGS.items() for code in codes}


def order_error(code: int) -> ErrorMeaning:
    """The meaning of `code` for an order. The 2100s are warnings by IB's numbering unless listed otherwise."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    return ErrorMeaning.WARNING if 2100 <= code < 2200 else ErrorMeaning.UNCLEAR
