"""The grammar of instrument names.

    SPY  SAP.EUR  SAP@IBIS  BRK_B             a stock: symbol, currency (USD unless written), exchange
    EURUSD                                    a pair of currencies
    ES:20241220  ES:202412  DAX:202612:FDXM   a future: day or month of expiry, trading class
    ES:front  ES:2nd  ES:cont                 the nearest expiry, the second one; the continuous series, as data
    SPY   240119C00470000                     an option by the symbol of the OCC, blanks or `_` after the root
    SPX:20261218:6000:C:SPXW                  an option by root, expiry, strike, right, trading class
    ES:20261230:6000:C:EW4:FOP                an option on a future
    SPX:IND  IBUS500:CFD  BTC:CRYPTO          an index, a CFD, a crypto currency
    US-T:BOND:77  #756733                     what is named by its contract id

In this order may follow `@EXCHANGE`, `*MULTIPLIER` and `#CONID`. A space in a symbol or class is written `_`.
"""

import re
from decimal import Decimal

import msgspec

from mats.model import CURRENCIES, ZERO, Currency, Instrument, InstrumentId, SecType

_WHOLE = re.compile(
    r"(?P<what>.*?)(?:@(?P<exchange>[A-Z0-9.]+))?(?:\*(?P<multiplier>[\d.]+))?(?:#(?P<con_id>[1-9]\d{0,17}))?"
)
_OCC = re.compile(r"(?P<root>[A-Z0-9_ ]{6})(?P<date>\d{6})(?P<right>[CP])(?P<strike>\d{8})")
_DAY_OR_MONTH = re.compile(r"\d{6}(\d\d)?")
_NTH = re.compile(r"front|[1-9]\d?(?:st|nd|rd|th)")
_TYPE = re.compile(r"[A-Z]{3,8}")
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?")
CONTINUOUS = "cont"

OF_ONE_SYMBOL = frozenset({SecType.INDEX, SecType.CFD, SecType.CRYPTO, SecType.CASH})
"""Types whose contracts are named by symbol and type."""
WITH_MULTIPLIER = frozenset(
    {SecType.FUTURE, SecType.CONTINUOUS_FUTURE, SecType.OPTION, SecType.FUTURE_OPTION, SecType.WARRANT}
)
"""Types of which a unit is worth more than its price."""
STANDARD_OPTION = Decimal(100)
"""Shares of an option with a root of letters; the root of an adjusted one has a digit, and says nothing."""


def parse_instrument(name: InstrumentId) -> Instrument:
    """The instrument of a name, before the broker has resolved it to a contract.

    What the name does not say is empty: of a future the currency and the multiplier, of an option the underlying. A
    second name for a stock or a pair (`SPY.USD`) is refused: fills carry the first. An invalid name is a ValueError.
    """
    whole = _WHOLE.fullmatch(name)
    if whole is None or not name.isascii() or not name.isprintable():
        raise _invalid(name)
    what, con_id = whole["what"], int(whole["con_id"] or 0)
    if what:
        found = _option_of_the_occ(name, what) or _described(name, what)
    elif con_id and not whole["exchange"] and not whole["multiplier"]:
        found = Instrument(id=name, symbol="", sec_type=SecType.UNKNOWN, currency="", exchange="")
    else:
        raise _invalid(name)
    if whole["exchange"]:
        found = _at_exchange(found, whole["exchange"])
    multiplier = _positive(name, whole["multiplier"]) if whole["multiplier"] else found.multiplier
    return msgspec.structs.replace(found, multiplier=multiplier, con_id=con_id or found.con_id)


def try_parse_instrument(name: InstrumentId) -> Instrument | None:
    """The instrument of a name; None for a name that is not valid, such as a symbol in another market's format."""
    try:
        return parse_instrument(name)
    except ValueError:
        return None


def nth_expiry(name: InstrumentId) -> int:
    """Which expiry a name asks for by rule: 1 for the nearest one; 0 where it does not."""
    parts = name.partition("@")[0].split(":")
    if len(parts) < 2 or not _NTH.fullmatch(parts[1]):
        return 0
    return 1 if parts[1] == "front" else int(parts[1][:-2])


def is_occ_symbol(text: str) -> bool:
    """Whether it is an option's symbol of the OCC, such as `SPY   240119C00470000`."""
    return _OCC.fullmatch(text) is not None


def _option_of_the_occ(name: InstrumentId, what: str) -> Instrument | None:
    option = _OCC.fullmatch(what)
    if option is None:
        return None
    root = option["root"].rstrip(" _")
    return Instrument(
        id=name,
        symbol=root,
        sec_type=SecType.OPTION,
        currency="USD",
        local_symbol=option["root"].replace("_", " ") + what[6:],
        expiry="20" + option["date"],
        strike=Decimal(option["strike"]) / 1000,
        right=option["right"],
        multiplier=STANDARD_OPTION if root.isalpha() else Decimal(1),
    )


