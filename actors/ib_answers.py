"""What a connection to IB answers to those who ask it about the market: contracts, and bars of the past."""

from actors.messages.broker import HistoryLoaded, InstrumentResolved, RequestHistory, Unresolved
from mats.ib.errors import RequestFailed
from mats.ib.session import Session
from mats.model.instrument import Instrument


async def resolve(session: Session, instrument: Instrument) -> InstrumentResolved | Unresolved:
    """The one contract that a description means, or why there is none."""
    try:
        return InstrumentResolved(instrument.id, await session.resolve(instrument))
    except RequestFailed as error:
        return Unresolved(instrument.id, str(error))


async def load(session: Session, request: RequestHistory) -> HistoryLoaded:
    """The span is asked for twice over, because markets close; what is too much is cut off."""
    name, span = request.instrument.id, 2 * request.bar_seconds * request.count
    try:
        history = await session.history(request.instrument, request.bar_seconds, span)
    except (RequestFailed, ValueError) as error:
        return HistoryLoaded(name, (), complete=False, reason=str(error))
    return HistoryLoaded(name, history.bars[-request.count :], complete=True)
