"""Changes of the strategy table while strategies run: which apply at once, and which are rejected."""

from collections.abc import Collection, Iterable, Mapping

from mats.model import AccountId, StrategyName, StrategyRecord, TargetWeight, check_weights, exact

Records = Mapping[StrategyName, StrategyRecord]


def shares(records: Iterable[StrategyRecord]) -> tuple[TargetWeight, ...]:
    """The target weights that the records state."""
    return tuple(TargetWeight(record.name, record.account, exact(record.target_weight)) for record in records)


def check_change(
    old: Records, new: Records, wanted: Collection[StrategyName], allow_leverage: bool, first: AccountId
) -> None:
    """Raise ValueError with one sentence where `new` cannot take the place of `old` while the `wanted` ones run.

    `first` is the account of records that name none.
    """
    for name in sorted(wanted):
        if name not in new:
            raise ValueError(f"{name} runs and is not in the table; stop it first, or restore its row")
        if new[name].account != old[name].account:
            raise ValueError(
                f"{name} runs in another account than the table has; stop it first, or restore its account"
            )
    ending = turned_off(old, new, wanted)
    taking_part = (record for name, record in new.items() if record.active or (name in wanted and name not in ending))
    check_weights(shares(taking_part), allow_leverage, first)


def turned_on(
    old: Records, new: Records, wanted: Collection[StrategyName], down: Collection[StrategyName]
) -> list[str]:
    """The strategies to start: active since this change, or active and `down` for an error that it may have fixed."""
    return sorted(
        name
        for name, record in new.items()
        if record.active and name not in wanted and (name in down or name not in old or not old[name].active)
    )


def turned_off(old: Records, new: Records, wanted: Collection[StrategyName]) -> list[StrategyName]:
    """The strategies to stop: `wanted` ones that this change makes inactive; inactive ones started by hand go on."""
    return sorted(name for name in wanted if old[name].active and name in new and not new[name].active)


def differing(old: Records, new: Records) -> list[StrategyName]:
    """The strategies that were added, changed or removed."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
