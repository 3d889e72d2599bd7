"""The operator's live table on a terminal: a view of the system, drawn."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from actors.operator import View
from actors.portfolio_manager import Portfolio
from mats.ledger.book import Book, unrealized
from mats.model.money import exact
from mats.model.orders import OrderView
from mats.model.timestamp import Nanos, iso
from mats.runtime import ActorStatus

COLOURS = {"running": "green", "parked": "red", "backoff": "yellow", "starting": "cyan", "stopped": "dim"}
ORDERS_SHOWN = 8


def draw(view: View, now: Nanos, title: str) -> RenderableType:
    """Strategies, positions, orders, connections; what is not known says so."""
    portfolio = view.portfolio
    return Group(
        Text.assemble((title, "bold"), f"   {iso(now)}   ", *_health(view)),
        _strategies(view),
        Panel("the portfolio manager does not answer", style="red") if portfolio is None else _positions(portfolio),
        Panel("the order manager does not answer", style="red") if view.orders is None else _orders(view.orders),
        _actors(view.actors),
    )


def _health(view: View) -> Iterable[str | tuple[str, str]]:
    portfolio, progress = view.portfolio, view.progress
    if portfolio is None or progress is None:
        return [("unknown", "bold red")]
    equity = "  ".join(f"{a} {'?' if t is None else f'{t:,.2f}'}" for a, t in portfolio.totals.items())
    looked = portfolio.reconciled_seconds_ago
    agreed = "not compared yet" if looked is None else f"compared {looked:.0f} s ago"
    breaks = (f"{len(portfolio.breaks)} breaks", "bold red") if portfolio.breaks else ("books = broker", "bold green")
    letters = (f"   {view.dead_letters} dead letters", "red" if view.dead_letters else "dim")
    halted = [(f"   HALTED {scope or 'all'}: {why}", "bold red") for scope, why in (view.halts or {}).items()]
    return [f"{equity}   log {progress.last_seq}   ", breaks, f" ({agreed})", letters, *halted]


def _strategies(view: View) -> Table:
    table = _table("Strategies", "strategy", "state", "weight", "equity", "positions", "realised", "unrealised", "note")
    states = {actor.name.partition("/")[2]: actor for actor in view.actors if actor.name.startswith("strategies/")}
    records = view.strategies.records if view.strategies else ()
    faults = view.strategies.faults if view.strategies else {}
    for record in records:
        actor = states.get(record.name)
        state = actor.state if actor else ("fault" if record.name in faults else "off")
        note = faults.get(record.name) or (actor.parked or actor.last_failure if actor else "")
        books = [b for b in view.portfolio.books if b.strategy == record.name] if view.portfolio else []
        table.add_row(
            record.name,
            Text(state, style=COLOURS.get(state, "red")),
            f"{record.target_weight:.0%}",
            _amount(view.portfolio.equity.get(record.name) if view.portfolio else None),
            "  ".join(f"{b.instrument} {b.quantity:f}" for b in books if b.quantity) or "flat",
            f"{sum(b.realized for b in books):,.2f}",
            _unrealized(books, view.portfolio),
            Text(note[:60], style="red"),
        )
    return table


def _positions(portfolio: Portfolio) -> Table:
    table = _table("Positions", "account", "instrument", "strategies", "discretionary", "broker", "price", "")
    broker = {(p.account, p.instrument): p.quantity for p in portfolio.broker}
    places = sorted({(b.account, b.instrument) for b in portfolio.books} | broker.keys())
    for account, instrument in places:
        books = [b for b in portfolio.books if (b.account, b.instrument) == (account, instrument)]
        own = sum(b.quantity for b in books if b.strategy == "Discretionary")
        total = sum(b.quantity for b in books)
        held = broker.get((account, instrument), 0)
        price = portfolio.prices.get(instrument)
        mark = Text("=", style="green") if total == held else Text(f"≠ {total:f}", style="bold red")
        shown = f"{total - own:f}", f"{own:f}", f"{held:f}", "" if price is None else f"{price:,.4f}"
        table.add_row(account, instrument, *shown, mark)
    return table


def _orders(orders: Iterable[OrderView]) -> Table:
    ordered = sorted(orders, key=lambda order: order.updated, reverse=True)
    table = _table(f"Working orders ({len(ordered)})", "strategy", "order", "state", "filled", "note")
    for order in ordered[:ORDERS_SHOWN]:
        price = order.ticket.limit_price or order.ticket.stop_price or ""
        what = f"{order.side} {order.quantity:f} {order.instrument} {order.ticket.order_type} {price}"
        table.add_row(order.strategy, what, order.state, f"{order.filled:f}", order.note[:50])
    return table


def _actors(actors: Iterable[ActorStatus]) -> Table:
    table = _table("Actors", "actor", "state", "waiting", "restarts", "last failure")
    for actor in actors:
        if not actor.name.startswith("strategies/"):
            state = Text(actor.state, style=COLOURS.get(actor.state, "red"))
            table.add_row(actor.name, state, str(actor.depth), str(actor.restarts), actor.last_failure[:60])
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=True, box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, style="" if column else "bold", no_wrap=True)
    return table


def _unrealized(books: Iterable[Book], portfolio: Portfolio | None) -> str:
    if portfolio is None:
        return "?"
    held = [(book, portfolio.prices.get(book.instrument)) for book in books if book.quantity]
    if any(price is None for _, price in held):
        return "?"
    return f"{sum(unrealized(book, exact(price)) for book, price in held if price is not None):,.2f}"


def _amount(amount: object) -> str:
    return "?" if amount is None else f"{amount:,.0f}"
