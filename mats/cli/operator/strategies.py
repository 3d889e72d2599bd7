"""The command line of the strategy table: `mats strategies`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from mats.cli.options import Config, DataDir
from mats.errors import UserError
from mats.model import StrategyRecord, check_weights, read_records
from mats.runtime import SystemClock
from mats.settings import settings_of
from mats.store import data_directory
from mats.store.tables import Store, store_uri
from mats.strategy.hosting import shares


def strategies(
    load: Annotated[
        Path | None, typer.Option(help="TOML file whose [[strategy]] rows replace those of their name")
    ] = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Show the strategy table, one JSON line a row, and change it. The daemon must not run meanwhile."""
    settings = settings_of(config, data_dir=data_dir)
    changed = read_records(load) if load is not None else ()
    with data_directory(settings.data_dir):
        store = Store(store_uri(settings.store.uri, settings.data_dir))
        _check_weights(store, changed, settings.portfolio.allow_leverage)
        if rejects := store.write_strategies(changed, SystemClock().now()):
            raise UserError(*(f"a row could not be stored: {reject}; correct it" for reject in rejects))
        for record in store.read_strategies():
            print(msgspec.json.encode(record).decode())
        store.close()


def _check_weights(store: Store, changed: tuple[StrategyRecord, ...], allow_leverage: bool) -> None:
    """Check the weights of the active strategies of the table as it would be."""
    table = {record.name: record for record in (*store.read_strategies(), *changed)}
    try:
        check_weights(shares(record for record in table.values() if record.active), allow_leverage)
    except ValueError as error:
        raise UserError(f"nothing is stored: {error}") from None
