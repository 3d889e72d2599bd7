"""The answers of the daemon as tables for a person. What is not known says `?`, never 0."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mats.ledger.books import Book
from mats.ledger.quarantine import QuarantineItem
from mats.ledger.reconciliation import Break, BreakState, describe
from mats.model import SECOND, Currency, OrderState, OrderView, iso, to_datetime
from mats.operator import protocol
from mats.store.journal import AuditLine


def status(answer: protocol.DaemonStatus) -> RenderableType:
    """Health first, then the strategies, the working orders, and every actor."""
    head = Text.assemble(
        (to_datetime(answer.time).strftime("%Y-%m-%d %H:%M:%S UTC"), "bold"),
        f"   log {_or_unknown(answer.entries)}   ",
        _compared(answer.breaks, answer.compared_seconds_ago),
        f"   {answer.dead_letters} dead letters",
    )
    notes = [Text(f"store: {answer.store}", "bold red")] if answer.store else []
    notes += [Text(f"clock: {answer.clock}", "bold yellow")] if answer.clock else []
    halted = [Text(f"HALTED {scope or 'all'}: {why}", "bold red") for scope, why in (answer.halts or {}).items()]
    if answer.halts is None:
        halted = [Text("halts unknown: the risk manager does not answer", "bold yellow")]
    accounts = [Text(f"{account} {_money(total)}") for account, total in (answer.equity or {}).items()]
    accounts += [Text(f"! {why}", "bold yellow") for why in (answer.overcommitted or {}).values()]
    if answer.starting:
        notes.insert(0, Text(f"starting: waits for {answer.starting}", "bold cyan"))
    if troubled := [view for view in answer.streams or () if view.fault]:
        count = f"{len(troubled)} of {len(answer.streams or ())} streams in trouble, see `mats streams`"
        notes.append(Text(f"market data: {count}", "bold yellow"))
    if answer.quarantined:
        notes.append(Text(f"quarantine: {answer.quarantined} open, see `mats quarantine`", "bold red"))
    if answer.history:
        notes.append(Text(f"history: {answer.history}", "dim"))
    return Group(head, *notes, *accounts, *halted, Text(), _strategies(answer), Text(), _orders(answer.orders), Text(),
                 _actors(answer))  # fmt: skip


def messages(answer: protocol.DaemonStatus) -> RenderableType:
    """For each actor and message class: how many, and how long they waited and took, mean and longest."""
    times = (">queue", ">longest", ">handling", ">longest")
    table = _table("Actor", "message", ">count", ">per second", ">waiting", *times)
    for line in answer.messages:
        table.add_row(
            line.name,
            line.message,
            f"{line.count:,}",
            f"{line.per_second:.1f}",
            f"{line.depth:,}",
            *_mean_and_longest(line.queue_ns, line.queue_max_ns, line.timed),
            *_mean_and_longest(line.handling_ns, line.handling_max_ns, line.timed),
        )
    return _or_none(table, "no message yet")


def _mean_and_longest(total_ns: int, longest_ns: int, timed: int) -> tuple[str, str]:
    return (_span(total_ns / timed), _span(longest_ns)) if timed else ("-", "-")


def _span(ns: float) -> str:
    return f"{ns / 1e3:,.0f} µs" if ns < 1e6 else f"{ns / 1e6:,.1f} ms" if ns < 1e9 else f"{ns / 1e9:,.2f} s"


def books(answer: protocol.BookLines) -> RenderableType:
    """One line a book, flat ones too."""
    names = ("Book", "account", "instrument", ">quantity", ">average cost", ">price", ">realized", ">unrealized",
             ">commissions", "currency")  # fmt: skip
    table = _table(*names)
    for book in answer.books:
        table.add_row(
            book.strategy,
            book.account,
            book.instrument,
            f"{book.quantity:f}",
            _money(book.average_cost, 4),
            _money(book.price, 4),
            _money(book.realized),
            _money(book.unrealized),
            _amounts(book.commissions),
            book.currency,
        )
    return _or_none(table, "no book yet")


def breaks(answer: protocol.BreakLines) -> RenderableType:
    """Each difference with both numbers and what is done about it; `mats breaks show ID` shows the evidence."""
    table = _table("Break", ">age", ">books", ">broker", ">difference", "state", "resolution")
    for found in (*answer.open, *answer.past):
        numbers = (f"{found.expected:f}", f"{found.broker:f}", f"{found.difference:+f}")
        table.add_row(found.id, f"{found.age(answer.time):.0f} s", *numbers, found.state.value,
                      answer.explained.get(found.id) or _resolution(found))  # fmt: skip
    agreed = "books = broker" if answer.compared_seconds_ago is not None else "not compared yet"
    return Group(_or_none(table, agreed), _ago(answer.compared_seconds_ago))


def orders(answer: protocol.OrderLines) -> RenderableType:
    """Each order with its state since when, why that is not known, and what the broker first said against it."""
    table = _table("Order", "strategy", "state", ">for", "order", ">filled", "note", "the broker said")
    for order in answer.orders:
        doubt = f"{order.state} {order.doubt}".strip()
        what = f"{order.side} {order.quantity:f} {order.instrument} {order.ticket.order_type}"
        lasts = f"{max(0, answer.time - order.updated) / SECOND:.0f} s"
        state = Text(doubt, style="bold red" if order.state is OrderState.UNKNOWN else "")
        table.add_row(order.intent_id, order.strategy, state, lasts, what, f"{order.filled:f}", order.note, order.said)
    table = _or_none(table, "no order works")
    if not any(order.state is OrderState.UNKNOWN for order in answer.orders):
        return table
    return Group(table, Text(f"! {UNKNOWN_ORDERS}", "bold yellow"))


def streams(answer: protocol.StreamLines) -> RenderableType:
    """Each stream with its state since when, what is wrong with it, and when it is asked for again."""
    table = _table("Instrument", "stream", "state", ">for", ">last", ">every", ">next try", "strategies", "reason")
    for view in answer.streams:
        table.add_row(
            view.instrument,
            str(view.stream),
            Text(view.state, style="bold red" if view.fault else ""),
            _seconds(view.seconds),
            _seconds(view.silence),
            _seconds(view.cadence),
            _seconds(view.next_try),
            ", ".join(view.strategies),
            view.reason,
        )
    return _or_none(table, "nothing is followed")


def _seconds(span: float | None) -> str:
    return "-" if span is None else f"{span:,.0f} s"


UNKNOWN_ORDERS = (
    "an UNKNOWN order counts as if it will fill, and its strategy takes no new risk there; the broker is asked until"
    " its answers prove the end (orders.proof_seconds); `mats orders settle ORDER --as cancelled|filled` ends it now"
)


def one_break(answer: protocol.BreakLines) -> RenderableType:
    """Everything about each, with its evidence."""
    lines = [describe(found, answer.time) for found in (*answer.open, *answer.past)]
    return Text("\n".join((*lines, *answer.explained.values())))


def equity(answer: protocol.EquityLines) -> RenderableType:
    table = _table("Strategy", "account", ">weight", ">equity")
    for line in answer.lines:
        table.add_row(line.strategy, line.account or "?", f"{line.weight:.0%}", _money(line.equity))
    return _or_none(table, "no strategy")


def done(answer: protocol.Done) -> RenderableType:
    return Text(answer.text)


def certificate(answer: protocol.Certificate) -> RenderableType:
    """What was cancelled, what was traded, what is flat, what remains and why."""
    lines = [Text(f"halted     {name}: `mats resume {name}` lets it trade again") for name in answer.halted]
    lines += [Text(f"cancelled  {_order(order)}") for order in answer.cancelled]
    lines += [Text(f"traded     {_order(order)}: {_filled(order)}") for order in answer.closing]
    lines += [Text(f"flat       {one.strategy} {one.instrument} in {one.account}", "green") for one in answer.flat]
    lines += [Text(f"remains    {one.what}: {one.why}", "bold red") for one in answer.remains]
    if not answer.remains:
        lines.append(Text("nothing remains", "bold green"))
    return Group(*lines)


def preview(answer: protocol.Preview) -> RenderableType:
    """Both books before and after, and the broker's total, which stays."""
    made = answer.assignment
    table = _table("Book", "", ">quantity", ">average cost", ">cost", ">realized")
    for before, after in zip(made.before, made.after, strict=True):
        table.add_row(before.strategy, "before", *_figures(before))
        table.add_row("", "after", *_figures(after))
    what = f"{made.instrument} in {made.account}, amounts in {made.currency}"
    total = f"{_or_unknown(answer.broker)} before and after"
    return Group(Text(what, "bold"), table, Text(f"broker's total: {total}", "dim"))


