"""Limits and the section of the settings that sets them: the same names, defaults and meanings."""

import msgspec
import pytest
from pydantic import ValidationError

from mats.risk.limits import UNLIMITED, Limits
from mats.settings import Settings


def test_every_limit_is_a_setting_with_its_default_and_meaning():
    section = type(Settings().risk).model_fields
    assert {name: field.default for name, field in section.items()} == msgspec.structs.asdict(Limits())
    assert all(field.description for field in section.values())


@pytest.mark.parametrize("name", Limits.__struct_fields__)
def test_the_least_changes_may_be_zero_and_every_other_limit_is_above_it(name):
    zero = {"risk": {name: 0}}
    if name in ("least_change_share", "least_change_value"):
        assert getattr(Settings.model_validate(zero).risk.limits(), name) == 0
    else:
        with pytest.raises(ValidationError, match="greater than 0"):
            Settings.model_validate(zero)
    with pytest.raises(ValidationError, match="greater than"):
        Settings.model_validate({"risk": {name: -1}})


def test_limits_of_a_stored_backtest_are_read_by_the_names_they_were_stored_under():
    stored = b'{"max_order_quantity": "7", "stale_after": 5.0, "rate_stale_after": 6.0}'
    limits = msgspec.json.decode(stored, type=Limits)
    assert (limits.max_order_quantity, limits.max_price_age_seconds, limits.max_rate_age_seconds) == (7, 5.0, 6.0)
    assert msgspec.json.decode(msgspec.json.encode(limits), type=Limits) == limits


def test_without_limits_the_age_of_data_and_the_least_change_count():
    kept = {name for name in Limits.__struct_fields__ if getattr(UNLIMITED, name) == getattr(Limits(), name)}
    ages, changes = {"max_price_age_seconds", "max_rate_age_seconds"}, {"least_change_share", "least_change_value"}
    assert kept == ages | changes
