"""Decodes the entries of the fill log from the tables `fills`, `fill_corrections` and `adjustments`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec.structs import replace

from mats.model import (
    ZERO,
    AccountId,
    AdjustmentRecorded,
    Commission,
    CommissionRecorded,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
    Side,
    exact,
)
from mats.store.tables import Row, Value

REPORTED_ONLY: dict[str, Decimal | int] = {"cumulative_quantity": ZERO, "average_price": ZERO, "con_id": 0}
"""Fields of an execution that the tables do not hold: they serve the order of a replay, and the registry has the id."""


def decode_entries(
    account: AccountId, fills: Iterable[Row], corrections: Iterable[Row], adjustments: Iterable[Row]
) -> list[Entry]:
    """The entries of one account, ascending in seq; executions without the fields `REPORTED_ONLY`."""
    families: dict[str, dict[int, Row]] = defaultdict(dict)
    charges: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in (*corrections, *fills):
        if seq := _int(row["seq"]):
            families[str(row["family"])][seq] = row
        if seq := _int(row["commission_seq"]):
            charges[str(row["family"])][seq] = row
    entries: list[Entry] = [_adjustment(account, row) for row in adjustments]
    for family, revisions in families.items():
        booked = _executions(account, [revisions[seq] for seq in sorted(revisions)])
        entries += booked
        entries += _commissions([charges[family][seq] for seq in sorted(charges[family])], booked)
    return sorted(entries, key=lambda entry: entry.seq)


def as_stored(entry: Entry) -> Entry:
    """An entry of the journal without the fields that the tables do not hold."""
    if isinstance(entry, AdjustmentRecorded):
        return entry
    executed = replace(entry.execution, **REPORTED_ONLY)
    if isinstance(entry, FillCorrected):
        return replace(entry, execution=executed, previous=replace(entry.previous, **REPORTED_ONLY))
    return replace(entry, execution=executed)


def _executions(account: AccountId, rows: Sequence[Row]) -> list[FillRecorded | FillCorrected]:
    """The reports of one execution: the first one and its corrections."""
    entries: list[FillRecorded | FillCorrected] = []
    for row in rows:
        execution = _execution(account, row)
        fill = FillRecorded(
            seq=_int(row["seq"]),
            strategy=str(row["strategy"]),
            intent_id=str(row["intent_id"]),
            execution=execution,
            recorded=_int(row["recorded_utc"]),
            rate=_decimal(row["rate_exact"]),
        )
        entries.append(_correction(fill, entries[-1].execution) if entries else fill)
    return entries


def _correction(fill: FillRecorded, previous: Execution) -> FillCorrected:
    return FillCorrected(
        seq=fill.seq,
        strategy=fill.strategy,
        intent_id=fill.intent_id,
        execution=fill.execution,
        previous=previous,
        recorded=fill.recorded,
        rate=fill.rate,
    )


def _commissions(rows: Sequence[Row], booked: Sequence[FillRecorded | FillCorrected]) -> list[CommissionRecorded]:
    """The reports of what one execution cost; one of the same revision replaces the one before."""
    fills = {entry.execution.exec_id: entry for entry in booked}
    reported: dict[str, Commission] = {}
    entries = []
    for row in rows:
        name = str(row["commission_id"])
        fill = fills.get(name) or booked[-1]
        amount = Decimal(str(row["commission_exact"]))
        commission = Commission(exec_id=name, amount=amount, currency=str(row["commission_currency"]))
        entries.append(
            CommissionRecorded(
                seq=_int(row["commission_seq"]),
                strategy=fill.strategy,
                intent_id=fill.intent_id,
                execution=fill.execution,
                commission=commission,
                recorded=_int(row["commission_recorded_utc"]),
                rate=_decimal(row["commission_rate_exact"]),
                previous=reported.get(name),
            )
        )
        reported[name] = commission
    return entries


def _execution(account: AccountId, row: Row) -> Execution:
    return Execution(
        account=account,
        exec_id=str(row["fill_id"]),
        instrument=str(row["symbol"]),
        side=Side(str(row["side"])),
        quantity=Decimal(str(row["quantity_exact"])),
        price=Decimal(str(row["price_exact"])),
        time=_int(row["event_time_utc"]),
        currency=str(row["currency"]),
        multiplier=_short(row["multiplier"]),
        order_ref=str(row["order_ref"]),
        perm_id=_int(row["perm_id"]),
        client_id=_int(row["client_id"]),
        order_id=_int(row["order_id"]),
        exchange=str(row["exchange"]),
    )


def _adjustment(account: AccountId, row: Row) -> AdjustmentRecorded:
    return AdjustmentRecorded(
        seq=_int(row["seq"]),
        strategy=str(row["strategy"]),
        account=account,
        instrument=str(row["symbol"]),
        quantity=Decimal(str(row["quantity_exact"])),
        price=Decimal(str(row["price_exact"])),
        currency=str(row["currency"]),
        multiplier=_short(row["multiplier"]),
        reason=str(row["reason"]),
        recorded=_int(row["event_time_utc"]),
        rate=_decimal(row["rate_exact"]),
        cost=_decimal(row["cost_exact"]),
        realized=Decimal(str(row["realized_exact"])),
        assignment=str(row["assignment"]),
        reverses=str(row["reverses"]),
    )


def _int(value: Value) -> int:
    return int(value or 0)


def _decimal(value: Value) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _short(value: Value) -> Decimal:
    """A multiplier as it was before it became a float: `100`, not `100.0`."""
    number = exact(float(value or 0.0))
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number
