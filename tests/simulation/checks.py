"""What must hold when the faults are over and everything has settled. None of it asks the actors' own opinion first.

Each check returns its complaints; no complaints is proof.
"""

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from actors.messages.order_manager import ReadOrders
from actors.messages.portfolio_manager import PortfolioSnapshot, ReadPortfolio
from actors.order_manager import OrderManager
from actors.portfolio_manager import PortfolioManager
from actors.risk_manager import RiskManager
from actors.strategy import StrategyActor
from mats.ledger.books.book import BookKey
from mats.ledger.books.books import book_key, refold
from mats.model import IntentId
from mats.model.executions import (
    AdjustmentRecorded,
    CommissionRecorded,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
)
from mats.model.orders import DISCRETIONARY, OrderState, OrderView, StrategyName, parse_order_ref
from mats.model.timestamp import SECOND, Nanos
from mats.runtime import Actor
from mats.venue.matching.orders import FILLED, VenueOrder
from tests.simulation import faults
from tests.simulation.brokerage import MASTER
from tests.simulation.plan import Plan, drawn
from tests.simulation.world import START, World
from tests.simulation.world import world as make_world

A = TypeVar("A", bound=Actor[Any])
Complaints = Iterator[str]
OUR_FAULTS = ("SimulatedCrash", "LineLost", "HostGone")
"""What may be the reason of a dead letter: a crash that the simulation made."""


def owner_of(execution: Execution) -> StrategyName:
    """Who caused it, by the broker's record alone: what was done at the gateway is nobody's, whatever it is called."""
    parsed = parse_order_ref(execution.order_ref) if execution.client_id != MASTER else None
    return parsed[0] if parsed else DISCRETIONARY


def intent_of(order: VenueOrder) -> IntentId:
    """The intent of an order of ours; empty for one of somebody else's."""
    return order.order_ref.partition(":")[2] if order.client_id != MASTER else ""


def every_execution_is_in_the_log_once(world: World) -> Complaints:
    """G1, with its attribution: no execution is lost, doubled or made up."""
    entries = world.log()
    fills = Counter(e.execution.exec_id for e in entries if isinstance(e, FillRecorded | FillCorrected))
    truth = {e.exec_id: e for e in world.broker.executions}
    for exec_id in sorted(truth.keys() | fills.keys()):
        if fills[exec_id] != (1 if exec_id in truth else 0):
            yield f"execution {exec_id} is {fills[exec_id]} times in the log"
    for entry in entries:
        if not isinstance(entry, AdjustmentRecorded) and entry.strategy != owner_of(entry.execution):
            yield f"entry {entry.seq} of {entry.strategy} belongs to {owner_of(entry.execution)}"
    costs = Counter(e.commission.exec_id for e in entries if isinstance(e, CommissionRecorded))
    for exec_id in sorted(world.broker.commissions.keys() | costs.keys()):
        if costs[exec_id] != 1:
            yield f"the commission of {exec_id} is {costs[exec_id]} times in the log"


def every_adjustment_stands_for_a_transfer(world: World) -> Complaints:
    """No adjustment covers for an execution: they are what came in without one, each once, and all Discretionary's."""
    booked, came = defaultdict(list), defaultdict(list)
    for entry in world.log():
        if isinstance(entry, AdjustmentRecorded):
            booked[entry.instrument].append(entry.quantity)
            if entry.strategy != DISCRETIONARY:
                yield f"entry {entry.seq} adjusts {entry.strategy}: {entry.reason}"
    for instrument, quantity in world.broker.transfers:
        came[instrument].append(quantity)
    for instrument in sorted(booked.keys() | came.keys()):
        quantities, transfers = booked[instrument], came[instrument]
        if sum(quantities) != sum(transfers) or len(quantities) > len(transfers):
            yield f"adjustments of {instrument} are {quantities}, transfers were {transfers}"


