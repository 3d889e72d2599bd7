"""Rows of the strategy table: where a strategy runs."""

from pathlib import Path

import pytest

from mats.errors import StrategyError
from mats.model.strategy_table import Host, StrategyRecord, read_records


def record(**given: object) -> StrategyRecord:
    return StrategyRecord(name="one", file="one.py", class_name="One", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "default", "host"),
    [
        ({}, "thread", "thread"),
        ({}, "process", "process"),
        ({"host": "thread"}, "process", "thread"),
        ({"process": "pair"}, "thread", "process"),
        ({"memory_mb": 100}, "thread", "process"),
    ],
)
def test_a_row_says_where_it_runs_and_a_process_or_a_limit_says_it_too(
    given: dict[str, object], default: Host, host: Host
) -> None:
    assert record(**given).host_or(default) == host


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"host": "elsewhere"}, "host 'elsewhere' is unknown; use thread or process"),
        ({"process": "a b"}, "process 'a b' is invalid"),
        ({"memory_mb": -1}, "memory_mb -1 is out of range"),
        ({"host": "thread", "memory_mb": 1}, 'set host = "process"'),
        ({"host": "thread", "process": "pair"}, 'set host = "process"'),
    ],
)
def test_a_place_that_cannot_be_is_refused_in_one_sentence(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        record(**given)


def test_strategies_of_one_process_give_it_one_limit(tmp_path: Path) -> None:
    row = '[[strategy]]\nname = "{}"\nfile = "x.py"\nclass_name = "X"\nprocess = "pair"\nmemory_mb = {}\n'
    (tmp_path / "table.toml").write_text(row.format("one", 100) + row.format("two", 200))
    with pytest.raises(StrategyError, match="process 'pair' has two limits of memory, 100 and 200"):
        read_records(tmp_path / "table.toml")
