"""The page about the gateway says what the code does: every behavior with its plan, every fault, every option."""

import inspect
import tomllib
from pathlib import Path
from typing import get_args

from mats.cli.gateway import gateway
from mats.gateway.faults import fault_types, known_behaviors

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "gateway.md").read_text()


def formatted(value):
    """A value as a plan writes it, in short."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {formatted(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[…]" if value and isinstance(value[0], list) else str(value)
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def plan_of(fault):
    parts = [f"{name}={formatted(value)}" for name, value in fault.items() if name not in ("do", "text")]
    return " ".join([fault["do"], *parts])


def table():
    """The rows of the table, from their file."""
    source = Path(known_behaviors.__file__).with_suffix(".toml").read_text()
    for row in tomllib.loads(source)["row"]:
        plans = "; ".join(f"`{plan_of(fault)}`" for fault in row["fault"]).replace("|", "\\|")
        yield f"| {row['number']} | {row['name']} | {plans} | {row.get('always', '')} |"


def test_every_behavior_is_on_the_page_with_its_plan():
    rows = list(table())
    assert len(rows) == 63
    assert [row for row in rows if row not in PAGE] == []


def test_every_fault_is_on_the_page():
    names = [kind.__struct_config__.tag for kind in get_args(fault_types.AnyFault)]
    assert len(names) == 36
    assert [name for name in names if f"| `{name}`" not in PAGE] == []


def test_every_option_of_the_command_is_on_the_page():
    options = [f"--{name.replace('_', '-')}" for name in inspect.signature(gateway).parameters]
    assert [option for option in options if f"| `{option}" not in PAGE] == []
