"""Instrument ⇄ ib_async Contract."""

from decimal import Decimal

import msgspec
from ib_async.contract import Contract, ContractDetails
from ib_async.util import UNSET_DOUBLE

from mats.instruments import InstrumentRegistry
from mats.model import NOT_KNOWN, ONE, ZERO, Instrument, InstrumentId, SecType, exact


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
    """What the protocol needs to find the contract: the contract id if it is known, and the description.

    An option that is not resolved is found by its symbol of the OCC alone: of an adjusted one that says no more.
    """
    if not instrument.con_id and instrument.local_symbol and instrument.sec_type is SecType.OPTION:
        return Contract(
            secType=instrument.sec_type.value,
            localSymbol=instrument.local_symbol,
            exchange=instrument.exchange,
            currency=instrument.currency,
        )
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


def name_of(contract: Contract, registry: InstrumentRegistry) -> InstrumentId:
    """The instrument id of a contract, and of no other."""
    return registry.name(contract.conId) or registry.register(to_instrument(contract))


def multiplier_of(contract: Contract) -> Decimal:
    """The multiplier as it is stated; stocks and pairs leave the field empty."""
    return exact(contract.multiplier or ONE)


def unit_value_of(contract: Contract, registry: InstrumentRegistry) -> Decimal:
    """Units of currency per unit of price; `NOT_KNOWN` until the contract's details are, since what prices are
    magnified by is only there. A stated multiplier that contradicts them is for the validation of what states it, and
    not to be mended here. What has no contract id has no details, and is worth what is stated."""
    terms, multiplier = registry.terms(contract.conId), multiplier_of(contract)
    if terms is None:
        return NOT_KNOWN if contract.conId and multiplier > 0 else multiplier
    if not contract.multiplier or multiplier == terms.multiplier:
        return terms.unit_value
    return multiplier / terms.price_magnifier


def described(contract: Contract, registry: InstrumentRegistry) -> Instrument:
    """The instrument of an order, execution or position, by its name."""
    stated = to_instrument(contract)
    known = registry.terms(contract.conId)
    return msgspec.structs.replace(known or stated, id=name_of(contract, registry), exchange=stated.exchange)


def to_instrument(contract: Contract) -> Instrument:
    """What an order, execution or position states of a contract; it has no name yet, unless its type is unknown."""
    kind = contract.secType
    return Instrument(
        id="" if kind in frozenset(SecType) else f"{contract.symbol}:{kind}:{contract.conId}",
        symbol=contract.symbol,
        sec_type=SecType(kind) if kind in frozenset(SecType) else SecType.UNKNOWN,
        currency=contract.currency,
        exchange=contract.exchange or "SMART",
        primary_exchange=contract.primaryExchange,
        local_symbol=contract.localSymbol,
        trading_class=contract.tradingClass,
        expiry=contract.lastTradeDateOrContractMonth,
        strike=or_zero(contract.strike),
        right="" if contract.right in ("0", "?") else contract.right[:1],
        multiplier=multiplier_of(contract),
        con_id=contract.conId,
    )


def from_details(requested: Instrument, details: ContractDetails) -> Instrument | None:
    """The contract as its details state it, without a name; None where they have none.

    IB gives several size steps; the suggested one is what an order ticket offers, the other what it accepts. The
    registry knows whether the API takes it.
    """
    if details.contract is None:
        return None
    found = to_instrument(details.contract)
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
