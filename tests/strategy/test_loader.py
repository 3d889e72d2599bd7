"""Loading: files, classes, parameters and the strategy table, and the sentence that each fault gets."""

import os
import sys
from decimal import Decimal

import pytest

from mats.model.strategy_table import StrategyRecord, read_records
from mats.strategy import Strategy, StrategyError
from mats.strategy.hosting.loader import load_class, make_runner
from mats.strategy.params import convert_params, parse_assignments

GOOD = """
from mats.strategy import Strategy

class Mine(Strategy):
    class Params(Strategy.Params, frozen=True):
        instrument: str
        fast: int = 5
        weights: dict[str, float] = {}

    params: Params

class Helper:
    pass
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(GOOD)
    return tmp_path


def test_a_class_is_found_by_name_and_by_absolute_path(folder):
    found = load_class("mine.py", "Mine", folder)
    assert issubclass(found, Strategy)
    same = load_class(str(folder / "mine.py"), "Mine", folder / "elsewhere")
    assert same.__module__ == found.__module__


def test_strategies_of_one_file_share_no_globals_and_each_load_begins_with_fresh_ones(folder):
    (folder / "mine.py").write_text(GOOD + "\nSEEN = []\nMine.seen = SEEN\n")
    one, two, again = (load_class("mine.py", "Mine", folder, owner) for owner in ("one", "two", "one"))
    one.seen.append(1)
    assert (two.seen, again.seen) == ([], [])
    assert len({one.__module__, two.__module__}) == 2


def test_loading_leaves_the_import_path_alone(folder):
    before = list(sys.path)
    load_class("mine.py", "Mine", folder)
    assert sys.path == before
    assert "mine" not in sys.modules


def test_a_changed_file_is_read_anew(folder):
    old = load_class("mine.py", "Mine", folder)
    path = folder / "mine.py"
    path.write_text(GOOD.replace("fast: int = 5", "fast: int = 6"))
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000))
    new = load_class("mine.py", "Mine", folder)
    assert new is not old
    assert new.Params(instrument="SPY").fast == 6


def test_packaged_examples_are_found_and_the_operators_file_comes_first(folder):
    assert load_class("examples/ema_cross.py", "EmaCross", folder).__name__ == "EmaCross"
    (folder / "examples").mkdir()
    (folder / "examples" / "ema_cross.py").write_text(GOOD)
    assert load_class("examples/ema_cross.py", "Mine", folder).__name__ == "Mine"


@pytest.mark.parametrize(
    ("file", "class_name", "text", "sentence"),
    [
        ("none.py", "Mine", None, r"none\.py not found at .*none\.py; check the path"),
        ("examples/none.py", "Mine", None, r"not found at .*none\.py or .*none\.py; check the path"),
        ("mine.py", "Yours", None, "has no class 'Yours'; it has Mine, name one of these"),
        ("mine.py", "Helper", None, "does not derive from Strategy in its class 'Helper'; it has Mine"),
        ("mine.py", "Strategy", None, "it has Mine"),
        ("bad.py", "Mine", "x = 1\ny = 1 / 0\n", "ZeroDivisionError at line 2: division by zero"),
        ("bad.py", "Mine", "x = 1\ndef :\n", "SyntaxError at line 2"),
        ("bad.py", "Mine", "import nothing_of_the_kind\n", "ModuleNotFoundError at line 1"),
        ("bad.py", "Mine", "raise SystemExit(3)\n", "SystemExit at line 1"),
        ("bad.txt", "Mine", "x = 1", "is not a Python file"),
        ("bad.py", "Mine", "x = 1", "has no class 'Mine'; it has no Strategy subclass"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_error(folder, file, class_name, text, sentence):
    if text is not None:
        (folder / file).write_text(text)
    with pytest.raises(StrategyError, match=sentence):
        load_class(file, class_name, folder)


def test_a_file_that_failed_once_can_be_fixed(folder):
    path = folder / "bad.py"
    path.write_text("1 / 0")
    stamp = path.stat().st_mtime_ns
    with pytest.raises(StrategyError):
        load_class("bad.py", "Mine", folder)
    path.write_text(GOOD)
    os.utime(path, ns=(stamp, stamp))
    assert load_class("bad.py", "Mine", folder).__name__ == "Mine"


def test_a_record_becomes_a_runner(folder, host):
    record = StrategyRecord(
        name="me", file="mine.py", class_name="Mine", params={"instrument": "SPY", "weights": {"SPY": 1}}
    )
    runner = make_runner(record, folder, host)
    assert runner.instruments == ("SPY",)
    assert runner.strategy.name == "me"
    assert runner.strategy.params.weights == {"SPY": 1.0}


class Typed(Strategy.Params, frozen=True):
    count: int
    share: float = 0.5
    tick: Decimal = Decimal("0.01")
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count {self.count} is negative")


def test_parameters_take_their_declared_types():
    params = convert_params(Typed, "s", {"count": 3, "share": 1, "tick": "0.05", "names": ["SPY", "IBM"]})
    assert params == Typed(count=3, share=1.0, tick=Decimal("0.05"), names=("SPY", "IBM"))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"count": "3"}, "strategy s: parameter 'count': expected int, got str '3'"),
        ({"count": 3.5}, "parameter 'count': expected int, got float 3.5"),
        ({"count": True}, "parameter 'count': expected int, got bool True"),
        ({"count": 1, "names": [1]}, r"parameter 'names': expected str, got list \[1\]"),
        ({"count": 1, "cuont": 2}, "strategy s has no parameter 'cuont'; it has count, share, tick, names"),
        ({}, "strategy s needs the parameter 'count'"),
        ({"count": -1}, "strategy s: its parameters are inconsistent: count -1 is negative"),
    ],
)
def test_parameters_that_do_not_fit_are_named(values, sentence):
    with pytest.raises(StrategyError, match=sentence):
        convert_params(Typed, "s", values)


HOSTILE = """
from mats.strategy import Strategy


