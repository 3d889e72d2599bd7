"""The operator's live table on a terminal, drawn to fit.

What is not known is `?` or `unknown`, never 0. A section that is cut says how many rows it leaves out.
"""

from collections.abc import Iterable
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from actors.screen.snapshot import SystemSnapshot, state_of, waiting_for
from actors.screen.table_format import amount, exposure, fitting, gain, gains, line, new_table, unknown
from mats.ledger.valuation import AccountView, TradingResult, results_of
from mats.model import DISCRETIONARY, Nanos, OrderState, to_datetime
from mats.runtime import ActorStatus

COLORS = {"running": "green", "parked": "bold red", "backoff": "yellow", "starting": "cyan", "stopped": "dim"}
MIN_ROWS, MAX_ALERTS = 3, 4
BUSY_DEPTH = 1_000


def draw(view: SystemSnapshot, now: Nanos, height: int) -> RenderableType:
    """The whole screen: health, alerts, strategies, positions, connections; orders take the lines that are left."""
    top = [_head(view, now), *_health(view), *_alerts(view, now)]
    left = height - len(top) - 6
    strategies = _strategies(view, max(MIN_ROWS, left // 2))
    positions = _positions(view, max(MIN_ROWS, left - strategies.row_count - MIN_ROWS - 1))
    orders = _orders(view, max(1, left - strategies.row_count - positions.row_count - 1))
    return Group(*top, Text(), strategies, Text(), positions, Text(), orders, Text(), _footer(view.actors))


# The top


def _head(view: SystemSnapshot, now: Nanos) -> Text:
    moment = to_datetime(now).strftime("%Y-%m-%d %H:%M:%S UTC")
    waiting = waiting_for(view)
    state = ("running", "bold green") if not waiting else (f"starting: {waiting}{_since(view)}", "bold cyan")
    return line(("MATS", "bold"), f"   {moment}   ", state)


def _since(view: SystemSnapshot) -> str:
    """How long the start is in its present phase, and what of it can be counted."""
    if not view.start.waiting:
        return ""
    return ", ".join(filter(None, (f", {view.start.seconds:.0f} s", view.start.counted)))


def _health(view: SystemSnapshot) -> list[Text]:
    portfolio, progress = view.portfolio, view.progress
    letters = (f"   {view.dead_letters} dead letters", "red" if view.dead_letters else "dim")
    halted = [line((f"store: {progress.store}", "bold red"))] if progress and progress.store else []
    halted += [line((f"clock: {progress.clock}", "bold yellow"))] if progress and progress.clock else []
    if progress and progress.quarantined:
        halted.append(line((f"quarantine: {progress.quarantined} open, see `mats quarantine`", "bold red")))
    halted += [line((f"HALTED {scope or 'all'}: {why}", "bold red")) for scope, why in (view.halts or {}).items()]
    if view.halts is None:
        halted.append(line(("halts unknown: the risk manager does not answer", "bold yellow")))
    if portfolio is None:
        return [line(("books unknown: the portfolio manager does not answer", "bold yellow"), letters), *halted]
    ago = portfolio.reconciled_seconds_ago
    compared = "not compared yet" if ago is None else f"compared {ago:.0f} s ago"
    books = (
        ("books = broker", "bold green") if not portfolio.breaks else (f"{len(portfolio.breaks)} breaks", "bold red")
    )
    entries = f"log {'?' if progress is None else progress.last_seq}   "
    shown = ("books unknown", "bold yellow") if ago is None else books
    return [*_accounts(view.accounts or ()), line(entries, shown, f" ({compared})", letters), *halted]


def _accounts(views: Iterable[AccountView]) -> list[Text]:
    """Equity, exposure and P&L; and what is missing."""
    lines = []
    for seen in views:
        money = Text.assemble((f"{seen.account} ", "bold"), amount(seen.equity, ",.2f"), f" {seen.base}")
        risk = Text.assemble("   exposure ", exposure(seen.result), "   P&L ", gain(seen.result.net_pnl))
        missing = Text("".join(f"   {reason}" for reason in seen.missing[:1]), "yellow")
        lines.append(line(money, risk, missing))
    return lines


def _alerts(view: SystemSnapshot, now: Nanos) -> list[Text]:
    """What needs attention, the worst first: parked actors, breaks, faults, failing actors."""
    lines = [line((f"parked  {a.name}: {a.parked}", "bold red")) for a in view.actors if a.state == "parked"]
    for found in view.portfolio.breaks if view.portfolio else ():
        what = f"{found.account} {found.instrument}: broker {found.broker:f}, books {found.expected:f}"
        lines.append(line((f"break   {what}, for {found.age(now):.0f} s", "bold red")))
    for order in view.orders or ():
        if order.state is OrderState.UNKNOWN:
            what = f"{order.intent_id} of {order.strategy} in {order.instrument}: {order.said or order.note}"
            lines.append(line((f"unknown {what}; mats orders", "bold red")))
    if view.strategies is not None and view.strategies.refused:
        lines.append(line((f"table   rejected: {view.strategies.refused}", "bold red")))
    for name, fault in (view.strategies.faults if view.strategies else {}).items():
        lines.append(line((f"fault   {name}: {fault}", "red")))
    for name, reason in (view.strategies.waiting if view.strategies else {}).items():
        lines.append(line((f"waits   {name} {reason}", "yellow")))
    lines += [line((f"data    {stream.fault}", "yellow")) for stream in view.streams or () if stream.fault]
    failing = [actor for actor in view.actors if actor.state not in ("running", "parked") and actor.last_failure]
    lines += [line((f"{actor.state:7} {actor.name}: {actor.last_failure}", "yellow")) for actor in failing]
    more = len(lines) - MAX_ALERTS
    return [*lines[:MAX_ALERTS], *([line((f"… {more} more", "yellow"))] if more > 0 else [])]


# The tables


def _strategies(view: SystemSnapshot, room: int) -> Table:
    columns = ("state", ">weight", ">equity", ">exposure", ">realized", ">unrealized", "positions")
    table = new_table("Strategies", *columns)
    results = results_of(view.accounts or ())
    actors = {actor.name: actor for actor in view.actors}
    records = view.strategies.records if view.strategies else ()
    for record in fitting(table, records, room):
        state = "fault" if view.strategies and record.name in view.strategies.faults else state_of(actors, record.name)
        restarts = actors[f"strategies/{record.name}"].restarts if f"strategies/{record.name}" in actors else 0
        shown = Text(f"{state} ↻{restarts}" if restarts else state, style=COLORS.get(state, "red"))
        result = results.get(record.name, TradingResult()) if view.accounts else None
        money = exposure(result), *gains(result)
        equity, held = unknown(), unknown()
        if (portfolio := view.portfolio) is not None:
            books = [book for book in portfolio.books if book.strategy == record.name]
            equity = amount(portfolio.equity.get(record.name))
            listed = "  ".join(f"{book.instrument} {book.quantity:+f}" for book in books if book.quantity)
            held = Text(listed or "flat")
        table.add_row(record.name, shown, f"{record.target_weight:.0%}", equity, *money, held)
    if not records:
        table.add_row(Text("unknown" if view.strategies is None or not view.strategies.loaded else "none", style="dim"))
    return table


def _positions(view: SystemSnapshot, room: int) -> Table:
    table = new_table("Positions", "instrument", ">broker", "", ">books", ">Discretionary", ">price", "strategies")
    if (portfolio := view.portfolio) is None or portfolio.reconciled_seconds_ago is None:
        table.add_row(Text("unknown", style="dim"))
        return table
    broker = {(p.account, p.instrument): p.quantity for p in portfolio.broker}
    for account, instrument in fitting(table, sorted({b.key[::2] for b in portfolio.books} | broker.keys()), room):
        books = [book for book in portfolio.books if (book.account, book.instrument) == (account, instrument)]
        own = sum((book.quantity for book in books if book.strategy == DISCRETIONARY), Decimal())
        total, held = sum((book.quantity for book in books), Decimal()), broker.get((account, instrument), Decimal())
        price = portfolio.prices.get(instrument)
        table.add_row(
            account,
            instrument,
            f"{held:f}",
            Text("=", style="bold green") if total == held else Text("≠", style="bold red"),
            f"{total:f}",
            Text(f"{own:f}", style="yellow" if own else "dim"),
            unknown() if price is None else f"{price:,.4f}",
            "  ".join(f"{b.strategy} {b.quantity:+f}" for b in books if b.quantity and b.strategy != DISCRETIONARY),
        )
    if not table.row_count:
        table.add_row(Text("flat", style="dim"))
    return table


def _orders(view: SystemSnapshot, room: int) -> Table:
    table = new_table("Working orders", "state", "order", ">filled", "note")
    if view.orders is None:
        table.add_row(Text("unknown: the order manager does not answer", style="bold yellow"))
        return table
    for order in fitting(table, sorted(view.orders, key=lambda order: order.updated, reverse=True), room):
        price = order.ticket.limit_price or order.ticket.stop_price or ""
        what = f"{order.side} {order.quantity:f} {order.instrument} {order.ticket.order_type} {price}"
        state = Text(order.state, style="bold red" if order.state == OrderState.UNKNOWN else "")
        table.add_row(order.strategy, state, what, f"{order.filled:f}", order.note)
    if not view.orders:
        table.add_row(Text("none", style="dim"))
    return table


def _footer(actors: Iterable[ActorStatus]) -> Text:
    """Connections one by one, and how many other actors run: those that need attention are named."""
    text = Text("Connections  ", style="bold cyan", no_wrap=False)
    others = [actor for actor in actors if not actor.name.startswith(("brokers/ib-", "strategies/"))]
    for actor in sorted((a for a in actors if a.name.startswith("brokers/ib-")), key=lambda a: int(a.name[11:])):
        text.append(_actor(actor, actor.name[8:]))
    text.append("\nActors       ", style="bold cyan")
    running = sum(actor.state == "running" for actor in others)
    text.append(f"{running}/{len(others)} running   ", style="not bold default")
    for actor in others:
        if actor.state != "running" or actor.restarts or actor.depth > BUSY_DEPTH:
            text.append(_actor(actor, f"{actor.name}{f' ({actor.depth} waiting)' if actor.depth > BUSY_DEPTH else ''}"))
    return text


def _actor(actor: ActorStatus, name: str) -> Text:
    mark = "" if actor.state == "running" else f" {actor.state}"
    restarts = f" ↻{actor.restarts}" if actor.restarts else ""
    return Text(f"{name}{mark}{restarts}   ", style=f"not bold {COLORS.get(actor.state, 'red').removeprefix('bold ')}")
