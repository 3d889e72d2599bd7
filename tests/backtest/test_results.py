"""Stored results: whole or not at all, exactly as they were, and made again byte for byte."""

import re
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from mats import backtest
from mats.backtest.api import source_of
from mats.backtest.preparation import Request, instant, prepare
from mats.backtest.result import dataframes, storage
from mats.backtest.result.result import BacktestResult
from mats.backtest.result.storage import load_result, records, replace_result, store_result, verify
from mats.backtest.spec import ModelSettings
from mats.errors import UserError
from mats.report.stored_results import facts
from mats.risk import Limits
from mats.settings import load_settings
from mats.store.tables.backtests import BacktestLibrary, ResultError
from mats.store.tables.connection import lmdb_uri

STRATEGY = '''
from mats.strategy import Bar, Strategy


class Swing(Strategy):
    """Long one bar in `every`."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        every: int = 3
        fail_at: int = 0
        bar_seconds: int = 60

    params: Params

    def on_start(self) -> None:
        self.seen = 0

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        if self.seen == self.params.fail_at:
            raise RuntimeError("out of ideas")
        self.signal(bar.instrument, 0.5 if self.seen % self.params.every == 0 else 0.0)
'''


def write_bars(path: Path, count: int = 3_000, seed: int = 1) -> Path:
    random = np.random.default_rng(seed)
    close = np.round(100 + np.cumsum(random.normal(0, 0.05, count)), 2)
    opened = np.round(np.concatenate(([100.0], close[:-1])) + random.normal(0, 0.01, count), 2)
    high, low = np.maximum(opened, close) + 0.02, np.minimum(opened, close) - 0.02
    index = pd.date_range("2020-01-01", periods=count, freq="min", tz="UTC", name="timestamp")
    frame = pd.DataFrame({"open": opened, "high": high, "low": low, "close": close, "volume": 1e6}, index=index)
    path.parent.mkdir(exist_ok=True)
    frame.to_csv(path)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a strategy, bars and settings."""
    (tmp_path / "swing.py").write_text(STRATEGY)
    (tmp_path / "mats.toml").write_text(f'data_dir = "{tmp_path}/data"\n')
    write_bars(tmp_path / "bars/SPY.csv")
    return tmp_path


@pytest.fixture
def uri(place: Path) -> str:
    return lmdb_uri(place / "data/arctic")


def made(place: Path, **changes: object) -> BacktestResult:
    given = {"data": place / "bars", "config": place / "mats.toml", "description": "first", **changes}
    return backtest.run(f"{place}/swing.py", **given)


def test_a_stored_result_is_as_it_was(place: Path, uri: str) -> None:
    result = made(place, params={"every": 4})
    assert re.fullmatch(r"swing_\d{8}_first", result.name)
    store_result(uri, result)
    loaded = load_result(uri, result.name)
    assert loaded.record == result.record
    assert (loaded.run.fills, loaded.run.orders, loaded.run.trades) == (
        result.run.fills,
        result.run.orders,
        result.run.trades,
    )
    assert loaded.run.signals == result.run.signals
    assert len(result.trades) > 500
    for name, table in result.tables.items():
        assert dataframes.digest(loaded.tables[name]) == dataframes.digest(table), name
    assert dataframes.digest(BacktestLibrary(uri).piece(result.name, "trades")) == dataframes.digest(result.trades)
    assert loaded.record.spec.strategies[0].params == {"every": 4}


def test_a_result_can_be_used_in_a_notebook(place: Path) -> None:
    result = made(place)
    assert result.equity.iloc[-1] == result.metrics.final_equity
    assert result.equity.index.tz is not None
    assert result.drawdown.min() == pytest.approx(result.metrics.max_drawdown)
    assert result.trades["net"].sum() == pytest.approx(result.metrics.final_equity - 100_000, abs=20)
    assert result.positions["quantity"].iloc[-1] == result.positions["change"].sum()
    assert result.metrics.commissions == pytest.approx(result.fills["commission"].sum())
    html = result._repr_html_()
    assert result.name in html
    assert "Sharpe ratio" in html
    assert repr(result).startswith(f"<Result {result.name}: Final equity ")


def test_a_report_names_the_data_by_its_fingerprint(place: Path) -> None:
    result = made(place)
    assert re.fullmatch("[0-9a-f]{32}", result.record.data_fingerprint)
    assert ("Data fingerprint", result.record.data_fingerprint) in facts(result.record)


def test_a_name_that_exists_is_refused_or_replaced_as_asked(place: Path, uri: str) -> None:
    first, second = made(place), made(place, params={"every": 5})
    store_result(uri, first)
    with pytest.raises(ResultError, match=f"a result {first.name} exists; choose another --description, or replace it"):
        store_result(uri, second)
    assert load_result(uri, first.name).record == first.record
    replace_result(uri, second)
    assert load_result(uri, first.name).trades.equals(second.trades)
    assert [record.name for record in records(uri)[0]] == [first.name]


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("after", range(7))
def test_a_process_that_ends_between_two_writes_leaves_nothing_to_be_seen(
    place: Path, uri: str, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    write_bars(place / "bars/SPY.csv", count=200)
    first, second = made(place), made(place, params={"every": 5})
    other = made(place, description="other")
    store_result(uri, first)
    library = BacktestLibrary(uri)._open()
    written, original = [], type(library).write

    def write(self: object, symbol: str, *arguments: object, **more: object) -> object:
        if len(written) == after:
            raise Interrupted
        written.append(symbol)
        return original(self, symbol, *arguments, **more)

    monkeypatch.setattr(type(library), "write", write)
    complete = after >= len(storage.pieces(second)) + 1
    for attempt in (lambda: replace_result(uri, second), lambda: store_result(uri, other)):
        written.clear()
        if complete:
            attempt()
        else:
            with pytest.raises(Interrupted):
                attempt()
    monkeypatch.undo()
    assert BacktestLibrary(uri).names() == sorted([first.name, other.name] if complete else [first.name])
    assert load_result(uri, first.name).trades.equals((second if complete else first).trades)
    store_result(uri, made(place, description="third"))
    leftovers = [symbol for symbol in library.list_symbols() if symbol.startswith(f"{other.name}/")]
    assert bool(leftovers) == complete


def test_deleting_takes_the_pieces_along(place: Path, uri: str) -> None:
    result = made(place)
    store_result(uri, result)
    BacktestLibrary(uri).delete(result.name)
    assert BacktestLibrary(uri)._open().list_symbols() == []
    with pytest.raises(ResultError, match=f"there is no result {result.name}"):
        load_result(uri, result.name)


def test_what_else_lies_in_the_library_is_no_result(place: Path, uri: str) -> None:
    result = made(place)
    store_result(uri, result)
    BacktestLibrary(uri)._open().write("sweep_swing", pd.DataFrame({"x": [1.0]}))
    assert BacktestLibrary(uri).names() == [result.name]
    with pytest.raises(ResultError, match="sweep_swing is not the result of a backtest"):
        load_result(uri, "sweep_swing")


def test_a_record_of_another_version_is_named_and_the_others_are_read(place: Path, uri: str) -> None:
    result = made(place)
    store_result(uri, result)
    old = msgspec.json.encode(result.record).decode().replace('"created":', '"created":"then","was":')
    BacktestLibrary(uri).write("swing_19990101_old", result.metrics_table(), old, {})
    found, unreadable = records(uri)
    assert [record.name for record in found] == [result.name]
    assert len(unreadable) == 1
    for part in ("swing_19990101_old", "another version of MATS", "created", "delete it"):
        assert part in unreadable[0]


def test_verifying_runs_again_and_finds_the_same_bytes(place: Path, uri: str) -> None:
    result = made(place)
    store_result(uri, result)
    verdict = verify(uri, result.name)
    assert (verdict.same, verdict.differences, verdict.notes) == (True, (), ())


def test_bars_that_came_later_do_not_disturb_the_proof(place: Path, uri: str) -> None:
    result = made(place)
    store_result(uri, result)
    write_bars(place / "bars/SPY.csv", count=3_100)
    more = pd.read_csv(place / "bars/SPY.csv")
    assert len(more) == 3_100
    old = result.run.total.equity
    again = made(place).run.total.equity
    assert len(again) == len(old) + 100


def test_verifying_says_which_data_has_changed(place: Path, uri: str) -> None:
    result = made(place)
    store_result(uri, result)
    text = (place / "bars/SPY.csv").read_text().splitlines()
    text[100] = text[100].replace("1000000.0", "1000001.0")
    (place / "bars/SPY.csv").write_text("\n".join(text) + "\n")
    verdict = verify(uri, result.name)
    assert not verdict.same
    assert "the data of SPY in" in verdict.differences[0]


def test_verifying_names_the_first_difference_and_the_strategy_that_has_changed(place: Path, uri: str) -> None:
    result = made(place)
    store_result(uri, result)
    (place / "swing.py").write_text(STRATEGY.replace("0.5 if", "0.4 if"))
    verdict = verify(uri, result.name)
    assert verdict.notes == ("the file of strategy swing has changed since the run",)
    assert len(verdict.differences) == 2
    assert re.match(r"trades, row 1, quantity: \d+\.0 where \d+\.0 is stored", verdict.differences[0])
    assert verdict.differences[1].startswith("equity_curve, row ")


def test_a_run_that_fails_is_kept_up_to_there_and_marked(place: Path, uri: str) -> None:
    result = made(place, params={"fail_at": 1_000})
    store_result(uri, result)
    ((record,), _) = records(uri)
    assert record.state == "failed"
    for part in ("swing", "2020-01-01T16:40", "RuntimeError", "out of ideas"):
        assert part in record.failure
    loaded = load_result(uri, result.name)
    assert len(loaded.equity) == 1_000
    assert 0 < len(loaded.trades) < 400
    assert verify(uri, result.name).same


def test_the_data_of_the_store_and_of_its_files_give_the_same_run(place: Path, uri: str) -> None:
    from mats.data.importer import import_file
    from mats.store.tables.bars import BarStore

    import_file(BarStore(uri), place / "bars/SPY.csv")
    stored = made(place, data="store")
    assert dataframes.digest(stored.trades) == dataframes.digest(made(place).trades)
    store_result(uri, stored)
    assert verify(uri, stored.name).same


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"data": "nowhere"}, ("nowhere does not exist", "store")),
        ({"instruments": ["IBM"]}, ("no bars of IBM", "SPY", "name one of these")),
        ({"start": "2021-01-01"}, ("no bars of SPY from 2021-01-01", "2020-01-03", "correct --from and --to")),
        ({"start": "soon"}, ("time 'soon' cannot be read", "2013-10-04")),
        ({"bar_seconds": 45}, ("bars of 1min, which cannot build 45s", "--bar-seconds 60")),
        ({"params": {"speed": 1}}, ("no parameter 'speed'", "every")),
        ({"params": {"every": "often"}}, ("parameter 'every': expected int, got str 'often'",)),
        ({"description": "a b"}, ("description 'a b'", "letters")),
        ({"capital": "plenty"}, ("'plenty' is not a number",)),
        ({"benchmark": "QQQ"}, ("no bars of QQQ",)),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_sentence(
    place: Path, changes: dict[str, object], parts: tuple[str, ...]
) -> None:
    with pytest.raises((UserError, ValueError)) as refused:
        made(place, **changes)
    for part in parts:
        assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_several_instruments_of_a_strategy_of_one_are_several_strategies(place: Path) -> None:
    write_bars(place / "bars/IBM.csv", seed=2)
    request = Request(
        strategies=(f"{place}/swing.py",),
        instruments=("SPY", "IBM"),
        source=source_of(place / "bars", None, load_settings(place / "mats.toml", {})),
    )
    prepared = prepare(request, load_settings(place / "mats.toml", {}))
    assert [(r.name, r.params, r.target_weight) for r in prepared.spec.strategies] == [
        ("swing-SPY", {"instrument": "SPY"}, 0.5),
        ("swing-IBM", {"instrument": "IBM"}, 0.5),
    ]
    assert prepared.instruments == ("IBM", "SPY")


def test_parameters_of_one_strategy_are_named_with_it(place: Path) -> None:
    (place / "strategies.toml").write_text(
        "".join(
            f'[[strategy]]\nname = "{name}"\nfile = "{place}/swing.py"\nclass_name = "Swing"\n'
            f"target_weight = {weight}\n"
            for name, weight in (("a", 0.2), ("b", 0.6))
        )
    )
    request = Request(
        strategies=("a", "b"),
        params={"a.every": 7, "bar_seconds": 60},
        source=source_of(place / "bars", None, load_settings(place / "mats.toml", {})),
    )
    records = prepare(request, load_settings(place / "mats.toml", {})).spec.strategies
    assert [(r.name, r.params, r.target_weight) for r in records] == [
        ("a", {"every": 7, "bar_seconds": 60}, 0.25),
        ("b", {"bar_seconds": 60}, 0.75),
    ]
    with pytest.raises(UserError, match=r"strategy 'c' is not in .* \(it has a, b\)"):
        prepare(Request(strategies=("c",)), load_settings(place / "mats.toml", {}))


def test_a_split_multiplies_what_is_held_and_leaves_equity_where_it_was(place: Path) -> None:
    prices = [100.0] * 5 + [50.0] * 5
    index = pd.date_range("2020-01-02 15:00", periods=10, freq="min", tz="UTC", name="timestamp")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), prices), index=index)
    frame["volume"], frame["split"], frame["dividend"] = 1e6, [0] * 5 + [2] + [0] * 4, [0] * 7 + [0.25] + [0] * 2
    frame.to_csv(place / "bars/SPY.csv")
    every_change = Limits(least_change_share=Decimal(0))
    models = ModelSettings(fees="none", spread_ticks=0)
    result = made(place, params={"every": 1}, models=models, limits=every_change)
    assert result.positions["quantity"].tolist() == [500.0, 1_000.0, 1_002.0]
    assert result.cash_events[["kind", "amount"]].values.tolist() == [["dividend", 250.0]]
    assert result.equity.tolist() == [100_000.0] * 7 + [100_250.0] * 3
    assert result.metrics.dividends == 250.0
    assert result.metrics.benchmark_return == pytest.approx(2 * 0.25 / 100)


def test_a_run_that_starts_later_is_warmed_up_with_bars_before_it(place: Path) -> None:
    request = Request(
        strategies=("examples/ema_cross.py",),
        source=source_of(place / "bars", None, load_settings(place / "mats.toml", {})),
        start=instant("2020-01-02"),
        end=instant("2020-01-02T12:00:00+00:00"),
    )
    spec, data, _ = prepare(request, load_settings(place / "mats.toml", {}))
    assert data.bars["SPY"].start[0] == instant("2020-01-01T23:00:00Z")
    assert (spec.start, spec.end) == (instant("2020-01-02"), instant("2020-01-02T12:00"))
    assert data.bars["SPY"].end[-1] == spec.end


def test_pairs_that_tell_a_rate_are_taken_along(place: Path) -> None:
    for name in ("SAP.EUR", "EURUSD", "GBPUSD"):
        write_bars(place / f"bars/{name}.csv")
    request = Request(
        strategies=(f"{place}/swing.py",),
        source=source_of(place / "bars", None, load_settings(place / "mats.toml", {})),
        params={"instrument": "SAP.EUR"},
    )
    prepared = prepare(request, load_settings(place / "mats.toml", {}))
    assert sorted(prepared.data.bars) == ["EURUSD", "SAP.EUR"]
    assert prepared.instruments == ("SAP.EUR",)
    assert str(prepared.data.instruments["EURUSD"].tick_size) == "0.00005"


def test_given_values_can_be_the_benchmark(place: Path) -> None:
    index = pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-01-04"], tz="UTC")
    result = made(place, benchmark=pd.Series([200.0, 210.0, 190.0], index=index, name="index"))
    assert (result.record.benchmark, result.metrics.benchmark_return) == ("index", pytest.approx(0.05))
