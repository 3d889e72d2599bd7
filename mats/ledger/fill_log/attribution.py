"""Whether an execution is new to the fill log, and which strategy caused it. Pure: it writes nothing."""

from collections.abc import Callable

import msgspec

from mats.model import DISCRETIONARY, Execution, FillCorrected, FillRecorded, IntentId, StrategyName, parse_order_ref

StrategyOf = Callable[[IntentId], StrategyName | None]
"""The strategy of a journaled intent, None where the journal has no such intent."""

IntentOf = Callable[[int], IntentId | None]
"""The journaled intent with a permId, None where there is none."""


class DuplicateExecution(msgspec.Struct, frozen=True):
    """The log has this revision. `conflict` names what differs from the booked one; usually it is empty."""

    conflict: str = ""


class StaleExecution(msgspec.Struct, frozen=True):
    """The log has a later revision, `booked`, of the same execution."""

    booked: Execution


class NewExecution(msgspec.Struct, frozen=True):
    """The first revision seen of an execution; `reason` says why it belongs to `Discretionary`, if it does."""

    strategy: StrategyName
    intent_id: IntentId
    reason: str = ""


class CorrectedExecution(msgspec.Struct, frozen=True):
    """A later revision: it replaces `previous` and stays with the strategy that has the first one."""

    strategy: StrategyName
    intent_id: IntentId
    previous: Execution


Attribution = DuplicateExecution | StaleExecution | NewExecution | CorrectedExecution


def attribute(
    execution: Execution, booked: FillRecorded | FillCorrected | None, strategy_of: StrategyOf, intent_of: IntentOf
) -> Attribution:
    """What to do with `execution`, where `booked` is the latest entry of its family in its account, if any."""
    if booked is None:
        return _cause(execution, strategy_of, intent_of)
    if execution.revision > booked.execution.revision:
        return CorrectedExecution(booked.strategy, booked.intent_id, booked.execution)
    if execution.revision < booked.execution.revision:
        return StaleExecution(booked.execution)
    return DuplicateExecution(_conflict(execution, booked.execution))


def _cause(execution: Execution, strategy_of: StrategyOf, intent_of: IntentOf) -> NewExecution:
    """orderRef names the cause; permId counts only where the broker left orderRef blank. Nothing is guessed."""
    if not execution.order_ref:
        intent_id = intent_of(execution.perm_id) if execution.perm_id else None
        strategy = strategy_of(intent_id) if intent_id else None
        if intent_id and strategy:
            return NewExecution(strategy, intent_id)
        return NewExecution(DISCRETIONARY, "", "it has no orderRef: an order placed elsewhere")
    parsed = parse_order_ref(execution.order_ref)
    if parsed is None:
        return NewExecution(DISCRETIONARY, "", f"orderRef {execution.order_ref!r} is not one of this program")
    named, intent_id = parsed
    strategy = strategy_of(intent_id)
    if strategy is None:
        return NewExecution(DISCRETIONARY, "", f"orderRef {execution.order_ref!r} names no intent in the journal")
    if strategy != named:
        return NewExecution(DISCRETIONARY, "", f"orderRef {execution.order_ref!r} names an intent of {strategy}")
    return NewExecution(strategy, intent_id)


def _conflict(execution: Execution, booked: Execution) -> str:
    """The booked fields in which two reports of one revision differ."""
    names = ("instrument", "side", "quantity", "price", "multiplier", "currency")
    return "; ".join(
        f"{name} {getattr(execution, name)}, booked {getattr(booked, name)}"
        for name in names
        if getattr(execution, name) != getattr(booked, name)
    )
