"""What a connection hears at once, sorted by who wants it."""

from mats.model.broker import AccountValue, BrokerError, BrokerOrder, BrokerPosition, BrokerStatus
from mats.model.executions import Commission, Execution
from mats.model.market import Bar, Quote

BrokerEvent = (
    Execution | Commission | BrokerOrder | BrokerStatus | BrokerError | BrokerPosition | AccountValue | Bar | Quote
)
"""Everything that a broker tells without being asked."""


class Packet:
    """One packet of a broker; each kind of news in the broker's order."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []
        self.commissions: list[Commission] = []
        self.orders: list[BrokerOrder | BrokerStatus | BrokerError] = []
        self.positions: list[BrokerPosition] = []
        self.values: list[AccountValue] = []
        self.bars: list[Bar] = []
        self.quotes: list[Quote] = []

    def add(self, news: BrokerEvent) -> None:
        """One more piece of news."""
        match news:
            case Quote():
                self.quotes.append(news)
            case Bar():
                self.bars.append(news)
            case Execution():
                self.executions.append(news)
            case Commission():
                self.commissions.append(news)
            case BrokerOrder() | BrokerStatus() | BrokerError():
                self.orders.append(news)
            case BrokerPosition():
                self.positions.append(news)
            case AccountValue():
                self.values.append(news)
