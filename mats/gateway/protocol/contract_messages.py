"""Messages about contracts, in the layouts of server version 178."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from mats.gateway.protocol.wire import Message
from mats.model import SECOND, Instrument, Nanos, SecType
from mats.venue.markets import VENUES, Hours

ORDER_TYPES = "ACTIVETIM,ALLONNON,DAY,FOK,GTC,GTD,IOC,LIT,LMT,LOC,MIT,MKT,MOC,OCA,STP,STPLMT,TRAIL,TRAILLMT,WHATIF"
RULE_OF_TICK = {Decimal("0.01"): 26, Decimal("0.00005"): 239, Decimal("0.005"): 240, Decimal("0.25"): 67}
MARKET_RULES = {rule: ((0, tick),) for tick, rule in RULE_OF_TICK.items()}
"""Price increments by rule, each from a price upwards: here one increment per rule."""
SESSIONS_SHOWN = 6
"""Trading sessions listed in the details of a contract."""


def contract_details(
    request_id: int, instrument: Instrument, underlying: Instrument | None, hours: Hours, now: Nanos
) -> Message:
    """The details of an instrument. `underlying` is that of an option."""
    venues = valid_exchanges(instrument)
    trading, liquid = trading_hours(instrument, hours, now)
    rule = str(RULE_OF_TICK.get(instrument.tick_size, 26))
    return (
        10,
        request_id,
        instrument.symbol,
        instrument.sec_type.value,
        instrument.expiry,
        instrument.strike,
        instrument.right,
        instrument.exchange,
        instrument.currency,
        instrument.local_symbol,
        instrument.trading_class,
        instrument.trading_class,
        instrument.con_id,
        instrument.tick_size,
        instrument.multiplier if instrument.multiplier != 1 else "",
        ORDER_TYPES,
        ",".join(venues),
        1,
        underlying.con_id if underlying else 0,
        instrument.name.encode("unicode_escape").decode(),
        instrument.primary_exchange,
        instrument.expiry[:6],
        *("", "", ""),
        instrument.time_zone,
        trading,
        liquid,
        *("", 0, 0),
        2 if instrument.sec_type is SecType.FUTURE else 1,
        *((underlying.symbol, underlying.sec_type.value) if underlying else ("", "")),
        ",".join([rule] * len(venues)),
        instrument.expiry,
        "COMMON" if instrument.sec_type is SecType.STOCK else "",
        instrument.min_size,
        instrument.size_increment,
        instrument.size_increment,
    )


def valid_exchanges(instrument: Instrument) -> list[str]:
    """The exchanges to which its orders may be routed."""
    listed = [instrument.exchange, *VENUES.get((instrument.sec_type, instrument.currency), ())]
    return list(dict.fromkeys(listed))


def trading_hours(instrument: Instrument, hours: Hours, now: Nanos) -> tuple[str, str]:
    """The coming sessions in the instrument's zone, all hours and regular ones: `20260413:0400-20260413:2000;…`."""
    zone = ZoneInfo(instrument.time_zone)
    trading, liquid = [], []
    instant = now
    for _ in range(SESSIONS_SHOWN):
        session = hours.session(instrument.sec_type, instant)
        trading.append(f"{_minute(session.early, zone)}-{_minute(session.late, zone)}")
        liquid.append(f"{_minute(session.opens, zone)}-{_minute(session.closes, zone)}")
        instant = session.late
    return ";".join(trading), ";".join(liquid)


def _minute(instant: Nanos, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(instant // SECOND, zone).strftime("%Y%m%d:%H%M")


def contract_details_end(request_id: int) -> Message:
    return (52, 1, request_id)


def option_parameters(
    request_id: int, exchange: str, underlying: Instrument, trading_class: str, options: list[Instrument]
) -> Message:
    """The expiries and strikes of a trading class on one exchange."""
    expiries = sorted({option.expiry for option in options})
    strikes = sorted({option.strike for option in options})
    head = (75, request_id, exchange, underlying.con_id, trading_class, options[0].multiplier)
    return (*head, len(expiries), *expiries, len(strikes), *strikes)


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


def market_rule(rule: int, increments: Iterable[tuple[int, Decimal]]) -> Message:
    steps = list(increments)
    return (93, rule, len(steps), *(field for step in steps for field in step))


def schedule(request_id: int, instrument: Instrument, hours: Hours, start: Nanos, end: Nanos) -> Message:
    """The regular sessions that begin inside `[start, end)`."""
    zone = ZoneInfo(instrument.time_zone)
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
