"""The result of a backtest: metrics, tables, storage and benchmark."""

from mats.backtest.result import formatting
from mats.backtest.result.benchmark import Benchmark, given, hold, hold_all
from mats.backtest.result.dataframes import nanoseconds
from mats.backtest.result.formatting import Figure, TableRow, Value, minute
from mats.backtest.result.metric_names import Metrics
from mats.backtest.result.result import BacktestResult, Record, data_fingerprints, make_result, result_name
from mats.backtest.result.storage import (
    load_result,
    ranking,
    read_record,
    records,
    replace_result,
    store_result,
    verify,
)
from mats.backtest.result.text_view import metrics_grid, period, result_list, undefined_line

__all__ = [
    "BacktestResult",
    "Benchmark",
    "Figure",
    "Metrics",
    "Record",
    "TableRow",
    "Value",
    "data_fingerprints",
    "formatting",
    "given",
    "hold",
    "hold_all",
    "load_result",
    "make_result",
    "metrics_grid",
    "minute",
    "nanoseconds",
    "period",
    "ranking",
    "read_record",
    "records",
    "replace_result",
    "result_list",
    "result_name",
    "store_result",
    "undefined_line",
    "verify",
]
