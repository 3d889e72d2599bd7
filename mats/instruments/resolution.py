"""From what a name describes to the one contract that it means, or to what can be written in its place."""

from collections.abc import Iterable, Sequence

from mats.instruments.names import candidate_names
from mats.instruments.parsing import nth_expiry
from mats.model import Instrument, InstrumentId

MOST_SHOWN = 12
"""Candidates that are listed; what fits more of them is not described well enough to choose."""


class SeveralContracts(Exception):
    """The name fits several contracts; the text has each, and what to write for it."""


def the_one(asked: InstrumentId, found: Sequence[Instrument], today: str) -> Instrument | None:
    """The contract that is meant, None where there is none; `today` (yyyymmdd) counts the expiries from.

    Raises SeveralContracts.
    """
    contracts = list({contract.con_id: contract for contract in found}.values())
    if nth := nth_expiry(asked):
        contracts = _nth_to_expire(contracts, nth, today)
    if len(contracts) > 1:
        raise SeveralContracts(_shown(_written(asked, contracts)))
    return contracts[0] if contracts else None


def _nth_to_expire(contracts: Iterable[Instrument], nth: int, today: str) -> list[Instrument]:
    """Those of the nth expiry of their trading class that has not passed."""
    classes: dict[str, list[Instrument]] = {}
    for contract in sorted(contracts, key=lambda contract: contract.expiry):
        if contract.expiry >= today:
            classes.setdefault(contract.trading_class, []).append(contract)
    chosen = []
    for of_class in classes.values():
        expiries = sorted({contract.expiry for contract in of_class})
        chosen += [contract for contract in of_class if contract.expiry in expiries[nth - 1 : nth]]
    return chosen


def _written(asked: InstrumentId, contracts: list[Instrument]) -> list[tuple[InstrumentId, Instrument]]:
    """What to write for each. A rule stays a rule, with the trading class, where that is enough."""
    names = candidate_names(contracts)
    classes = [contract.trading_class for contract in contracts]
    if nth_expiry(asked) and len(set(classes)) == len(classes):
        head, _, rule = asked.partition(":")
        rule = rule.partition("@")[0].partition(":")[0]
        names |= {c.con_id: f"{head}:{rule}:{c.trading_class.replace(' ', '_')}" for c in contracts}
    return [(names[contract.con_id], contract) for contract in contracts]


def _shown(written: Sequence[tuple[InstrumentId, Instrument]]) -> str:
    listed = "; ".join(f"{name} ({_terms(contract)})" for name, contract in written[:MOST_SHOWN])
    more = f"; and {len(written) - MOST_SHOWN} more" if len(written) > MOST_SHOWN else ""
    return listed + more


def _terms(contract: Instrument) -> str:
    place = contract.primary_exchange or contract.exchange
    parts = (
        contract.name,
        f"at {place}" if place else "",
        contract.currency,
        f"class {contract.trading_class}" if contract.trading_class else "",
        f"expiry {contract.expiry}" if contract.expiry else "",
        f"multiplier {contract.multiplier:f}" if contract.multiplier != 1 else "",
        f"contract id {contract.con_id}",
    )
    return ", ".join(part for part in parts if part)