def every_stage_has_everything_in_order(world: World) -> Complaints:
    """G2: at the end the last stage has each entry once."""
    stored = [entry.seq for entry in world.disk.entries]
    last = world.journal.last_seq()
    if stored != list(range(1, last + 1)):
        yield f"the store has {len(stored)} entries, the log {last}; they differ or are out of order"
    for stage, cursor in world.watch.applied.items():
        if cursor != last:
            yield f"{stage} is at entry {cursor} and the log at {last}"


def books_equal_the_broker(world: World) -> Complaints:
    """G3: net by instrument, and each strategy's own book by the broker's executions."""
    portfolio = world.names.portfolio.ask(ReadPortfolio(), timeout=5.0)
    assert isinstance(portfolio, PortfolioSnapshot)
    books = {(book.strategy, book.instrument): book.quantity for book in portfolio.books}
    truth: dict[tuple[StrategyName, str], Decimal] = defaultdict(Decimal)
    for execution in {e.family: e for e in world.broker.executions}.values():
        truth[owner_of(execution), execution.instrument] += execution.signed_quantity
    for instrument, quantity in world.broker.transfers:
        truth[DISCRETIONARY, instrument] += quantity
    for key in sorted(books.keys() | truth.keys()):
        if books.get(key, Decimal(0)) != truth[key]:
            yield f"the book {key} holds {books.get(key)}, by the broker's executions {truth[key]}"
    net: dict[str, Decimal] = defaultdict(Decimal)
    for (_, instrument), quantity in books.items():
        net[instrument] += quantity
    for position in world.broker.true_positions():
        if net.pop(position.instrument, None) != position.quantity:
            yield f"the broker holds {position.quantity} {position.instrument}, the books do not"
    yield from (f"the books hold {quantity} {name}, the broker none" for name, quantity in net.items() if quantity)
    yield from (f"break {found.id}" for found in portfolio.breaks)
    by_book: dict[BookKey, list[Entry]] = defaultdict(list)
    for entry in world.disk.entries:
        by_book[book_key(entry)].append(entry)
    for folded in map(refold, by_book.values()):
        kept = next((book for book in portfolio.books if book.key == folded.key), None)
        if kept != folded:
            yield f"the book {kept} is, folded from what is stored, {folded}"
    held = {(book.strategy, book.instrument): book.quantity for book in portfolio.books if book.quantity}
    stored = {key: quantity for key, quantity in world.disk.portfolio.items() if quantity}
    if stored != held:
        yield f"the stored portfolio is {stored}, the books hold {held}"


def every_order_has_one_intent_and_every_intent_one_end(world: World) -> Complaints:
    """G4: an intent is at the broker once or never, and the journal says how it stands there."""
    at_broker: dict[str, list[VenueOrder]] = defaultdict(list)
    for order in world.broker.orders.values():
        if intent_id := intent_of(order):
            at_broker[intent_id].append(order)
    views = {found.view.intent_id: found.view for found in world.journal.recent_orders(1_000_000)}
    for intent_id, orders in at_broker.items():
        if len(orders) != 1:
            yield f"intent {intent_id} has {len(orders)} orders at the broker"
        if intent_id not in views:
            yield f"the order of intent {intent_id} has no intent in the journal"
    filled = _filled(world)
    for intent_id, view in views.items():
        order = at_broker[intent_id][0] if intent_id in at_broker else None
        if view.state not in _possible(order, view):
            yield f"intent {intent_id} is {view.state} ({view.note}), at the broker {order and order.status}"
        if view.filled != filled[intent_id]:
            yield f"intent {intent_id} has {view.filled} filled, at the broker {filled[intent_id]}"
        if view.state is OrderState.CANCELLING:
            yield f"the cancel of intent {intent_id} has no end; at the broker it is {order and order.status}"
        if order and not view.state.final and view.quantity != order.quantity:
            yield f"intent {intent_id} is for {view.quantity}, at the broker for {order.quantity}"
    yield from _orders_in_memory(world, views)


