"""The name of a contract: the one that the system gives it, and those that distinguish it from others."""

from decimal import Decimal

import msgspec

from mats.instruments.parsing import CONTINUOUS, OF_ONE_SYMBOL, is_occ_symbol, try_parse_instrument
from mats.model import CURRENCIES, ZERO, Currency, Instrument, InstrumentId, SecType

BY_CONTRACT_ID = frozenset({SecType.BOND, SecType.FUND, SecType.WARRANT, SecType.COMMODITY})
"""Types of which one symbol has many contracts: `US-T:BOND:77`."""


def instrument_id(
    symbol: str,
    sec_type: str,
    currency: Currency,
    expiry: str = "",
    local_symbol: str = "",
    trading_class: str = "",
    strike: Decimal = ZERO,
    right: str = "",
    con_id: int = 0,
) -> InstrumentId:
    """The name of a contract with these terms, the same for all that share them.

    It parses to the same terms; a contract whose terms cannot be written carries its contract id.
    """
    if sec_type not in frozenset(SecType) or sec_type in BY_CONTRACT_ID:
        return f"{_joined(symbol)}:{sec_type}:{con_id}"
    given = Instrument(
        id="",
        symbol=symbol,
        sec_type=SecType(sec_type),
        currency=currency,
        expiry=expiry,
        local_symbol=local_symbol,
        trading_class=trading_class,
        strike=strike,
        right=right,
        con_id=con_id,
    )
    return canonical_name(given)


def canonical_name(terms: Instrument) -> InstrumentId:
    """The name of a contract, from what executions, orders and positions state of it.

    Its `id` is looked at only where its type is not known here.
    """
    if terms.sec_type is SecType.UNKNOWN:
        return terms.id or f"#{terms.con_id}"
    name = _name_of(terms)
    return name if not terms.con_id or _says(name, terms) else numbered(name, terms.con_id)


def numbered(name: InstrumentId, con_id: int) -> InstrumentId:
    """The name with the contract id, for a contract that is not the only one of this name."""
    return f"{name}#{con_id}"


def earlier_name(terms: Instrument) -> InstrumentId:
    """The name that versions before the registry gave a contract; two contracts could have the same."""
    symbol, kind = _joined(terms.symbol), terms.sec_type
    match kind:
        case SecType.CASH:
            return symbol + terms.currency
        case SecType.STOCK | SecType.INDEX:
            return _with_currency(symbol, terms.currency)
        case SecType.OPTION:
            return terms.local_symbol or f"{symbol}:{terms.expiry}"
        case SecType.FUTURE:
            return f"{symbol}:{terms.expiry}"
        case SecType.UNKNOWN:
            return terms.id
        case _:
            return f"{terms.symbol}:{kind}:{terms.con_id}"


def candidate_names(found: list[Instrument]) -> dict[int, InstrumentId]:
    """What to write for each of several contracts, by contract id: the shortest name that none of the others has."""
    written: dict[int, InstrumentId] = {}
    for contract in found:
        others = [other for other in found if other.con_id != contract.con_id]
        forms = zip(_forms(contract), *(_forms(other) for other in others), strict=True)
        unique = (form for form, *taken in forms if form and form not in taken)
        written[contract.con_id] = next(unique, f"#{contract.con_id}")
    return written


def _name_of(terms: Instrument) -> InstrumentId:
    symbol, kind, currency = _joined(terms.symbol), terms.sec_type, terms.currency
    match kind:
        case SecType.CASH if {symbol, currency} <= CURRENCIES:
            return symbol + currency
        case SecType.STOCK:
            return _with_currency(symbol, currency)
        case SecType.FUTURE:
            return ":".join((symbol, terms.expiry, *_other_class(terms)))
        case SecType.CONTINUOUS_FUTURE:
            return ":".join((_with_currency(symbol, currency), CONTINUOUS, *_other_class(terms)))
        case SecType.OPTION | SecType.FUTURE_OPTION:
            return _option_name(terms)
        case _ if kind in BY_CONTRACT_ID:
            return f"{symbol}:{kind}:{terms.con_id}"
        case _:
            return f"{_with_currency(symbol, currency)}:{kind}"


def _option_name(terms: Instrument) -> InstrumentId:
    if terms.sec_type is SecType.OPTION and is_occ_symbol(terms.local_symbol):
        return terms.local_symbol
    symbol = _with_currency(_joined(terms.symbol), terms.currency)
    of_future = ("FOP",) if terms.sec_type is SecType.FUTURE_OPTION else ()
    return ":".join(
        (symbol, terms.expiry, f"{terms.strike.normalize():f}", terms.right, *_other_class(terms), *of_future)
    )


def _forms(contract: Instrument) -> list[InstrumentId]:
    """Names of a contract, each longer than the one before; as many for each contract of a type."""
    name = canonical_name(msgspec.structs.replace(contract, trading_class="", con_id=0))
    classed = f"{name}:{_joined(contract.trading_class)}" if ":" in name and contract.trading_class else ""
    if contract.sec_type is SecType.FUTURE_OPTION:
        classed = f"{name.removesuffix(':FOP')}:{_joined(contract.trading_class)}:FOP"
    if contract.sec_type in OF_ONE_SYMBOL:
        classed = ""
    exchange = contract.primary_exchange if contract.sec_type is SecType.STOCK else contract.exchange
    placed = f"{classed or name}@{exchange}" if exchange and exchange != "SMART" else ""
    multiplied = f"{placed or classed or name}*{contract.multiplier:f}" if contract.multiplier != 1 else ""
    return [name, classed, placed, multiplied] if contract.sec_type is not SecType.STOCK else [name, placed, "", ""]


def _says(name: InstrumentId, terms: Instrument) -> bool:
    """Whether the name is read as these terms, and no others."""
    read = try_parse_instrument(name)
    if read is None or read.sec_type is not terms.sec_type:
        return False
    if read.local_symbol and read.sec_type is SecType.OPTION:
        return read.local_symbol == terms.local_symbol
    return (
        (read.symbol, read.expiry, read.strike, read.right) == (terms.symbol, terms.expiry, terms.strike, terms.right)
        and read.currency in ("", terms.currency)
        and (read.trading_class == terms.trading_class or not (read.expiry and _other_class(terms)))
    )


def _other_class(terms: Instrument) -> tuple[str, ...]:
    """The trading class where it is not the symbol."""
    return () if terms.trading_class in ("", terms.symbol) else (_joined(terms.trading_class),)


def _with_currency(symbol: str, currency: Currency) -> str:
    return symbol if currency in ("USD", "") else f"{symbol}.{currency}"


def _joined(symbol: str) -> str:
    return symbol.replace(" ", "_")
