"""Messages about contracts, in the layouts of server version 178."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mats.gateway.protocol.responses import multiplier
from mats.gateway.protocol.wire import Field, Message
from mats.model import SECOND, Instrument, Nanos, SecType
from mats.venue.markets import Hours, Listing, OptionChain, facts_of, rule_of, valid_exchanges, zone_info

ORDER_TYPES = "ACTIVETIM,ALLONNON,DAY,FOK,GTC,GTD,IOC,LIT,LMT,LOC,MIT,MKT,MOC,OCA,STP,STPLMT,TRAIL,TRAILLMT,WHATIF"
DAYS_SHOWN = 6
"""Days listed in the hours of a contract."""
FRACTION = Decimal("0.0001")
ROUND_LOT = 100


class SizeSteps(NamedTuple):
    """The sizes that details state: the least, the increment, and the one that an order ticket suggests."""

    least: Decimal
    increment: Decimal
    suggested: Decimal | int


def stated_sizes(instrument: Instrument) -> SizeSteps:
    """The sizes of US shares are stated in fractions, whether or not an order may have one."""
    if instrument.sec_type is SecType.STOCK and instrument.currency == "USD" and instrument.size_increment == 1:
        return SizeSteps(FRACTION, FRACTION, ROUND_LOT)
    return SizeSteps(instrument.min_size, instrument.size_increment, instrument.size_increment)


def contract_details(
    request_id: int, listing: Listing, underlying: Instrument | None, hours: Hours, now: Nanos, exchange: str
) -> Message:
    """The details of an instrument at one of its exchanges. `underlying` is that of a derivative."""
    instrument = listing.instrument
    if instrument.sec_type is SecType.BOND:
        return _bond_details(request_id, instrument, exchange)
    venues = valid_exchanges(instrument)
    trading, liquid = trading_hours(instrument, hours, now)
    return (
        10,
        request_id,
        instrument.symbol,
        instrument.sec_type.value,
        _last_trade(instrument),
        instrument.strike,
        instrument.right,
        exchange,
        instrument.currency,
        instrument.local_symbol,
        instrument.trading_class,
        instrument.trading_class,
        instrument.con_id,
        instrument.tick_size,
        multiplier(instrument),
        ORDER_TYPES,
        ",".join(venues),
        instrument.price_magnifier,
        underlying.con_id if underlying else 0,
        instrument.name.encode("unicode_escape").decode(),
        instrument.primary_exchange,
        listing.month,
        *("", "", ""),
        instrument.time_zone,
        trading,
        liquid,
        *("", 0),
        *_security_ids(listing),
        2 if instrument.sec_type is SecType.FUTURE else 1,
        *((underlying.symbol, underlying.sec_type.value) if underlying else ("", "")),
        ",".join([str(rule_of(instrument))] * len(venues)),
        instrument.expiry,
        listing.stock_type if instrument.sec_type is SecType.STOCK else "",
        *stated_sizes(instrument),
    )


def _bond_details(request_id: int, instrument: Instrument, exchange: str) -> Message:
    """A bond has a message of its own, in which most of what describes it is empty."""
    venues = valid_exchanges(instrument)
    return (
        18,
        request_id,
        instrument.symbol,
        instrument.sec_type.value,
        *("", 0, instrument.expiry, "", "", "", ""),  # cusip, coupon, maturity, issue date, ratings, types
        *(0, 0, 0, ""),  # convertible, callable, putable, more of the description
        exchange,
        instrument.currency,
        instrument.trading_class,
        instrument.trading_class,
        instrument.con_id,
        instrument.tick_size,
        ORDER_TYPES,
        ",".join(venues),
        *("", "", 0, ""),  # next option and notes
        instrument.name,
        *("", 0, 0),  # evRule, evMultiplier, security ids
        1,
        ",".join([str(rule_of(instrument))] * len(venues)),
        *stated_sizes(instrument),
    )


def _last_trade(instrument: Instrument) -> str:
    """The last day of trading with its time and zone, `20250620 08:30 US/Central`."""
    facts = facts_of(instrument)
    return f"{instrument.expiry} {facts.last_trade} {instrument.time_zone}" if instrument.expiry else ""


def _security_ids(listing: Listing) -> tuple[Field, ...]:
    return (1, "ISIN", listing.isin) if listing.isin else (0,)


def trading_hours(instrument: Instrument, hours: Hours, now: Nanos) -> tuple[str, str]:
    """The coming days in the instrument's zone, all hours and regular ones: `20260413:0400-20260413:2000;…`.

    A day without a session is `20260418:CLOSED`.
    """
    zone = zone_info(instrument.time_zone)
    trading: list[str] = []
    liquid: list[str] = []
    day, instant = _day(now, zone), now
    while len(trading) < DAYS_SHOWN:
        session = hours.session(instrument.sec_type, instant)
        while day < _day(session.closes - 1, zone) and len(trading) < DAYS_SHOWN:
            trading.append(f"{day:%Y%m%d}:CLOSED")
            liquid.append(f"{day:%Y%m%d}:CLOSED")
            day += timedelta(days=1)
        if len(trading) < DAYS_SHOWN:
            trading.append(_span(session.early, session.late, zone))
            liquid.append(_span(session.opens, session.closes, zone))
        day, instant = _day(session.closes - 1, zone) + timedelta(days=1), session.late
    return ";".join(trading), ";".join(liquid)


def _day(instant: Nanos, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(instant // SECOND, zone).date()


def _span(start: Nanos, end: Nanos, zone: ZoneInfo) -> str:
    return f"{_minute(start, zone)}-{_minute(end, zone)}"


def _minute(instant: Nanos, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(instant // SECOND, zone).strftime("%Y%m%d:%H%M")


def contract_details_end(request_id: int) -> Message:
    return (52, 1, request_id)


def option_parameters(request_id: int, exchange: str, underlying: Instrument, chain: OptionChain) -> Message:
    """The expiries and strikes of a trading class on one exchange."""
    head = (75, request_id, exchange, underlying.con_id, chain.trading_class, chain.multiplier)
    return (*head, len(chain.expiries), *chain.expiries, len(chain.strikes), *chain.strikes)


def option_parameters_end(request_id: int) -> Message:
    return (76, request_id)


def symbol_samples(request_id: int, samples: Iterable[tuple[Instrument, list[str]]]) -> Message:
    """Instruments, each with the types of its derivatives."""
    rows = [
        (
            instrument.con_id,
            instrument.symbol,
            instrument.sec_type.value,
            instrument.primary_exchange or instrument.exchange,
            instrument.currency,
            len(derivatives),
            *derivatives,
            instrument.name,
            "",
        )
        for instrument, derivatives in samples
    ]
    return (79, request_id, len(rows), *(field for row in rows for field in row))


def market_rule(rule: int, increments: Iterable[tuple[Decimal, Decimal]]) -> Message:
    steps = list(increments)
    return (93, rule, len(steps), *(field for step in steps for field in step))


def schedule(request_id: int, instrument: Instrument, hours: Hours, start: Nanos, end: Nanos) -> Message:
    """The regular sessions that begin inside `[start, end)`."""
    zone = zone_info(instrument.time_zone)
    rows = []
    instant = start
    while instant < end:
        session = hours.session(instrument.sec_type, instant)
        if start <= session.opens < end:
            rows.append((_second(session.opens, zone), _second(session.closes, zone), _second(session.opens, zone)[:8]))
        instant = session.late
    head = (106, request_id, _second(start, zone), _second(end, zone), instrument.time_zone, len(rows))
    return (*head, *(field for row in rows for field in row))


def _second(instant: Nanos, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(instant // SECOND, zone).strftime("%Y%m%d-%H:%M:%S")
