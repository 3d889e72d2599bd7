"""Settings under the names they had before: still read, and told, so that an upgrade stops nobody's trading."""

import logging
from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import TypeVar

from mats.errors import SettingsError

RENAMED = MappingProxyType(
    {
        "embedded": "paper_gateway",
        "gateway.connect_timeout": "gateway.connect_timeout_seconds",
        "gateway.replay_timeout": "gateway.snapshot_timeout_seconds",
        "gateway.heartbeat": "gateway.heartbeat_interval_seconds",
        "gateway.startup_timeout": "gateway.startup_timeout_seconds",
        "risk.stale_after": "risk.max_price_age_seconds",
        "risk.rate_stale_after": "risk.max_rate_age_seconds",
        "portfolio.reconcile_every": "portfolio.reconcile_interval_seconds",
        "portfolio.grace": "portfolio.break_confirmation_seconds",
        "backtest.participation": "backtest.max_volume_fraction",
        "backtest.latency": "backtest.latency_seconds",
        "store.keep_days": "store.journal_retention_days",
    }
)
"""Names that settings and sections had before, each with its present one; the meaning and the unit are the same."""

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]

V = TypeVar("V")

_log = logging.getLogger(__name__)


def with_present_names(content: dict[str, JsonValue], source: str) -> dict[str, JsonValue]:
    """`content` (nested, as the settings file is) with each old name replaced; `source` is where it stands, in words.

    Each replaced name is a warning in the log. Raises SettingsError where the old and the present name are both set.
    """
    result = deepcopy(content)
    for old, new in RENAMED.items():
        section, _, name = old.rpartition(".")
        table = result.get(section) if section else result
        if isinstance(table, dict) and name in table:
            _rename(table, name, new.rpartition(".")[2], f"in {source}, {old}", new)
    return result


def with_present_variables(variables: Mapping[str, str | None], prefix: str, delimiter: str) -> dict[str, str | None]:
    """Variables of the environment, by lower-case name, with those of an old section under its present name.

    Old names within a section are left to `with_present_names`. Raises SettingsError where both names are set.
    """
    result: dict[str, str | None] = dict(variables)
    for old, new in ((prefix + old, prefix + new) for old, new in RENAMED.items() if "." not in old):
        for variable in variables:
            if variable == old or variable.startswith(old + delimiter):
                present = new + variable[len(old) :]
                _rename(result, variable, present, f"the environment variable {variable.upper()}", present.upper())
    return result


def _rename(table: dict[str, V], old: str, new: str, setting: str, present: str) -> None:
    if new in table:
        raise SettingsError(f"{setting} is the former name of {present}, which is set too; remove the former")
    table[new] = table.pop(old)
    _log.warning("%s is now %s; the former name is still read, but rename it", setting, present)