class NoText(Exception):
    def __str__(self):
        return None


class {base}(BaseException):
    pass


{body}


class Mine(Strategy):
    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"

        def __post_init__(self):
            {params}
"""


@pytest.mark.parametrize(
    ("body", "params", "sentence"),
    [
        ("raise NoText", "pass", "does not import: NoText at line 14: <str of NoText raised TypeError>; fix the file"),
        ("raise Fatal", "pass", "does not import: Fatal at line 14"),
        ("import sys; sys.exit(3)", "pass", "does not import: SystemExit at line 14: 3"),
        ("", "raise ValueError(NoText())", "its parameters are inconsistent: <str of ValueError raised TypeError>"),
        ("", "1 / 0", "strategy me: its class or parameters raise ZeroDivisionError: division by zero"),
        ("", "raise NoText", "strategy me: its class or parameters raise NoText: <str of NoText raised TypeError>"),
    ],
)
def test_whatever_the_code_of_a_strategy_raises_when_it_is_loaded_is_one_sentence(folder, host, body, params, sentence):
    (folder / "hostile.py").write_text(HOSTILE.format(base="Fatal", body=body, params=params))
    with pytest.raises(StrategyError) as raised:
        make_runner(StrategyRecord(name="me", file="hostile.py", class_name="Mine"), folder, host)
    assert sentence in str(raised.value)


def test_assignments_of_the_command_line_read_as_toml_or_text():
    texts = ["fast=5", "share=0.5", "on=true", "instrument=SPY", 'names=["SPY", "IBM"]', "note=a=b"]
    values = {"fast": 5, "share": 0.5, "on": True, "instrument": "SPY", "names": ["SPY", "IBM"], "note": "a=b"}
    assert parse_assignments(texts) == values
    with pytest.raises(StrategyError, match="'fast' cannot be read; write name=value"):
        parse_assignments(["fast"])


ROW = '[[strategy]]\nname = "a"\nfile = "mine.py"\nclass_name = "Mine"\n'


def test_a_table_is_read_in_its_order(tmp_path):
    path = tmp_path / "strategies.toml"
    path.write_text(ROW + "target_weight = 0.5\nactive = false\n" + ROW.replace('"a"', '"b"') + 'account = "DU2"\n')
    first, second = read_records(path)
    assert first == StrategyRecord(name="a", file="mine.py", class_name="Mine", target_weight=0.5, active=False)
    assert (second.name, second.account, second.active, second.params) == ("b", "DU2", True, {})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ROW + "weight = 1\n", r"strategy 1 \(a\): unknown key 'weight'; use name, file"),
        (ROW + ROW.replace('"a"', '"A"'), "strategy 'A' appears twice"),
        (ROW + "target_weight = 1.5\n", "target_weight 1.5 is out of range"),
        (ROW + "target_weight = nan\n", "target_weight nan is out of range"),
        (ROW + 'target_weight = "much"\n', r"Expected `float`, got `str` - at `\$.target_weight`"),
        (ROW.replace('"a"', '"a:b"'), "name 'a:b' is invalid"),
        (ROW.replace('"a"', '"a.b"'), "name 'a.b' is invalid"),
        (ROW.replace('"a"', '"ä"'), "name 'ä' is invalid"),
        (ROW.replace('"a"', f'"{"a" * 21}"'), "is invalid"),
        (ROW.replace('"a"', '"discretionary"'), "is reserved"),
        (ROW.replace('"mine.py"', '""'), "is empty; give both"),
        ('[[strategy]]\nname = "a"\n', "missing required field `file`"),
        ("[[strategies]]\n", "has 'strategies'; use only"),
        ("strategy = 1\n", "has 'strategy'; use only"),
        ("[[strategy", "is not TOML"),
    ],
)
def test_a_table_with_a_fault_is_refused(tmp_path, text, sentence):
    path = tmp_path / "strategies.toml"
    path.write_text(text)
    with pytest.raises(StrategyError, match=sentence):
        read_records(path)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(StrategyError, match=r"cannot be read .*; create it"):
        read_records(tmp_path / "none.toml")


def test_the_default_table_loads_and_its_weights_fit(root, host):
    records = read_records(root / "config" / "strategies.toml")
    assert sum(record.target_weight for record in records if record.active) <= 1
    runners = [make_runner(record, root / "config" / "strategies", host) for record in records]
    assert {name for runner in runners for name in runner.instruments} == {"SPY", "IBM", "BAC", "AIG"}


def test_the_operators_example_loads(root, host):
    record = StrategyRecord(name="b", file="breakout.py", class_name="Breakout")
    runner = make_runner(record, root / "config" / "strategies", host)
    runner.start({})
    assert runner.instruments == ("QQQ",)
