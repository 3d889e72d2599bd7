"""Target weights: which are accepted, each and in sum."""

from decimal import Decimal

import pytest

from mats.model.strategy_table import TargetWeight, check_weights


def test_weights_above_one_are_refused_unless_leverage_is_allowed() -> None:
    weights = (TargetWeight("a", "", Decimal("0.7")), TargetWeight("b", "", Decimal("0.4")))
    with pytest.raises(ValueError, match=r"weights of the first account sum to 1\.1 \(a 0\.7, b 0\.4\); lower them"):
        check_weights(weights, allow_leverage=False)
    check_weights(weights, allow_leverage=True)
    check_weights((TargetWeight("a", "", Decimal("0.7")), TargetWeight("b", "", Decimal("0.3"))), allow_leverage=False)


def test_weights_add_up_in_each_account_by_itself() -> None:
    weights = (TargetWeight("a", "", Decimal("0.7")), TargetWeight("b", "DU2", Decimal("0.7")))
    check_weights(weights, allow_leverage=False)
    check_weights(weights, allow_leverage=False, first="DU1")
    with pytest.raises(ValueError, match=r"weights of DU2 sum to 1\.4"):
        check_weights(weights, allow_leverage=False, first="DU2")


@pytest.mark.parametrize("weight", ["-0.1", "NaN"])
def test_a_weight_that_is_no_share_is_refused_with_leverage_too(weight: str) -> None:
    with pytest.raises(ValueError, match=f"target_weight {weight} of a is out of range"):
        check_weights((TargetWeight("a", "", Decimal(weight)),), allow_leverage=True)