def _possible(order: VenueOrder | None, view: OrderView) -> tuple[OrderState, ...]:
    if order is None:
        return (OrderState.REJECTED, OrderState.CANCELLED)
    if order.working:
        return (OrderState.WORKING, OrderState.CANCELLING)
    if order.status == FILLED:
        return (OrderState.FILLED,)
    return (OrderState.CANCELLED,) if not view.filled else (OrderState.CANCELLED, OrderState.FILLED)


def _filled(world: World) -> dict[str, Decimal]:
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for execution in {e.family: e for e in world.broker.executions}.values():
        if execution.client_id != MASTER:
            filled[execution.order_ref.partition(":")[2]] += execution.quantity
    return filled


def _orders_in_memory(world: World, views: dict[str, OrderView]) -> Complaints:
    live = world.names.orders.ask(ReadOrders(), timeout=5.0)
    assert isinstance(live, tuple)
    journaled = {intent_id for intent_id, view in views.items() if not view.state.final}
    if {view.intent_id for view in live} != journaled:
        yield f"the order manager has {[view.intent_id for view in live]} open, the journal {sorted(journaled)}"
    for view in views.values():
        stored = world.disk.orders.get(view.intent_id)
        if stored is None or (stored.state, stored.filled) != (view.state, view.filled):
            yield f"order {view.intent_id} is stored as {stored and stored.state}, it is {view.state}"


def risk_knows_the_truth(world: World) -> Complaints:
    """Exposure: each strategy's position, and what its orders at the broker may still trade."""
    risk = _inside(world, "core/risk", RiskManager)
    portfolio = _inside(world, "core/portfolio", PortfolioManager)
    rest: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for order in world.broker.orders.values():
        if order.working and intent_of(order):
            rest[order.order_ref.partition(":")[0], order.instrument] += order.remaining * order.side.sign
    for book in portfolio._books:
        seen = risk._state.exposure(book.account, book.instrument, book.strategy)
        if (seen.position, seen.pending) != (book.quantity, rest[book.strategy, book.instrument]):
            yield f"risk sees {seen} of {book.strategy} in {book.instrument}; it holds {book.quantity}"
    market = risk._market
    if market.behind or market.broken or market.links_down or market.halts or market.store or not market.accounts:
        yield (
            f"risk lets nobody trade: {market.behind} {market.broken} {market.links_down} {market.halts} "
            f"{market.store} {market.accounts}"
        )


def strategies_know_the_truth(world: World) -> Complaints:
    """Each strategy's own view of its positions and orders is what books and orders say."""
    portfolio = _inside(world, "core/portfolio", PortfolioManager)
    orders = _inside(world, "core/orders", OrderManager)
    for number in range(1, world.plan.strategies + 1):
        name = f"s{number}"
        desk = _inside(world, f"strategies/{name}", StrategyActor)._desk
        held = {position.instrument: position.quantity for position in desk.positions().values()}
        books = {book.instrument: book.quantity for book in portfolio._books.of_strategy(name) if book.quantity}
        if held != books:
            yield f"{name} thinks it holds {held}, its books say {books}"
        working = {view.intent_id for view in orders._tracker.views(name)}
        if set(desk.working_orders()) != working:
            yield f"{name} thinks {sorted(desk.working_orders())} work, the orders are {sorted(working)}"


def everybody_lives_and_trades(world: World) -> Complaints:
    """Liveness: all actors run, and every strategy got an order to the broker or asked for a cancel after the faults.

    By chance it may want no order any more.
    """
    yield from (f"{s.name} is {s.state}: {s.last_failure}" for s in world.runtime.status() if s.state != "running")
    for number in range(1, world.plan.strategies + 1):
        name = f"s{number}"
        placed = [o for o in world.broker.orders.values() if intent_of(o) and o.order_ref.startswith(f"{name}:")]
        healed_at = world.healed_at + round(world.gateway_offset * SECOND)
        cancelled_at = START + round(world.watch.cancels.get(name, 0.0) * SECOND)
        if cancelled_at <= world.healed_at and not any(order.submitted > healed_at for order in placed):
            yield f"{name} sent no order any more when the faults were over"


