"""When snapshots of a portfolio and figures of an account are worth a row."""

import pytest

from mats.model.timestamp import DAY, HOUR, MINUTE, SECOND
from mats.store.tables.snapshot_policy import (
    SnapshotInfo,
    has_changed,
    hourly_due,
    reconciled_due,
    summary_interval_over,
)

NOON = 1_700_000_000 * SECOND // DAY * DAY + 12 * HOUR


def summary(time=NOON, **figures):
    return {"currency": "USD", "net_liquidation": 1_000_000.0, "total_cash": 5_000.0, "leverage": 1.0,
            "gross_position_value": None, "event_time_utc": time} | figures  # fmt: skip


def test_every_hour_has_one_snapshot():
    assert hourly_due(None, NOON)
    assert not hourly_due(SnapshotInfo(NOON, 1, 0), NOON + HOUR - 1)
    assert hourly_due(SnapshotInfo(NOON, 1, 0), NOON + HOUR)


def test_an_agreement_is_kept_when_the_books_changed_since_the_last_one():
    last = SnapshotInfo(NOON, 7, 5)
    assert reconciled_due(None, 0, NOON)
    assert reconciled_due(last, 6, NOON + MINUTE)
    assert not reconciled_due(last, 5, NOON + MINUTE), "nothing has changed since"
    assert not reconciled_due(last, 6, NOON + SECOND), "too soon after the last one"


def test_figures_of_an_account_are_looked_at_once_a_minute():
    assert summary_interval_over(None, NOON)
    assert not summary_interval_over(summary(), NOON + MINUTE - 1)
    assert summary_interval_over(summary(), NOON + MINUTE)


def test_the_first_figures_of_a_day_are_stored_whatever_they_say():
    assert has_changed(None, summary())
    assert has_changed(summary(NOON), summary(NOON + DAY))
    assert not has_changed(summary(NOON), summary(NOON + HOUR))


@pytest.mark.parametrize(
    ("figures", "new"),
    [
        ({"total_cash": 5_000.01}, True),
        ({"net_liquidation": 1_000_500.0}, False),
        ({"net_liquidation": 1_002_000.0}, True),
        ({"leverage": 1.0005}, False),
        ({"leverage": 1.01}, True),
        ({"gross_position_value": 0.0}, True),
        ({"currency": "EUR"}, True),
    ],
)
def test_figures_say_something_new_when_cash_moved_or_another_one_by_a_thousandth(figures, new):
    assert has_changed(summary(), summary(NOON + MINUTE, **figures)) is new
