"""What a broker's report must be to become a fact: the range of every field, and the sentence why it has one.

What an operator cannot correct afterwards is checked before it is booked: an entry of the fill log is kept for ever,
and every stage must be able to apply it.
"""

import math
import re
from decimal import Decimal
from functools import lru_cache

import msgspec

from mats.model.broker_reports import AccountValue, BrokerOrder, BrokerPosition, BrokerStatus
from mats.model.executions import Commission, Execution
from mats.model.money import ZERO
from mats.model.timestamp import DAY, Nanos


class Ranges(msgspec.Struct, frozen=True, kw_only=True):
    """The largest quantity; amount of a price of one unit, a multiplier or a commission; and amount of money.

    `ahead`: how far the broker's clock may be ahead; a fill of the far future makes every later one a late one.
    """

    units: Decimal
    price: Decimal
    money: Decimal
    ahead: Nanos


PLAUSIBLE = Ranges(units=Decimal("1e12"), price=Decimal("1e9"), money=Decimal("1e15"), ahead=31 * DAY)
"""More than any company has shares, any unit costs, any account holds (a double still has it to the cent)."""
POSSIBLE = Ranges(units=Decimal("1e18"), price=Decimal("1e18"), money=Decimal("1e24"), ahead=365_000 * DAY)
"""What every stage can apply, however strange it is."""
CLOCK_AHEAD: Nanos = 366 * DAY
"""How far the broker's clock may jump: a replay may leave out a time in which nothing was recorded."""
LEAST_DIGIT = -30
"""The exponent of the first digit of the smallest number that is used."""
AHEAD: Nanos = 31 * DAY
"""How far the broker's clock may be ahead: a fill of the far future would make every later one a late one."""
MOST_TIME: Nanos = 9_000_000_000_000_000_000
"""The last instant that tables and journal can hold, in the year 2255."""
LEAST_ID, MOST_ID = -(2**63), 2**63 - 1
TEXT_LENGTH = 1_000