def netted(answer: protocol.NettedPreview) -> RenderableType:
    """Every holder's book before and after; the broker holds nothing."""
    table = _table("Book", "", ">quantity", ">average cost", ">cost", ">realized")
    for before, after in zip(answer.change.before, answer.change.after, strict=True):
        table.add_row(before.strategy, "before", *_figures(before))
        table.add_row("", "after", *_figures(after))
    return Group(table, Text("broker's total: 0 before and after", "dim"))


def quarantine(items: Iterable[QuarantineItem]) -> RenderableType:
    """Each item with what it concerns and why it is no fact; `mats quarantine show ID` shows its fields."""
    table = _table("Quarantine", "time", "kind", "instrument", "strategy", "why", "resolution")
    for item in items:
        whose = (item.instrument, item.strategy)
        table.add_row(item.id, iso(item.time), item.kind.value, *whose, item.fault, item.resolution or "open")
    return _or_none(table, "nothing is in quarantine")


def one_quarantined(item: QuarantineItem) -> RenderableType:
    """Everything about an item, as it was received."""
    waits = " and ".join(name for name in (item.instrument, item.strategy) if name)
    told = [
        f"{item.id}  {item.kind.value} from {item.source}, {iso(item.time)}",
        f"why        {item.fault}",
        f"means      {f'{waits} take no new risk until it is resolved' if waits else 'nothing waits for it'}",
        *(f"  {name} = {text}" for name, text in item.fields.items()),
        f"resolution {item.resolution or 'open'}",
    ]
    return Text("\n".join(told))


