"""The tables that people write: one that cannot be read is said so, and taken for nothing else."""

from collections.abc import Iterable
from decimal import Decimal

from mats.model.orders import AccountId, StrategyName
from mats.store.arctic import Store, UnreadableTableError
from mats.strategy.record import StrategyRecord


def strategy_table(store: Store) -> tuple[tuple[StrategyRecord, ...], str]:
    """`general/strategies`, and why it cannot be read where that is so."""
    try:
        return tuple(store.read_strategies()), ""
    except UnreadableTableError as error:
        return (), str(error)


def strategy_equities(
    store: Store, places: Iterable[tuple[AccountId, StrategyName]]
) -> tuple[dict[StrategyName, Decimal], dict[StrategyName, str]]:
    """The explicit equities of strategies that have one; and of those whose table cannot be read, why."""
    equities, faults = dict[StrategyName, Decimal](), dict[StrategyName, str]()
    for account, strategy in places:
        try:
            equity = store.strategy_equity(account, strategy)
        except UnreadableTableError as error:
            faults[strategy] = str(error)
        else:
            if equity is not None:
                equities[strategy] = equity
    return equities, faults
