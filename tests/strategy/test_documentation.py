"""docs/strategies.md: what it shows is what runs."""

import re

import msgspec
import pytest

from mats.model.market_data import Bar
from mats.model.orders import OrderRequest, OrderState
from mats.model.strategy_table import read_records
from mats.model.timestamp import SECOND
from mats.risk import RejectionCode
from mats.strategy import StrategyError
from mats.strategy.hosting.loader import load_class, make_runner
from mats.strategy.hosting.runner import StrategyRunner

START = 1_700_060_100 * SECOND


@pytest.fixture
def page(root) -> str:
    return (root / "docs" / "strategies.md").read_text(encoding="utf-8")


@pytest.fixture
def files(page, tmp_path):
    """The strategy files of the page, written to a folder as the page says."""
    for name, text in re.findall(r"```python file=(\S+)\n(.*?)```", page, re.DOTALL):
        (tmp_path / name).write_text(text)
    return tmp_path


def price_bars(*prices: float) -> list[Bar]:
    return [Bar("SPY", START + i * 15 * SECOND, 15, p, p, p, p, 100.0) for i, p in enumerate(prices)]


def test_the_table_and_the_file_of_the_page_make_a_strategy(page, files, host):
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (files / "strategies.toml").write_text(text)
    (record,) = read_records(files / "strategies.toml")
    runner = make_runner(record, files, host)
    assert (runner.instruments, runner.bar_seconds, runner.warmup) == (("QQQ",), 15, 10)
    assert runner.strategy.params.length == 5


def test_the_errors_of_the_page_are_the_ones_given(page, files, host):
    dip = load_class("dip.py", "Dip", files)
    for params in ({"length": "5"}, {"lenght": 5}):
        with pytest.raises(StrategyError) as caught:
            StrategyRunner(dip, "dip", params, host)
        assert f"{caught.value}\n" in page


def test_the_test_of_the_page_passes(page, files, host):
    (code,) = re.findall(r"```python run\n(.*?)```", page, re.DOTALL)
    names = {"StrategyRunner": StrategyRunner, "Bar": Bar, "START": START, "SECOND": SECOND, "host": host}
    exec(code, {**names, "Dip": load_class("dip.py", "Dip", files)})
    assert len(host.asked) == 2


def test_the_bracket_enters_follows_protects_and_leaves(files, filling_host):
    host = filling_host()
    host.runner = StrategyRunner(load_class("orders.py", "Bracket", files), "b", {}, host)
    host.runner.start({})
    host.modify = host.asked.append
    for bar in price_bars(100.0, 100.2, 98.9):
        host.feed(bar)
    entry, change, protection = host.asked
    assert (entry.ticket.limit_price, str(change.limit_price), host.fills[0].execution.quantity) == (99, "99.7", 500)
    assert (protection.ticket.stop_price, protection.quantity, protection.side) == (94, 500, "SELL")
    host.runner.stop()
    assert isinstance(host.asked[-1], OrderRequest)
    assert [type(asked).__name__ for asked in host.asked[3:]] == ["CancelRequest", "OrderRequest"]


def test_the_bracket_logs_why_it_was_rejected(files, host, view):
    runner = StrategyRunner(load_class("orders.py", "Bracket", files), "b", {}, host)
    runner.start({})
    runner.order_status(msgspec.structs.replace(view("i1", OrderState.REJECTED), note="HALTED"))
    assert host.lines == [("warning", "i1 was rejected: HALTED")]


def test_the_daily_strategy_trades_at_its_hours(files, host):
    runner = StrategyRunner(load_class("daily.py", "Daily", files), "d", {}, host)
    runner.start({})
    midnight = 1_710_129_600 * SECOND  # Monday 2024-03-11 04:00 UTC, midnight in New York
    runner.clock(midnight)
    for minute in range(24 * 60):
        runner.clock(midnight + minute * 60 * SECOND)
    hours = [((s.time - midnight) // (60 * SECOND), s.strength, s.reason) for s in host.asked]
    assert hours == [(9 * 60 + 31, 0.5, "open"), (15 * 60 + 55, 0, "close")]
    assert len(host.lines) == 95


def test_every_setting_and_hook_of_the_page_exists(page, files):
    dip = load_class("dip.py", "Dip", files)
    hooks = set(re.findall(r"`(on_\w+)", page))
    assert hooks >= {"on_start", "on_bar", "on_bars", "on_tick", "on_fill", "on_order_status", "on_timer"}
    assert all(hasattr(dip, hook) for hook in hooks)
    defaults = dict(re.findall(r"^\| `(\w+)` \|.*\| `?(\w+)`? \|$", page, re.MULTILINE))
    settings = {"bar_seconds", "session", "ticks", "warmup", "history_length"}
    assert {name: str(getattr(dip, name)) for name in settings} == {name: defaults[name] for name in settings}


def test_the_bracket_of_the_page_is_one_request(files, host):
    runner = StrategyRunner(load_class("bracketed.py", "Bracketed", files), "b", {}, host)
    runner.start({})
    for bar in price_bars(100.0, 100.0):
        runner.bar(bar)
    request, *again = host.asked
    assert (str(request.ticket.limit_price), request.size, len(again)) == ("99.9", 0.5, 1)
    assert [str(c.ticket.stop_price or c.ticket.limit_price) for c in request.children] == ["99.4", "100.9"]
    assert runner.strategy.orders.stop_loss == "i2.stop"


def test_the_codes_of_the_page_are_all_there_are(page):
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(code.value, code.meaning) for code in RejectionCode]


def test_a_strategy_matches_on_the_code_of_a_rejection(files, host, view):
    runner = StrategyRunner(load_class("rejections.py", "Patient", files), "p", {}, host)
    runner.start({})
    bars = iter(price_bars(*map(float, range(100, 108))))

    def asked_after(code):
        rejected = msgspec.structs.replace(view("i1", OrderState.REJECTED), code=code)
        runner.order_status(rejected)
        host.asked.clear()
        runner.bar(next(bars))
        return len(host.asked)

    runner.bar(next(bars))
    assert [asked_after(code) for code in ("STALE_DATA", "HALTED", "NO_PRICE", "")] == [1, 0, 1, 0]


def test_the_declared_strategies_of_the_page_ask_for_the_same(files, host):
    asked = []
    for class_name in ("AboveMean", "AboveMeanSignals"):
        host.asked.clear()
        runner = StrategyRunner(load_class("declared.py", class_name, files), "declared", {}, host)
        runner.start({})
        for bar in price_bars(100.0, 101.0, 102.0, 99.0, 98.0, 103.0):
            runner.bar(bar)
        asked.append([(signal.strength, signal.time) for signal in host.asked])
    assert [strength for strength, _ in asked[0]] == [0.5, 0.0, 0.5]
    assert asked[0] == asked[1]