def every_dead_letter_has_a_crash_as_its_reason(world: World) -> Complaints:
    """G7; what waited for a strategy that was parked is lost, and its next start takes everything anew."""
    for letter in world.letters:
        if letter.target in world.parked and letter.reason in ("closed", "unprocessed"):
            continue
        if letter.reason != "failed" or not letter.error.startswith(OUR_FAULTS):
            yield f"dead letter at {letter.target} ({letter.reason}): {letter.message!r:.200} {letter.error}"


def nobody_failed_but_by_a_crash(world: World) -> Complaints:
    """No actor failed by itself."""
    for failed in world.failures:
        if failed.reason != "abandoned" and not failed.error.startswith(OUR_FAULTS):
            yield f"{failed.name} failed: {failed.error}"


def _inside(world: World, name: str, kind: type[A]) -> A:
    """The actor object itself: what it would say when asked is not enough here."""
    incarnation = world.runtime.slot(name).incarnation
    assert incarnation is not None, f"{name} does not run"
    assert isinstance(incarnation.actor, kind)
    return incarnation.actor


def nothing_was_seen_on_the_way(world: World) -> Complaints:
    """What must hold at every moment of a run (G2, G4, G6)."""
    yield from world.watch.complaints


def fills_are_in_the_order_of_the_broker(world: World) -> Complaints:
    """Of each client, whose executions the broker reports in their order.

    But for packets that overtake each other, another clock, and what a gateway has missed while it was cut off.
    """
    if world.plan.has(faults.LinkReorders, faults.GatewayClock, faults.Degraded):
        return
    newest: dict[int, Nanos] = {}
    for entry in world.log():
        if isinstance(entry, FillRecorded) and entry.execution.revision == 1:
            client, time = entry.execution.client_id, entry.execution.time
            if time < newest.get(client, 0):
                yield f"entry {entry.seq} has an execution of client {client} before which a later one is booked"
            newest[client] = max(time, newest.get(client, 0))


CHECKS: tuple[Callable[[World], Complaints], ...] = (
    nothing_was_seen_on_the_way,
    everybody_lives_and_trades,
    every_execution_is_in_the_log_once,
    fills_are_in_the_order_of_the_broker,
    every_adjustment_stands_for_a_transfer,
    every_stage_has_everything_in_order,
    books_equal_the_broker,
    every_order_has_one_intent_and_every_intent_one_end,
    risk_knows_the_truth,
    strategies_know_the_truth,
    every_dead_letter_has_a_crash_as_its_reason,
    nobody_failed_but_by_a_crash,
)


def complaints(world: World) -> list[str]:
    """All complaints of all checks, each with the name of its check; of a world in which not all live, only that."""
    found: list[str] = []
    for check in CHECKS:
        found += [f"{check.__name__}: {complaint}" for complaint in check(world)]
        if found and check is everybody_lives_and_trades and any(" is " in complaint for complaint in found):
            break
    return found


class Verdict(NamedTuple):
    """What became of one seed; `figures` are orders, executions, failures and boots, `crashes` counts by point."""

    complaints: list[str]
    figures: tuple[int, int, int, int]
    crashes: Counter[str]


def verdict(seed: int, plan: Plan | None = None) -> Verdict:
    """Run a seed and check it; an exception of the run is a complaint, too."""
    with make_world(seed, plan or drawn(seed)) as world:
        try:
            world.run()
            found = complaints(world)
        except Exception:
            found = [f"the run ended with {traceback.format_exc()}"]
        broker = world.broker
        figures = (len(broker.orders), len(broker.executions), len(world.failures), world.boots)
        return Verdict(found, figures, world.crashes)


def digest_of(seed: int) -> str:
    """A hash of every step that a seed takes."""
    with make_world(seed, drawn(seed)) as world:
        world.traced = True
        world.run()
        return world.digest
