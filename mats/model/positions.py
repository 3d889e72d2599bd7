"""What names a position: the account it is in and the instrument that is held."""

from mats.model.instrument import InstrumentId
from mats.model.orders import AccountId

PositionKey = tuple[AccountId, InstrumentId]
