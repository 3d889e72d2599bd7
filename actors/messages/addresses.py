"""Where each actor runs, and the union of the messages that it handles.

All of them stand here and not with their messages, because actors send to each other in both directions.
"""

from actors.messages import (
    broker,
    fill_log,
    market_data,
    order_manager,
    persistence_writer,
    portfolio_manager,
    quarantine,
    risk_manager,
    strategy,
    strategy_manager,
)
from actors.messages.broker import HistoryLoaded, HistoryProgressed, LinkChanged, MarketEvents, Ready
from actors.messages.fill_log import ApplyEntries, ReportCursor
from actors.messages.ib_pool import DATA_CLIENT, MASTER_CLIENT, LeaseConnection, connection_name
from actors.messages.subscription import (
    AskToResubscribe,
    Change,
    Republish,
    Snapshot,
    Unsubscribe,
    Unsubscribed,
)
from mats.model import CancelRequest, OrderModification, OrderRequest, Signal, StrategyName, StreamNotice
from mats.runtime import Address, CommandResult, SupervisorMessage

StageMessage = ApplyEntries | ReportCursor

FillLogMessage = (
    fill_log.OpenEpoch
    | fill_log.ReportExecutions
    | fill_log.ReplayProgressed
    | fill_log.ReportPart
    | fill_log.ReportReplay
    | fill_log.BookAdjustments
    | fill_log.BookTransfer
    | fill_log.StageCursor
    | fill_log.Acknowledge
    | fill_log.StoreReported
    | fill_log.GetLogPosition
    | fill_log.ReadProgress
    | quarantine.ReportUndecoded
    | quarantine.EntrySetAside
    | quarantine.ResolveQuarantine
    | portfolio_manager.RatesChanged
)

OrderManagerMessage = (
    StageMessage
    | order_manager.SubmitIntent
    | order_manager.ModifyIntent
    | order_manager.SubscribeOrders
    | order_manager.SubscribeAllOrders
    | order_manager.ReadOrders
    | order_manager.SettleOrder
    | CancelRequest
    | broker.OrderEvents
    | broker.NotSent
    | Ready
    | Unsubscribe
    | Republish
)

RiskManagerMessage = (
    StageMessage
    | Signal
    | OrderRequest
    | OrderModification
    | risk_manager.PlaceOrder
    | risk_manager.Halt
    | risk_manager.Resume
    | risk_manager.ReadHalts
    | Snapshot[order_manager.AllOrders]
    | Change[order_manager.OrderOrRouteChanged]
    | portfolio_manager.BreaksChanged
    | portfolio_manager.EquityChanged
    | portfolio_manager.RatesChanged
    | portfolio_manager.SetWeights
    | market_data.InstrumentCompleted
    | market_data.PriceMarked
    | market_data.DataStale
    | fill_log.StagesBehind
    | quarantine.QuarantineChanged
    | LinkChanged
    | Ready
    | Unsubscribe
)

PortfolioManagerMessage = (
    StageMessage
    | portfolio_manager.SubscribeBook
    | portfolio_manager.SubscribeEquity
    | portfolio_manager.SetWeights
    | portfolio_manager.EquityOverridden
    | portfolio_manager.Reconcile
    | portfolio_manager.ReadBreaks
    | portfolio_manager.AnswerBreak
    | portfolio_manager.ProposeTransfer
    | portfolio_manager.ProposeNetted
    | portfolio_manager.ReadAccount
    | portfolio_manager.ReadPortfolio
    | market_data.InstrumentCompleted
    | market_data.PriceMarked
    | persistence_writer.EquitiesRead
    | persistence_writer.PrunedEntriesRead
    | fill_log.LogPosition
    | broker.AccountChanged
    | broker.PositionsChanged
    | broker.PositionsTaken
    | Ready
    | Unsubscribe
    | Republish
)

PersistenceWriterMessage = (
    StageMessage
    | persistence_writer.SeedStrategies
    | persistence_writer.ReadTable
    | persistence_writer.ReadEquities
    | persistence_writer.SetEquity
    | persistence_writer.ReadStored
    | persistence_writer.ReadPrunedEntries
    | persistence_writer.StoreBars
    | order_manager.OrderChanged
    | portfolio_manager.MarksUpdated
    | portfolio_manager.BooksReconciled
    | portfolio_manager.AccountUpdated
)

MarketDataMessage = (
    market_data.SubscribeInstruments
    | market_data.WatchPrices
    | market_data.LoadHistory
    | market_data.ReadStreams
    | StreamNotice
    | broker.InstrumentResolved
    | broker.Unresolved
    | HistoryLoaded
    | HistoryProgressed
    | MarketEvents
    | Ready
    | Unsubscribe
    | Republish
)

SessionMessage = (
    broker.OrderAction | broker.RequestSnapshot | fill_log.EpochOpened | fill_log.ReplayMerged | fill_log.ReportHeld
)
"""Messages of every connection about its session and the orders in it."""

ConnectionMessage = (
    SessionMessage
    | broker.TakePositions
    | broker.ReadBroker
    | broker.SubscribeAccount
    | broker.ResolveInstrument
    | broker.SubscribeMarket
    | broker.ResubscribeMarket
    | broker.RequestHistory
    | broker.ReadHistoryUse
)

IbPoolMessage = LeaseConnection | Republish

StrategyManagerMessage = (
    strategy_manager.StartStrategy
    | strategy_manager.StopStrategy
    | strategy_manager.ParkStrategy
    | strategy_manager.ReadStrategies
    | strategy.StrategyLoaded
    | strategy.StrategyStarted
    | strategy.StrategyWaits
    | CommandResult
    | persistence_writer.StrategiesRead
    | portfolio_manager.AccountsDiscovered
    | Republish
)

StrategyMessage = (
    market_data.BarArrived
    | market_data.QuoteArrived
    | market_data.BarsInterrupted
    | market_data.BarsOver
    | market_data.InstrumentNamed
    | market_data.InstrumentUnnamed
    | HistoryLoaded
    | HistoryProgressed
    | Snapshot[portfolio_manager.BookState | portfolio_manager.EquityChanged | order_manager.WorkingOrders]
    | Change[portfolio_manager.PositionUpdated | order_manager.OrderChanged]
    | risk_manager.OrderDenied
    | risk_manager.RequestHandled
    | strategy.StopTrading
    | AskToResubscribe
    | Unsubscribed
)

STORE = Address[PersistenceWriterMessage]("store/writer")
FILL_LOG = Address[FillLogMessage]("core/fill-log")
ORDERS = Address[OrderManagerMessage]("core/orders")
RISK = Address[RiskManagerMessage]("core/risk")
PORTFOLIO = Address[PortfolioManagerMessage]("core/portfolio")
CONNECTIONS = Address[SupervisorMessage]("brokers")
MARKET_DATA = Address[MarketDataMessage]("brokers/market-data")
POOL = Address[IbPoolMessage]("brokers/pool")
STRATEGIES = Address[SupervisorMessage]("strategies")
STRATEGY_MANAGER = Address[StrategyManagerMessage]("strategy-manager")


def connection_at(client_id: int) -> Address[ConnectionMessage]:
    """Where the connection of a client id runs."""
    return Address(f"{CONNECTIONS.path}/{connection_name(client_id)}")


def strategy_at(strategy: StrategyName) -> Address[StrategyMessage]:
    """Where a strategy runs."""
    return Address(f"{STRATEGIES.path}/{strategy}")


MASTER = connection_at(MASTER_CLIENT)
DATA = connection_at(DATA_CLIENT)
