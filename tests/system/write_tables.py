"""An operator's notebook beside the running daemon: writes an explicit equity, or changes a weight, in the store."""

import sys
from decimal import Decimal

from msgspec.structs import replace

from mats.runtime import SystemClock
from mats.store.tables.store import Store


def main(uri: str, what: str, strategy: str, amount: str, account: str) -> None:
    store, now = Store(uri), SystemClock().now()
    if what == "equity":
        rejects = store.append_strategy_equity(account, strategy, Decimal(amount), "USD", now)
    else:
        record = next(record for record in store.read_strategies() if record.name == strategy)
        rejects = store.write_strategies([replace(record, target_weight=float(amount))], now)
    assert not rejects, rejects
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
