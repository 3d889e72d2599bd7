"""How a position is named, whoever holds it: books, broker, risk."""

from mats.model.instrument import InstrumentId
from mats.model.orders import AccountId

PositionKey = tuple[AccountId, InstrumentId]
"""One instrument in one account."""
