"""Why something was traded: the chain from the signal to its fills, as the journal has it."""

from decimal import Decimal

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from mats.errors import UserError
from mats.ledger.fill_log import NewExecution, attribute
from mats.model import (
    AdjustmentRecorded,
    Commission,
    CommissionRecorded,
    Execution,
    FillCorrected,
    FillRecorded,
    IntentId,
    OrderIntent,
    OrderView,
    StrategyName,
    iso,
    order_ref,
)
from mats.store.journal import Alias, Journal


class FillStory(msgspec.Struct, frozen=True, kw_only=True):
    """One execution: the log entry that booked it and the ones that corrected it, what holds now, and what it cost."""

    entry: int
    corrections: tuple[int, ...]
    execution: Execution
    commission: Commission | None


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """`intent`, `order` and `names` are of our own order; `unattributed` says why there is none."""

    strategy: StrategyName
    intent: OrderIntent | None
    order: OrderView | None
    names: tuple[Alias, ...]
    fills: tuple[FillStory, ...]
    legs: tuple[AdjustmentRecorded, ...] = ()
    unattributed: str = ""


def story_of(journal: Journal, name: str) -> Story:
    """The story of an intent, of an execution by its id, or of a transfer. Raises UserError where there is none."""
    if journal.order(name) is not None:
        return _of_intent(journal, name)
    booked = journal.find_execution(name)
    if booked is not None:
        return _of_intent(journal, booked.intent_id) if booked.intent_id else _of_unattributed(journal, booked)
    legs = journal.transfer_legs(name)
    if legs is not None:
        return Story(strategy=legs[1].strategy, intent=None, order=None, names=(), fills=(), legs=legs)
    raise UserError(
        f"{name} is not an intent, execution or transfer of this journal; `mats status` and the tables `orders` and"
        " `fills` list the ids"
    )


def _of_intent(journal: Journal, intent_id: IntentId) -> Story:
    found = journal.order(intent_id)
    assert found is not None, f"the log names intent {intent_id}, which the journal does not have"
    intent = found.intent
    entries = journal.entries_of(intent.account, intent.strategy, intent.instrument.id)
    own = [e for e in entries if not isinstance(e, AdjustmentRecorded) and e.intent_id == intent_id]
    return Story(
        strategy=intent.strategy,
        intent=intent,
        order=found.view,
        names=found.aliases,
        fills=_fills([e for e in own if isinstance(e, FillRecorded | FillCorrected)], own),
    )


def _of_unattributed(journal: Journal, booked: FillRecorded | FillCorrected) -> Story:
    """An execution that none of our orders caused."""
    execution = booked.execution
    entries = journal.entries_of(execution.account, booked.strategy, execution.instrument)
    own = [e for e in entries if not isinstance(e, AdjustmentRecorded) and e.execution.family == execution.family]
    cause = attribute(execution, None, journal.strategy_of, journal.intent_by_perm_id)
    return Story(
        strategy=booked.strategy,
        intent=None,
        order=None,
        names=(),
        fills=_fills([e for e in own if isinstance(e, FillRecorded | FillCorrected)], own),
        unattributed=cause.reason if isinstance(cause, NewExecution) else "",
    )


def _fills(
    booked: list[FillRecorded | FillCorrected], own: list[FillRecorded | FillCorrected | CommissionRecorded]
) -> tuple[FillStory, ...]:
    families = dict.fromkeys(entry.execution.family for entry in booked)
    commissions = {e.execution.family: e.commission for e in own if isinstance(e, CommissionRecorded)}
    stories = []
    for family in families:
        first, *later = (entry for entry in booked if entry.execution.family == family)
        stories.append(
            FillStory(
                entry=first.seq,
                corrections=tuple(entry.seq for entry in later),
                execution=(later or [first])[-1].execution,
                commission=commissions.get(family),
            )
        )
    return tuple(stories)


def render_story(story: Story) -> RenderableType:
    """The chain, cause first, each link below what caused it."""
    lines: list[str] = []
    if story.intent is not None and story.order is not None:
        lines += _order_lines(story.intent, story.order, story.names)
    if story.unattributed:
        lines.append(f"cause      no order of ours: {story.unattributed}")
    for leg in story.legs:
        cost = leg.cost if leg.cost is not None else Decimal(0)
        back = f", reverses {leg.reverses}" if leg.reverses else ""
        lines.append(
            f"{leg.assignment}  {iso(leg.recorded)}  entry {leg.seq}: {leg.strategy} {leg.quantity:+f}"
            f" {leg.instrument} in {leg.account}, cost {cost:+f}, realized {leg.realized:+f} ({leg.reason}{back})"
        )
    for fill in story.fills:
        lines += _fill_lines(fill, story.strategy)
    if not story.fills and story.order is not None:
        lines.append("fills      none")
    return Group(*(Text(line) for line in lines))


def _order_lines(intent: OrderIntent, order: OrderView, names: tuple[Alias, ...]) -> list[str]:
    ticket = intent.ticket
    price = "".join(f" {name} {p:f}" for name, p in (("limit", ticket.limit_price), ("stop", ticket.stop_price)) if p)
    what = f"{intent.side} {intent.quantity:f} {intent.instrument.id} {ticket.order_type}{price} {ticket.tif}"
    ids = ", ".join(
        f"client {name.client_id} order {name.order_id}" + (f" perm {name.perm_id}" if name.perm_id else "")
        for name in names
    )
    note = f": {order.note}" if order.note else ""
    said = f"; the broker said {order.said}" if order.said and order.said not in order.note else ""
    doubt = f" ({order.doubt})" if order.doubt else ""
    return [
        f"signal     {iso(intent.time)}  {intent.strategy}{f': {intent.reason}' if intent.reason else ''}",
        f"intent     {order_ref(intent.strategy, intent.intent_id)}  {what} in {intent.account}",
        f"order      {iso(order.created)}  {ids or 'never sent'}",
        f"state      {iso(order.updated)}  {order.state}{doubt}, {order.filled:f} of {order.quantity:f} filled"
        f"{note}{said}",
    ]


def _fill_lines(fill: FillStory, strategy: StrategyName) -> list[str]:
    done = fill.execution
    corrected = f", corrected by entry {', '.join(map(str, fill.corrections))}" if fill.corrections else ""
    cost = fill.commission
    charged = "commission unknown" if cost is None else f"commission {cost.amount:f} {cost.currency}"
    return [
        f"execution  {iso(done.time)}  {done.exec_id}: {done.side} {done.quantity:f} {done.instrument}"
        f" at {done.price:f} {done.currency} on {done.exchange or 'an unnamed exchange'}",
        f"  fill     entry {fill.entry}{corrected}, booked to {strategy}, {charged}",
    ]
