"""A refusal of the risk manager: a code for machines, a sentence for people, and the figures that caused it."""

from enum import StrEnum

import msgspec


class RejectionCode(StrEnum):
    """Why a signal or an order was refused."""

    BUSY = "BUSY"
    STRENGTH_RANGE = "STRENGTH_RANGE"
    NO_EQUITY = "NO_EQUITY"
    NO_PRICE = "NO_PRICE"
    NO_RATE = "NO_RATE"
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    NOT_FINITE = "NOT_FINITE"
    NOT_POSITIVE = "NOT_POSITIVE"
    TICK_SIZE = "TICK_SIZE"
    SIZE_INCREMENT = "SIZE_INCREMENT"
    NOT_READY = "NOT_READY"
    HALTED = "HALTED"
    BOOKS_DISAGREE = "BOOKS_DISAGREE"
    QUARANTINED = "QUARANTINED"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    STALE_DATA = "STALE_DATA"
    ORDER_RATE = "ORDER_RATE"
    MAX_QUANTITY = "MAX_QUANTITY"
    MAX_NOTIONAL = "MAX_NOTIONAL"
    MAX_POSITION = "MAX_POSITION"


class Rejection(msgspec.Struct, frozen=True):
    """`figures` are the numbers compared, as text, by name."""

    code: RejectionCode
    text: str
    figures: dict[str, str] = {}


def reject(code: RejectionCode, text: str, **figures: object) -> Rejection:
    """A denial whose figures are written as text."""
    return Rejection(code, text, {name: str(value) for name, value in figures.items()})
