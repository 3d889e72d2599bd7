"""The analysers find strategies that know the future or their beginning, and clear those that do not."""

import pytest

from mats.backtest.bias import look_ahead, warm_up
from tests.backtest.engine.made import market, record, spec_of, walk


@pytest.fixture(scope="module")
def data():
    return market(walk(1_500, 5))


@pytest.mark.parametrize(
    ("file", "class_name"),
    [
        ("examples/ema_cross.py", "EmaCross"),
        ("examples/ema_cross_declared.py", "EmaCrossIndicators"),
        ("examples/ema_cross_declared.py", "EmaCrossSignals"),
    ],
)
def test_a_causal_strategy_looks_nowhere_ahead(data, file, class_name):
    spec = spec_of(data, record(file=file, class_name=class_name, instrument="SYN", fast=5, slow=15))
    assert look_ahead(spec, data) == ()


def test_a_centred_mean_is_found_out(data):
    spec = spec_of(data, record(file="biased.py", class_name="Centred", instrument="SYN"))
    found = look_ahead(spec, data)
    assert found
    assert str(found[0]).startswith("strategy ema looks ahead: at 2020-09-13T")
    assert all(finding.time <= finding.cut for finding in found)


def test_a_strategy_that_settles_within_its_warmup_holds_the_same_from_the_first_bars_on(data):
    spec = spec_of(data, record(instrument="SYN", fast=2, slow=4, warmup=100))
    reports = warm_up(spec, data)
    assert [report.bars for report in reports] == [1_349, 1_049]
    assert all(report.settled is not None and report.settled <= 5 for report in reports)


def test_one_that_remembers_its_beginning_for_ever_is_told_so(data):
    spec = spec_of(data, record(file="biased.py", class_name="Remembers", instrument="SYN"))
    reports = warm_up(spec, data)
    assert any(report.different > 100 for report in reports)
