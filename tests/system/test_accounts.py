"""Money in the running system: other currencies, what an account is worth, and equities that change while it trades."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from actors.messages.portfolio_manager import ReadAccount
from actors.messages.strategy_manager import ReadStrategies, StrategyTable
from mats.ledger.valuation.account_views import AccountView
from mats.store.tables.connection import lmdb_uri
from tests.patience import PATIENCE
from tests.system.harness import ACCOUNT, ROOT, until
from tests.system.inside import GatewayThread, System, running_system, write_strategies

EURO = """
from mats.strategy import Bar, Strategy


class Euro(Strategy):
    '''Holds a third of its equity in a share that is paid in euros.'''

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SAP.EUR"
        bar_seconds: int = 5

    params: Params

    def on_bar(self, bar: Bar) -> None:
        if not self.broker.positions():
            self.signal(bar.instrument, 1 / 3)
"""

TABLE = "\n".join(
    f'[[strategy]]\nname = "{name}"\nfile = "euro.py"\nclass_name = "Euro"\ntarget_weight = {weight}\nactive = true\n'
    for name, weight in (("euro", 0.5), ("calm", 0.25))
)


@contextmanager
def trading(folder: Path) -> Iterator[System]:
    """A system at a random market, in which one strategy trades in euros."""
    write_strategies(folder, TABLE, euro=EURO)
    gateway = GatewayThread(seed=4)
    try:
        with running_system(folder, gateway) as system:
            yield system
    finally:
        gateway.stop()


def account(system: System) -> AccountView:
    (view,) = system.names.portfolio.ask(ReadAccount(), timeout=PATIENCE)
    assert isinstance(view, AccountView)
    return view


def share(system: System, strategy: str) -> Decimal:
    """The net exposure of a strategy as a part of its equity; 0 while either is not known."""
    for line in account(system).strategies:
        if line.strategy == strategy and isinstance(line.result.net, Decimal) and line.equity:
            return line.result.net / line.equity
    return Decimal()


def equity(system: System, strategy: str) -> Decimal | None:
    return system.portfolio().equity.get(strategy)


def table(system: System) -> StrategyTable:
    answer = system.names.strategy_manager.ask(ReadStrategies(), timeout=PATIENCE)
    assert isinstance(answer, StrategyTable)
    return answer


def write(system: System, what: str, strategy: str, amount: str) -> None:
    """Another process writes to the store that the daemon has open."""
    uri = lmdb_uri(system.data / "arctic")
    command = [sys.executable, str(Path(__file__).with_name("write_tables.py")), uri, what, strategy, amount, ACCOUNT]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=PATIENCE)


def test_a_share_in_euros_is_sized_at_the_quoted_rate_and_equities_change_while_it_trades(tmp_path: Path) -> None:
    with trading(tmp_path) as system:
        until(lambda: abs(share(system, "euro") - Decimal(1) / 3) < Decimal("0.01"), PATIENCE, "a third in euros")
        assert account(system).missing == ()
        until(lambda: {"USD", "EUR"} <= account(system).cash.keys(), PATIENCE, "cash in both currencies")
        until(lambda: abs(account(system).deviation) < 50, PATIENCE, "own equity beside the broker's")  # type: ignore[arg-type]

        assert equity(system, "calm") != 4321
        write(system, "equity", "calm", "4321")
        until(lambda: equity(system, "calm") == 4321, PATIENCE, "the explicit equity")

        half = equity(system, "euro")
        assert half is not None
        write(system, "weight", "euro", "0.1")
        until(
            lambda: abs((equity(system, "euro") or half) * 5 - half) < half / 50,
            PATIENCE,
            "a fifth, by the changed weight",
        )

        write(system, "weight", "calm", "0.95")
        until(lambda: table(system).refused, PATIENCE, "the refusal")
        assert f"target weights of {ACCOUNT} sum to 1.05" in table(system).refused
        assert {record.name: record.target_weight for record in table(system).records} == {"euro": 0.1, "calm": 0.25}
        write(system, "weight", "calm", "0.9")
        until(lambda: not table(system).refused, PATIENCE, "the end of the refusal")
        summary, _ = system.finish()
        assert (summary.breaks, system.lost()) == (0, [])
        assert all(place.agrees for place in summary.positions) and summary.positions
