"""The entries that put another execution in the place of one which some stage could not apply, or nothing.

They repeat its id: a report of the broker with the same id stays a repetition, a higher revision corrects them.
"""

from decimal import Decimal

from msgspec.structs import replace

from mats.model import (
    ZERO,
    Commission,
    CommissionRecorded,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
    Nanos,
)


def voiding(booked: FillRecorded | FillCorrected, seq: int, now: Nanos) -> tuple[Entry, ...]:
    """The entry after which the execution has never happened."""
    return (_correction(booked, replace(booked.execution, quantity=ZERO), seq, now),)


def replacement(
    booked: FillRecorded | FillCorrected,
    execution: Execution,
    charged: Commission | None,
    seq: int,
    now: Nanos,
    rate: Decimal | None,
) -> tuple[Entry, ...]:
    """The entries, from `seq` on, after which `execution` is booked in its place, with its commission.

    In another account it is the first report there, and the old one is taken back.
    """
    entries: tuple[Entry, ...]
    if execution.account == booked.execution.account:
        entries = (_correction(booked, execution, seq, now, rate),)
    else:
        first = FillRecorded(
            seq=seq + 1,
            strategy=booked.strategy,
            intent_id=booked.intent_id,
            execution=execution,
            recorded=now,
            rate=rate,
        )
        entries = (*voiding(booked, seq, now), first)
    if charged is None:
        return entries
    charge = CommissionRecorded(
        seq=seq + len(entries),
        strategy=booked.strategy,
        intent_id=booked.intent_id,
        execution=execution,
        commission=charged,
        recorded=now,
        rate=rate,
        previous=charged,
    )
    return (*entries, charge)


def _correction(
    booked: FillRecorded | FillCorrected, execution: Execution, seq: int, now: Nanos, rate: Decimal | None = None
) -> FillCorrected:
    return FillCorrected(
        seq=seq,
        strategy=booked.strategy,
        intent_id=booked.intent_id,
        execution=execution,
        previous=booked.execution,
        recorded=now,
        rate=booked.rate if booked.rate is not None else rate,
    )
