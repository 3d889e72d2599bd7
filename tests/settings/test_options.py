"""Options that go together: a struct of them is one parameter of a command."""

from typing import Annotated

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from mats.cli.options import grouped


class Spread(msgspec.Struct, frozen=True):
    wide: Annotated[bool, typer.Option("--wide", help="twice the spread")] = False
    ticks: Annotated[int, typer.Option(min=0, help="the spread")] = 1


@grouped
def quote(name: Annotated[str, typer.Argument()], spread: Spread, lots: Annotated[int, typer.Option()] = 7) -> None:
    """Show what was understood."""
    print(name, spread.ticks * (2 if spread.wide else 1), lots)


@pytest.mark.parametrize(
    ("arguments", "understood"),
    [("SPY", "SPY 1 7"), ("SPY --ticks 3 --wide", "SPY 6 7"), ("SPY --lots 2 --ticks 4", "SPY 4 2")],
)
def test_each_field_is_an_option_with_its_own_default(arguments: str, understood: str) -> None:
    app = typer.Typer()
    app.command()(quote)
    assert CliRunner().invoke(app, arguments.split()).output == f"{understood}\n"


def test_the_bounds_of_a_field_hold() -> None:
    app = typer.Typer()
    app.command()(quote)
    assert CliRunner().invoke(app, ["SPY", "--ticks", "-1"]).exit_code == 2


def test_a_call_from_python_may_leave_fields_out(capsys: pytest.CaptureFixture[str]) -> None:
    quote(name="SPY", lots=1)
    assert capsys.readouterr().out == "SPY 1 1\n"
