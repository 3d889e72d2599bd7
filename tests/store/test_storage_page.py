"""docs/storage.md names every table with its columns in their order, as mats/store/tables/schemas.py has them."""

import re
import sqlite3
from pathlib import Path

from mats.store.journal.journal import Journal
from mats.store.tables import schemas
from mats.store.tables.schemas import Schema

PAGE = (Path(__file__).parents[2] / "docs/storage.md").read_text()
SCHEMAS = {
    ("fills", "account"): schemas.FILLS,
    ("fill_corrections", "account"): schemas.FILL_CORRECTIONS,
    ("adjustments", "account"): schemas.ADJUSTMENTS,
    ("orders", "account"): schemas.ORDERS,
    ("trades", "account"): schemas.TRADES,
    ("portfolio", "account"): schemas.PORTFOLIO,
    ("portfolio_history", "account"): schemas.PORTFOLIO_HISTORY,
    ("positions/<STRATEGY>", "instrument"): schemas.POSITIONS,
    ("<account>", "account_summary"): schemas.ACCOUNT_SUMMARY,
    ("<account>", "strategy_<STRATEGY>_equity"): schemas.EQUITY,
    ("general", "strategies"): schemas.STRATEGIES,
    ("general", "instruments"): schemas.INSTRUMENTS,
    ("bars/<SIZE>", "instrument"): schemas.BARS,
    ("coverage/<SIZE>", "instrument"): schemas.COVERAGE,
    ("actions", "instrument"): schemas.ACTIONS,
}


def rows(section: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def listed(cell: str, known: dict[str, Schema]) -> list[str]:
    """The columns that a cell names: `x(_exact)` is two of them, remarks in brackets none."""
    names: list[str] = []
    for name in re.sub(r" \([^)]*\)", "", cell).split(", "):
        if other := re.fullmatch(r"those of `(\w+)`", name):
            names += known[other[1]].columns
        elif name.endswith("(_exact)"):
            names += [name.removesuffix("(_exact)"), name.replace("(_exact)", "_exact")]
        else:
            names.append(name)
    return names


def test_the_page_names_every_table_and_its_columns_in_order() -> None:
    known = {library: schema for (library, _), schema in SCHEMAS.items()}
    page = {
        (library.strip("`"), symbol.strip("`")): listed(columns, known)
        for library, symbol, _, columns, _ in rows("The tables")
        if library != "`backtests`"
    }
    assert page == {place: list(schema.columns) for place, schema in SCHEMAS.items()}


def test_no_schema_is_without_a_place_on_the_page() -> None:
    assert {id(s) for s in vars(schemas).values() if isinstance(s, Schema)} == {id(s) for s in SCHEMAS.values()}
    named = {library.strip("`").partition("/")[0] for library, *_ in rows("The tables")}
    assert named == schemas.LIBRARIES | {"<account>"}


def test_the_page_names_every_table_of_the_journal(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.db").close()
    with sqlite3.connect(tmp_path / "journal.db") as journal:
        made = {name for (name,) in journal.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    journal.close()
    assert {name for first, *_ in rows("The journal") for name in re.findall(r"`(\w+)`", first)} == made
