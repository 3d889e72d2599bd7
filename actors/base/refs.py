"""The fixed actors by name, for those who tell and ask them."""

import msgspec

from actors.ib_pool import DATA_CLIENT, MASTER_CLIENT, connection_name
from mats.runtime import Ref, Runtime


class Refs:
    """The refs of all fixed actors; they hold over every restart."""

    def __init__(self, runtime: Runtime) -> None:
        self.store = runtime.ref("store/writer")
        self.fill_log = runtime.ref("core/fill-log")
        self.orders = runtime.ref("core/orders")
        self.risk = runtime.ref("core/risk")
        self.portfolio = runtime.ref("core/portfolio")
        self.brokers = runtime.ref("brokers")
        self.market_data = runtime.ref("brokers/market-data")
        self.pool = runtime.ref("brokers/pool")
        self.master = runtime.ref(f"brokers/{connection_name(MASTER_CLIENT)}")
        self.data = runtime.ref(f"brokers/{connection_name(DATA_CLIENT)}")
        self.strategies = runtime.ref("strategies")
        self.strategy_manager = runtime.ref("strategy-manager")

    @property
    def stages(self) -> dict[str, Ref]:
        """In the order in which a fill passes them."""
        return {"orders": self.orders, "risk": self.risk, "portfolio": self.portfolio, "store": self.store}


class PortfolioRefs(msgspec.Struct, frozen=True, kw_only=True):
    """`broker` is the connection that sees every position and account."""

    fill_log: Ref
    risk: Ref
    store: Ref
    broker: Ref
    market_data: Ref
    strategy_manager: Ref