def _described(name: InstrumentId, what: str) -> Instrument:
    """A name of parts between colons."""
    head, *parts = what.split(":")
    if not head or head[0] == "." or any(c.isspace() or c in "@*#" for c in what) or not all(parts):
        raise _invalid(name)
    match parts:
        case []:
            return _pair_or_stock(name, head)
        case [kind] if kind in OF_ONE_SYMBOL:
            return _of_one_symbol(name, head, SecType(kind))
        case [kind, con_id] if _TYPE.fullmatch(kind) and con_id.isdecimal():
            return _of_contract_id(name, head, kind, int(con_id))
        case [expiry, *class_] if len(class_) < 2:
            return _future(name, head, expiry, "".join(class_))
        case [expiry, strike, ("C" | "P") as right, *rest] if _DAY_OR_MONTH.fullmatch(expiry) and len(rest) < 3:
            return _option(name, head, expiry, _positive(name, strike), right, rest)
        case _:
            raise _invalid(name)


def _pair_or_stock(name: InstrumentId, what: str) -> Instrument:
    if len(what) == 6 and what[:3] in CURRENCIES and what[3:] in CURRENCIES:
        return _pair(name, what[:3], what[3:])
    symbol, dot, currency = what.rpartition(".")
    if dot and currency == "USD":
        other = what.replace(".", "") if symbol in CURRENCIES else symbol
        raise ValueError(f"instrument {name!r} has another name; write {other}{name.removeprefix(what)}")
    symbol, currency = _symbol_of(what)
    return Instrument(id=name, symbol=symbol, sec_type=SecType.STOCK, currency=currency or "USD")


def _pair(name: InstrumentId, base: Currency, quote: Currency) -> Instrument:
    return Instrument(
        id=name,
        symbol=base,
        sec_type=SecType.CASH,
        currency=quote,
        exchange="IDEALPRO",
        local_symbol=f"{base}.{quote}",
    )


def _of_one_symbol(name: InstrumentId, head: str, kind: SecType) -> Instrument:
    symbol, dot, currency = head.rpartition(".")
    if kind is SecType.CASH:
        if not dot:
            raise ValueError(f"instrument {name!r} is no pair; write BASE.QUOTE:CASH")
        return _pair(name, symbol, currency)
    symbol, currency = _symbol_of(head)
    exchange = "SMART" if kind is SecType.CFD else ""
    return Instrument(id=name, symbol=symbol, sec_type=kind, currency=currency or "USD", exchange=exchange)


def _of_contract_id(name: InstrumentId, head: str, kind: str, con_id: int) -> Instrument:
    """One of many contracts of a symbol, of a type that may not be known here."""
    symbol, currency = _symbol_of(head)
    sec_type = SecType(kind) if kind in frozenset(SecType) else SecType.UNKNOWN
    return Instrument(id=name, symbol=symbol, sec_type=sec_type, currency=currency, exchange="", con_id=con_id)


def _future(name: InstrumentId, head: str, expiry: str, trading_class: str) -> Instrument:
    symbol, currency = _symbol_of(head)
    day_or_month = _DAY_OR_MONTH.fullmatch(expiry) is not None
    if not day_or_month and expiry != CONTINUOUS and not _NTH.fullmatch(expiry):
        raise ValueError(
            f"instrument {name!r} has no expiry {expiry!r}; write a day (20241220), a month (202412), front, 2nd, 3rd,"
            " …, or cont for the continuous series; or a type: IND, CFD, CRYPTO"
        )
    return Instrument(
        id=name,
        symbol=symbol,
        sec_type=SecType.CONTINUOUS_FUTURE if expiry == CONTINUOUS else SecType.FUTURE,
        currency=currency,
        exchange="",
        trading_class=trading_class.replace("_", " "),
        expiry=expiry if day_or_month else "",
    )


def _option(name: InstrumentId, head: str, expiry: str, strike: Decimal, right: str, rest: list[str]) -> Instrument:
    of_future = rest[-1:] == ["FOP"]
    classes = rest[:-1] if of_future else rest
    if len(classes) > 1:
        raise _invalid(name)
    symbol, currency = _symbol_of(head)
    return Instrument(
        id=name,
        symbol=symbol,
        sec_type=SecType.FUTURE_OPTION if of_future else SecType.OPTION,
        currency=currency,
        exchange="",
        trading_class="".join(classes).replace("_", " "),
        expiry=expiry,
        strike=strike,
        right=right,
    )


def _at_exchange(found: Instrument, exchange: str) -> Instrument:
    """Where it is listed; a stock is routed as ever, and in the currency of that exchange unless one is written."""
    if found.sec_type is not SecType.STOCK:
        return msgspec.structs.replace(found, exchange=exchange)
    written = found.currency != "USD"
    return msgspec.structs.replace(found, primary_exchange=exchange, currency=found.currency if written else "")


def _symbol_of(head: str) -> tuple[str, Currency]:
    """Symbol and currency; the currency is empty where none is written."""
    symbol, dot, currency = head.rpartition(".")
    if dot and currency in CURRENCIES:
        return symbol.replace("_", " "), currency
    return head.replace("_", " "), ""


def _positive(name: InstrumentId, number: str) -> Decimal:
    value = Decimal(number) if _NUMBER.fullmatch(number) else ZERO
    if not value:
        raise ValueError(
            f"instrument {name!r} has {number!r} in place of a number above zero; write it like 6000 or 0.5"
        )
    return value


def _invalid(name: InstrumentId) -> ValueError:
    return ValueError(
        f"instrument {name!r} is not a valid name; write SPY, SAP.EUR, EURUSD or ES:20241220 (docs/instruments.md has"
        " all forms)"
    )
