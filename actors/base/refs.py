"""The refs of all fixed actors, each typed by the messages that its actor handles."""

from collections.abc import Mapping

import msgspec

from actors.messages import addresses as at
from mats.runtime import Ref, Runtime, SupervisorMessage


class Refs(msgspec.Struct, frozen=True, kw_only=True):
    """Made once from the runtime; they hold over every restart."""

    store: Ref[at.PersistenceWriterMessage]
    fill_log: Ref[at.FillLogMessage]
    orders: Ref[at.OrderManagerMessage]
    risk: Ref[at.RiskManagerMessage]
    portfolio: Ref[at.PortfolioManagerMessage]
    connections: Ref[SupervisorMessage]
    market_data: Ref[at.MarketDataMessage]
    pool: Ref[at.IbPoolMessage]
    master: Ref[at.ConnectionMessage]
    data: Ref[at.ConnectionMessage]
    strategies: Ref[SupervisorMessage]
    strategy_manager: Ref[at.StrategyManagerMessage]

    @classmethod
    def of(cls, runtime: Runtime) -> "Refs":
        """The refs of a runtime, whether its tree runs yet or not."""
        return cls(
            store=runtime.ref(at.STORE),
            fill_log=runtime.ref(at.FILL_LOG),
            orders=runtime.ref(at.ORDERS),
            risk=runtime.ref(at.RISK),
            portfolio=runtime.ref(at.PORTFOLIO),
            connections=runtime.ref(at.CONNECTIONS),
            market_data=runtime.ref(at.MARKET_DATA),
            pool=runtime.ref(at.POOL),
            master=runtime.ref(at.MASTER),
            data=runtime.ref(at.DATA),
            strategies=runtime.ref(at.STRATEGIES),
            strategy_manager=runtime.ref(at.STRATEGY_MANAGER),
        )

    @property
    def stages(self) -> Mapping[str, Ref[at.StageMessage]]:
        """In the order in which a fill passes them."""
        return {"orders": self.orders, "risk": self.risk, "portfolio": self.portfolio, "store": self.store}