def audit(lines: Iterable[AuditLine]) -> RenderableType:
    table = _table("Time", "who", "what", "why", "outcome")
    for line in lines:
        table.add_row(iso(line.time), line.who, line.what, line.why, line.outcome or "interrupted, or in progress")
    return _or_none(table, "no command yet")


# Parts of the status


def _strategies(answer: protocol.DaemonStatus) -> Table:
    table = _table("Strategy", "state", ">weight", ">equity", "why")
    states = {actor.name: actor.state for actor in answer.actors}
    for line in answer.strategies or ():
        state = "fault" if line.fault else states.get(f"strategies/{line.name}", "off")
        halted = f"halted: {line.halt}" if line.halt else ""
        why = line.fault or "; ".join(filter(None, (line.waiting, halted or line.data)))
        table.add_row(line.name, state, f"{line.weight:.0%}", _money(line.equity), why)
    return _or_none(table, "none" if answer.strategies is not None else "unknown")


def _orders(orders: tuple[OrderView, ...] | None) -> Table:
    table = _table("Working order", "strategy", "state", "order", ">filled", "note")
    for order in orders or ():
        what = f"{order.side} {order.quantity:f} {order.instrument} {order.ticket.order_type}"
        said = "" if order.said in order.note else f"; the broker said {order.said}"
        state = f"{order.state} {order.doubt}".strip()
        table.add_row(order.intent_id, order.strategy, state, what, f"{order.filled:f}", f"{order.note}{said}")
    return _or_none(table, "none" if orders is not None else "unknown")


def _actors(answer: protocol.DaemonStatus) -> Table:
    table = _table("Actor", "state", ">waiting", ">restarts", "slow", "what is wrong")
    for actor in answer.actors:
        style = "" if actor.state == "running" else "bold red" if actor.state == "parked" else "yellow"
        state = Text(actor.state, style=style)
        behind = f"its mailbox is full: it lacks {actor.behind} ({actor.refused} refused)" if actor.behind else ""
        why = actor.parked or behind or actor.last_failure
        table.add_row(actor.name, state, str(actor.depth), str(actor.restarts), actor.slow, why)
    return table


def _compared(found: int | None, ago: float | None) -> Text:
    if found is None or ago is None:
        return Text("books not compared yet" if found is not None else "books unknown", style="bold yellow")
    verdict = Text("books = broker", "bold green") if not found else Text(f"{found} breaks", "bold red")
    return Text.assemble(verdict, f" ({ago:.0f} s ago)")


def _resolution(found: Break) -> str:
    if found.resolution:
        return found.resolution
    if found.state is BreakState.QUESTION:
        return f"is it {' or '.join(suspect.text for suspect in found.suspects)}? answer with `mats breaks answer`"
    if found.answer is not None:
        return f"being settled as {found.answer.text}"
    return "waiting for pending reports" if not found.booking_requests else "being booked to Discretionary"


# Formats


def _table(*columns: str) -> Table:
    """A column `>name` is aligned to the right; the heading of the first one is a title."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, column in enumerate(columns):
        table.add_column(Text(column.removeprefix(">"), style="bold cyan not dim" if not place else "dim"))
        table.columns[-1].justify = "right" if column.startswith(">") else "left"
    return table


def _or_none(table: Table, text: str) -> Table:
    if not table.row_count:
        table.add_row(Text(text, style="dim"))
    return table


def _money(amount: Decimal | None, digits: int = 2) -> str:
    return "?" if amount is None else f"{amount:,.{digits}f}"


def _or_unknown(number: Decimal | int | None) -> str:
    return "?" if number is None else f"{number:f}" if isinstance(number, Decimal) else str(number)


def _amounts(amounts: Mapping[Currency, Decimal]) -> str:
    return "  ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(amounts.items())) or "0"


def _figures(book: Book) -> tuple[str, str, str, str]:
    return f"{book.quantity:f}", _money(book.average_cost, 4), _money(book.cost, 4), _money(book.realized, 4)


def _order(order: OrderView) -> str:
    return f"{order.intent_id} {order.strategy} {order.side} {order.quantity:f} {order.instrument}"


def _filled(order: OrderView) -> str:
    at = f" at {order.average_price:,.4f}" if order.filled else ""
    return f"{order.state}, {order.filled:f} filled{at}{f' ({order.note})' if order.note else ''}"


def _ago(seconds: float | None) -> Text:
    return Text("" if seconds is None else f"compared {seconds:.0f} s ago", style="dim")
