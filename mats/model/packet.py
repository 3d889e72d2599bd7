"""The broker events of one packet, sorted by their receiver."""

from mats.model.broker_reports import AccountValue, BrokerError, BrokerOrder, BrokerPosition, BrokerStatus
from mats.model.executions import Commission, Execution
from mats.model.market_data import Bar, Quote

BrokerEvent = (
    Execution | Commission | BrokerOrder | BrokerStatus | BrokerError | BrokerPosition | AccountValue | Bar | Quote
)
"""Events that a broker reports unsolicited."""


class Packet:
    """One packet of a broker; each kind of event in the broker's order."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []
        self.commissions: list[Commission] = []
        self.orders: list[BrokerOrder | BrokerStatus | BrokerError] = []
        self.positions: list[BrokerPosition] = []
        self.values: list[AccountValue] = []
        self.bars: list[Bar] = []
        self.quotes: list[Quote] = []

    def add(self, event: BrokerEvent) -> None:
        """Add an event."""
        match event:
            case Quote():
                self.quotes.append(event)
            case Bar():
                self.bars.append(event)
            case Execution():
                self.executions.append(event)
            case Commission():
                self.commissions.append(event)
            case BrokerOrder() | BrokerStatus() | BrokerError():
                self.orders.append(event)
            case BrokerPosition():
                self.positions.append(event)
            case AccountValue():
                self.values.append(event)
