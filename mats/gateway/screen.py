"""Renders the gateway for a terminal: clients, accounts, orders and armed faults."""

from itertools import islice

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mats.gateway.server import PaperGateway
from mats.model import iso
from mats.venue.matching import VenueOrder

ORDERS_SHOWN, FILLS_SHOWN = 8, 6


def render(gateway: PaperGateway) -> RenderableType:
    """The live table: clients, accounts, working orders, executions, armed faults."""
    clients = ", ".join(map(str, sorted(gateway.connected))) or "none"
    head = Text.assemble(
        ("paper gateway ", "bold"), f"{gateway.host}:{gateway.port}   {iso(gateway.clock.now())}   clients {clients}"
    )
    parts: list[RenderableType] = [head, _accounts(gateway), _orders(gateway), _fills(gateway)]
    armed = gateway.faults.armed
    if armed:
        names = ", ".join(type(fault).__name__ for fault in armed)
        parts.append(Text(f"{len(armed)} faults armed: {names}", style="yellow"))
    return Group(*parts)


def _accounts(gateway: PaperGateway) -> Table:
    table = _table("Accounts", "account", "equity", "cash", "positions")
    for name, account in gateway.account_service.accounts.items():
        valuation = gateway.account_service.valuation(account)
        held = "  ".join(f"{h.quantity:+f} {i}" for i, h in account.holdings.items() if h.quantity) or "flat"
        table.add_row(name, f"{valuation.equity:,.2f}", f"{valuation.cash:,.2f}", held)
    return table


def _orders(gateway: PaperGateway) -> Table:
    working = list(gateway.exchange.working())
    table = _table(
        f"Working orders ({len(working)})", "client", "order id", "perm id", "order", "price", "filled", "status"
    )
    for order in working[-ORDERS_SHOWN:]:
        description = f"{order.side} {order.quantity:f} {order.instrument} {order.order_type}"
        ids = (str(order.client_id), str(order.order_id), str(order.perm_id))
        table.add_row(*ids, description, _price(order), f"{order.filled:f}", order.status)
    return table


def _price(order: VenueOrder) -> str:
    return " / ".join(f"{price:f}" for price in (order.limit_price, order.stop_price) if price is not None) or "market"


def _fills(gateway: PaperGateway) -> Table:
    fills = gateway.faults.fills()
    table = _table(f"Executions ({len(fills)})", "time", "client", "order id", "execution", "price", "reference")
    for fill in islice(reversed(fills), FILLS_SHOWN):
        description = f"{fill.side} {fill.quantity:f} {fill.instrument}"
        table.add_row(
            iso(fill.time), str(fill.client_id), str(fill.order_id), description, f"{fill.price:f}", fill.order_ref
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", expand=True, box=None)
    for column in columns:
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    return table
