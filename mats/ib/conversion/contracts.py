"""Instrument ⇄ ib_async Contract."""

from decimal import Decimal

import msgspec
from ib_async.contract import Contract, ContractDetails
from ib_async.util import UNSET_DOUBLE

from mats.model import ONE, TRADED_TYPES, ZERO, Instrument, InstrumentId, SecType, exact, instrument_id

SUPPORTED_TYPES = TRADED_TYPES


def amount(value: float | Decimal | None) -> Decimal | None:
    """A number off the wire as the decimal that was written (100 for `100.0`); IB's "unset" is None."""
    if value is None or value == UNSET_DOUBLE:
        return None
    return Decimal(int(value)) if isinstance(value, float) and value.is_integer() else exact(value)


def or_zero(value: float | Decimal | None) -> Decimal:
    """A number for which missing means zero."""
    return amount(value) or ZERO


def stated(name: str, value: float | Decimal | None) -> Decimal:
    """A number for which missing means unknown, which is not zero: ValueError."""
    number = amount(value)
    if number is None:
        raise ValueError(f"{name} is not stated")
    return number


def to_contract(instrument: Instrument) -> Contract:
    """What the protocol needs to find the contract: the contract id if it is known, and the description."""
    return Contract(
        conId=instrument.con_id,
        symbol=instrument.symbol,
        secType=instrument.sec_type.value,
        lastTradeDateOrContractMonth=instrument.expiry,
        strike=float(instrument.strike),
        right=instrument.right,
        multiplier="" if instrument.multiplier == ONE else format(instrument.multiplier, "f"),
        exchange=instrument.exchange,
        primaryExchange=instrument.primary_exchange,
        currency=instrument.currency,
        localSymbol=instrument.local_symbol,
        tradingClass=instrument.trading_class,
    )


def name_of(contract: Contract) -> InstrumentId:
    """The instrument id of a contract. One of an unsupported type has its contract id in it."""
    if contract.secType not in SUPPORTED_TYPES:
        return f"{contract.symbol}:{contract.secType}:{contract.conId}"
    return instrument_id(
        contract.symbol,
        contract.secType,
        contract.currency,
        contract.lastTradeDateOrContractMonth,
        contract.localSymbol,
    )


def multiplier_of(contract: Contract) -> Decimal:
    """Units of currency per unit of price; stocks and pairs leave the field empty."""
    return exact(contract.multiplier or ONE)


def to_instrument(contract: Contract) -> Instrument | None:
    """The instrument as an order, execution or position describes it; None for unsupported types."""
    if contract.secType not in SUPPORTED_TYPES:
        return None
    return Instrument(
        id=name_of(contract),
        symbol=contract.symbol,
        sec_type=SecType(contract.secType),
        currency=contract.currency,
        exchange=contract.exchange or "SMART",
        primary_exchange=contract.primaryExchange,
        local_symbol=contract.localSymbol,
        trading_class=contract.tradingClass,
        expiry=contract.lastTradeDateOrContractMonth,
        strike=or_zero(contract.strike),
        right="" if contract.right in ("0", "?") else contract.right,
        multiplier=multiplier_of(contract),
        con_id=contract.conId,
    )


def from_details(requested: Instrument, details: ContractDetails) -> Instrument | None:
    """The resolved instrument: its steps and zone from the details, the exchange as it was requested.

    IB gives several size steps; the suggested one is what an order ticket offers, the other what it accepts.
    """
    found = to_instrument(details.contract) if details.contract else None
    if found is None:
        return None
    return msgspec.structs.replace(
        found,
        exchange=requested.exchange or found.exchange,
        tick_size=amount(details.minTick) or requested.tick_size,
        size_increment=amount(details.sizeIncrement) or requested.size_increment,
        min_size=amount(details.minSize) or requested.min_size,
        time_zone=details.timeZoneId or requested.time_zone,
        name=details.longName,
        price_magnifier=Decimal(details.priceMagnifier or 1),
        trading_hours=details.tradingHours,
        liquid_hours=details.liquidHours,
        market_rule_ids=details.marketRuleIds,
        underlying=details.underSymbol,
        under_con_id=details.underConId,
    )
