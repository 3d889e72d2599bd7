"""A refusal of the risk manager: a code for machines, a sentence for people, and the figures that caused it."""

from enum import StrEnum

import msgspec


class RejectionCode(StrEnum):
    """Why a signal or an order was refused; `meaning` says it in words."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> "RejectionCode":
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    BUSY = "BUSY", "too many requests of the strategy are under way; nothing was sent"
    STRENGTH_RANGE = "STRENGTH_RANGE", "a strength is not from -1 to 1, or a size not above 0 and up to 1"
    NO_EQUITY = "NO_EQUITY", "the strategy's equity is not known, or not above 0"
    NO_PRICE = "NO_PRICE", "no price of the instrument is known"
    NO_RATE = "NO_RATE", "no exchange rate from the instrument's currency is known"
    UNKNOWN_INSTRUMENT = (
        "UNKNOWN_INSTRUMENT",
        "the broker has not resolved the instrument to a contract, or it cannot be held",
    )
    NOT_FINITE = "NOT_FINITE", "a quantity or a price is not a finite number"
    NOT_POSITIVE = "NOT_POSITIVE", "a quantity or a price that the order needs is missing or not above 0"
    TICK_SIZE = "TICK_SIZE", "a price is off the instrument's tick grid"
    SIZE_INCREMENT = "SIZE_INCREMENT", "the quantity is below the least size, or not a multiple of the increment"
    REDUCE_ONLY = "REDUCE_ONLY", "the order is to reduce only, and could carry the strategy's position beyond zero"
    BROKER_HOLDS_LESS = (
        "BROKER_HOLDS_LESS",
        "an exit would open a position at the broker, where a liquidation or a trade by hand has closed some already",
    )
    NOT_READY = "NOT_READY", "the connection is not ready, or a stage or the store is behind or down"
    HALTED = "HALTED", "an operator has halted the strategy or all of them, or a link to the broker is down"
    BOOKS_DISAGREE = "BOOKS_DISAGREE", "books and broker differ on the instrument"
    QUARANTINED = "QUARANTINED", "something of the instrument or the strategy is in quarantine"
    UNKNOWN_ORDER = "UNKNOWN_ORDER", "the outcome of an order of the strategy on the instrument is not known"
    STALE_DATA = "STALE_DATA", "the newest price is too old"
    ORDER_RATE = "ORDER_RATE", "the strategy made as many orders within a minute as are allowed"
    MAX_QUANTITY = "MAX_QUANTITY", "the quantity is above the limit of one order"
    MAX_NOTIONAL = "MAX_NOTIONAL", "the value is above the limit of one order"
    MAX_POSITION = "MAX_POSITION", "the position of the strategy or of the account could come above its limit"


class Rejection(msgspec.Struct, frozen=True):
    """`figures` are the numbers compared, as text, by name."""

    code: RejectionCode
    text: str
    figures: dict[str, str] = {}


def reject(code: RejectionCode, text: str, **figures: object) -> Rejection:
    """A denial whose figures are written as text."""
    return Rejection(code, text, {name: str(value) for name, value in figures.items()})