_ACCOUNT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_EXEC_ID = re.compile(r"(?:[!-~]{0,190}[!-/:-~])?[0-9]{0,9}")
_INSTRUMENT = re.compile(r"(?![.:])(?:(?![*<>])[ -~]){1,200}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def execution_fault(execution: Execution, now: Nanos, ranges: Ranges = PLAUSIBLE) -> str:
    """Why an execution cannot be booked as it was received; empty where it can."""
    e = execution
    return (
        _account(e.account)
        or _exec_id(e.exec_id)
        or _instrument(e.instrument)
        or _currency(e.currency)
        or _within("quantity", e.quantity, ranges.units, "the side gives the direction", least=ZERO)
        or _within("price", e.price, ranges.price, "books are kept in it")
        or _multiplier(e.multiplier, ranges.price)
        or _time(e.time, now + ranges.ahead)
        or _within("cumulative_quantity", e.cumulative_quantity, ranges.money, "fills are ordered by it")
        or _within("average_price", e.average_price, ranges.price, "it is stored with the fill")
        or _id(e.perm_id)
        or _id(e.client_id)
        or _id(e.order_id)
        or _text("order_ref", e.order_ref)
        or _text("exchange", e.exchange)
    )


def commission_fault(commission: Commission, ranges: Ranges = PLAUSIBLE) -> str:
    """Why a commission cannot be booked as it was received; empty where it can."""
    return (
        _exec_id(commission.exec_id)
        or _currency(commission.currency)
        or _within("amount", commission.amount, ranges.price, "it is a cost of one execution")
    )


def position_fault(position: BrokerPosition) -> str:
    """Why books cannot be compared with a position; empty where they can."""
    return (
        _account(position.account)
        or _instrument(position.instrument)
        or _currency(position.currency)
        or _within("quantity", position.quantity, PLAUSIBLE.units, "books are compared with it")
        or _within("average_cost", position.average_cost, PLAUSIBLE.money, "what differs is booked at it")
        or ("" if position.multiplier.is_nan() else _multiplier(position.multiplier, PLAUSIBLE.price))
    )


def order_fault(order: BrokerOrder) -> str:
    """Why a description of an order says nothing; empty where it does."""
    return (
        _within("quantity", order.quantity, PLAUSIBLE.units, "it counts as exposure", least=ZERO)
        or _within("filled", order.filled, PLAUSIBLE.units, "what is left counts as exposure", least=ZERO)
        or (
            ""
            if order.limit_price is None
            else _within("limit_price", order.limit_price, PLAUSIBLE.price, "it is shown")
        )
        or ("" if order.stop_price is None else _within("stop_price", order.stop_price, PLAUSIBLE.price, "it is shown"))
        or _id(order.perm_id)
        or _id(order.client_id)
        or _id(order.order_id)
        or _text("order_ref", order.order_ref)
        or _text("status_text", order.status_text)
    )


def status_fault(status: BrokerStatus) -> str:
    """Why a status of an order says nothing; empty where it does."""
    return (
        _id(status.perm_id) or _id(status.client_id) or _id(status.order_id) or _text("status_text", status.status_text)
    )


def value_fault(value: AccountValue) -> str:
    """Why a value of an account is not used; empty where it is."""
    fault = _account(value.account) or _text("tag", value.tag) or _text("value", value.value)
    if fault or value.currency in ("", "BASE"):
        return fault
    number = value.number
    too_much = "" if number is None else _within("value", number, PLAUSIBLE.money, "equity follows from it")
    return _currency(value.currency) or too_much


def is_price(*numbers: float) -> bool:
    """Whether measured prices can be used: finite, and of a size that prices have."""
    return all(-1e9 <= number <= 1e9 for number in numbers)


def bar_fault(open_: float, high: float, low: float, close: float, volume: float) -> str:
    """Why these figures are no bar; empty where they are one.

    Open and close may lie outside: the close of a future's day is its settlement price.
    """
    if not (is_price(open_, high, low, close) and math.isfinite(volume)):
        return "a bar without finite prices is no bar"
    return "" if low <= high else f"a bar whose low {low} is above its high {high} is no bar"


def is_moment(time: Nanos, now: Nanos) -> bool:
    """Whether an instant that the broker names can be now, or have been."""
    return 0 <= time <= now + CLOCK_AHEAD


def _within(name: str, number: Decimal, most: Decimal, why: str, least: Decimal | None = None) -> str:
    low = -most if least is None else least
    if number.is_finite() and low <= number <= most and number.adjusted() >= LEAST_DIGIT:
        return ""
    return f"{name} {_shown(number)} is not a number from {low} to {most}: {why}"


def _multiplier(number: Decimal, most: Decimal) -> str:
    if number.is_nan():
        return "multiplier is not known: it is in the details of the contract, which the broker has not given"
    if number.is_finite() and number <= 0:
        return f"multiplier {_shown(number)} is not above zero: the value of a unit is price times multiplier"
    return _within("multiplier", number, most, "the value of a unit is price times multiplier")


def _time(time: Nanos, latest: Nanos) -> str:
    if 0 <= time <= latest and time <= MOST_TIME:
        return ""
    return f"time {time} ns is before 1970 or too far ahead of the clock: fills are booked in their order"


@lru_cache(256)
def _account(account: str) -> str:
    return "" if _ACCOUNT.fullmatch(account) else f"account {account[:40]!r} is not the name of one: books belong to it"


@lru_cache(1024)
def _instrument(name: str) -> str:
    if _INSTRUMENT.fullmatch(name):
        return ""
    return f"instrument {name[:40]!r} is not 1 to 200 printable ASCII characters without * < >: tables are named by it"


@lru_cache(64)
def _currency(code: str) -> str:
    return "" if _CURRENCY.fullmatch(code) else f"currency {code[:40]!r} is not a code of three letters"


def _exec_id(exec_id: str) -> str:
    if exec_id and _EXEC_ID.fullmatch(exec_id):
        return ""
    return (
        f"exec_id {exec_id[:40]!r} is not 1 to 200 printable ASCII characters that end in at most nine digits:"
        " they number the corrections of an execution"
    )


def _id(number: int) -> str:
    return "" if LEAST_ID <= number <= MOST_ID else f"id {number} of the order has more than 64 bits: no table holds it"


def _text(name: str, text: str) -> str:
    if text.isascii() and len(text) <= TEXT_LENGTH:
        return ""
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{name} {text[:40]!r} is no Unicode text: it cannot be stored"
    return "" if len(text) <= TEXT_LENGTH else f"{name} is longer than {TEXT_LENGTH} characters"


def _shown(number: Decimal) -> str:
    return str(number)[:40]
