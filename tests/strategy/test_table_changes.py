"""A strategy table that changes while strategies run: taken as it is, or refused with one sentence."""

import pytest
from msgspec.structs import replace

from mats.model.strategy_table import StrategyRecord
from mats.strategy.hosting.table_changes import check_change, differing

OLD = {
    name: StrategyRecord(name=name, file="x.py", class_name="X", target_weight=0.4, active=name != "idle")
    for name in ("one", "two", "idle")
}


def change(allow_leverage: bool = False, running: str = "one", **rows: StrategyRecord | None) -> list[str]:
    """What changes when rows are replaced or (None) removed, while one strategy runs."""
    new = {name: record for name, record in {**OLD, **rows}.items() if record is not None}
    check_change(OLD, new, {running}, allow_leverage, "DU1")
    return differing(OLD, new)


def test_weights_may_change_and_strategies_come_and_go() -> None:
    assert change(one=replace(OLD["one"], target_weight=0.6)) == ["one"]
    assert change(two=None, three=replace(OLD["two"], name="three")) == ["three", "two"]
    assert change() == []


def test_weights_above_one_are_refused_but_those_that_take_no_part_do_not_count() -> None:
    assert change(idle=replace(OLD["idle"], target_weight=1.0)) == ["idle"]
    with pytest.raises(ValueError, match=r"target weights of DU1 sum to 1\.1 \(one 0\.7, two 0\.4\)"):
        change(one=replace(OLD["one"], target_weight=0.7))
    assert change(allow_leverage=True, one=replace(OLD["one"], target_weight=0.7)) == ["one"]


def test_one_that_was_started_by_hand_counts_though_it_is_not_active() -> None:
    with pytest.raises(ValueError, match=r"sum to 1\.1 \(one 0\.4, two 0\.4, idle 0\.3\)"):
        change(running="idle", idle=replace(OLD["idle"], target_weight=0.3))


def test_one_that_a_change_rests_makes_room() -> None:
    assert change(one=replace(OLD["one"], target_weight=0.7, active=False)) == ["one"]


def test_one_that_runs_can_neither_vanish_nor_move_to_another_account() -> None:
    with pytest.raises(ValueError, match="one runs and is not in the table; stop it first"):
        change(one=None)
    with pytest.raises(ValueError, match="one runs in another account than the table has; stop it first"):
        change(one=replace(OLD["one"], account="DU2"))
