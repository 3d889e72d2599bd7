"""The summary at the end of a run, as tables."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from actors.screen.table_format import new_table, unknown
from mats.operator import Number, PositionResult, RunSummary, StrategyResult


def report(summary: RunSummary) -> RenderableType:
    """Totals, strategies, every position with its holders, and what needs attention."""
    alerts = [Text(f"parked  {name}: {why}", "bold red") for name, why in summary.parked.items()]
    alerts += [Text(f"fault   {name}: {why}", "red") for name, why in summary.faults.items()]
    alerts += [Text(f"{name} did not stop in time and was abandoned", "bold red") for name in summary.abandoned]
    tables = (_totals(summary), Text(), _strategies(summary.strategies), Text(), _positions(summary.positions))
    return Group(*tables, *alerts)


def _totals(summary: RunSummary) -> Table:
    table = new_table("Run", ">total", "")
    stored, broker = summary.fills_stored, summary.gateway_executions
    table.add_row("orders", str(summary.orders))
    table.add_row("fills", str(summary.fills), _match(stored, summary.fills, "in the store"))
    table.add_row("executions at the gateway", unknown() if broker is None else str(broker))
    for name, count in (
        ("breaks", summary.breaks),
        ("dead letters", summary.dead_letters),
        ("restarts", summary.restarts),
    ):
        table.add_row(name, Text(str(count), style="bold red" if count else "green"))
    return table


def _match(count: int | None, expected: int, where: str) -> Text:
    if count is None:
        return Text(f"unknown {where}", style="bold yellow")
    return Text(f"{count} {where}", style="green" if count == expected else "bold red")


def _strategies(lines: tuple[StrategyResult, ...]) -> Table:
    """In the base currency; realized is before commissions. A narrow terminal cuts the last column."""
    figures = (">equity", ">net", ">gross", ">realized", ">unrealized", ">commissions")
    table = new_table("Strategies", *figures, "account")
    for found in lines:
        exposure = (_figure(found.equity), _figure(found.net), _figure(found.gross))
        result = (_figure(found.realized, 2), _figure(found.unrealized, 2), _figure(found.commissions, 2))
        table.add_row(found.strategy, *exposure, *result, found.account)
    if not lines:
        table.add_row(Text("none", style="dim"))
    return table


def _figure(number: Number | None, digits: int = 0) -> Text:
    return unknown() if number is None else Text(f"{number:,.{digits}f}")


def _positions(lines: tuple[PositionResult, ...]) -> Table:
    table = new_table("Positions", "instrument", ">broker", "", ">Discretionary", "strategies")
    for place in lines:
        table.add_row(
            place.account,
            place.symbol,
            unknown() if place.broker is None else str(place.broker),
            Text("=", style="bold green") if place.agrees else Text("≠", style="bold red"),
            str(place.discretionary),
            "  ".join(f"{name} {quantity:+}" for name, quantity in place.strategies.items() if quantity) or "flat",
        )
    if not lines:
        table.add_row(Text("flat", style="dim"))
    return table
