"""Errors and notices of the gateway: reported as events, and routed to the link, handshake or request they concern."""

from collections.abc import Callable

from mats.ib.error_codes import Meaning, meaning_of, stream_notice
from mats.ib.errors import NotPermitted, PacingViolated, ReadOnlyApi, RequestRefused, UnknownInstrument, UntrustedAnswer
from mats.ib.events import ErrorReceived, LinkDegraded, LinkRestored, SessionEvent
from mats.ib.pending_requests import FIRST_REQUEST_ID, PendingRequests
from mats.ib.streams import Streams
from mats.model import BrokerError

REFUSALS = {
    Meaning.UNKNOWN_INSTRUMENT: UnknownInstrument,
    Meaning.PACING: PacingViolated,
    Meaning.NOT_PERMITTED: NotPermitted,
}


class NoticeRouter:
    """`degraded`: the gateway has no link to IB's servers. `last`: the newest notice about the connection itself."""

    def __init__(self, sink: Callable[[SessionEvent], None], pending: PendingRequests, streams: Streams) -> None:
        self._sink, self._pending, self._streams = sink, pending, streams
        self.degraded = False
        self.last = ""
        self.on_client_id_in_use: Callable[[str], None] | None = None

    def on_error(self, error: BrokerError) -> None:
        """One message of IB's error callback. Its id is an order, a request, a stream, or -1 for the connection."""
        meaning = meaning_of(error.code, error.text)
        if error.request_id < 0:
            self.last = f"{error.code} {error.text}"
        notice = stream_notice(error, meaning, self._streams.market(error.request_id))
        self._sink(ErrorReceived(error, meaning, notice))
        if error.request_id >= FIRST_REQUEST_ID:
            self._answer(error, meaning)
        match meaning:
            case Meaning.LINK_LOST if not self.degraded:
                self.degraded = True
                self._sink(LinkDegraded(f"{error.code} {error.text}"))
            case Meaning.LINK_RESTORED | Meaning.LINK_RESTORED_DATA_LOST:
                self.degraded = False
                self._sink(LinkRestored(meaning is Meaning.LINK_RESTORED_DATA_LOST, f"{error.code} {error.text}"))
            case Meaning.CLIENT_ID_IN_USE if self.on_client_id_in_use:
                self.on_client_id_in_use(self.last)
            case Meaning.READ_ONLY if error.request_id < 0:
                self._pending.fail_without_id(
                    ReadOnlyApi(
                        f"the gateway answered {error.code} {error.text} This program must place orders and see them;"
                        " clear Read-Only API in the API settings of the gateway"
                    )
                )

    def _answer(self, error: BrokerError, meaning: Meaning) -> None:
        if meaning is Meaning.NO_DATA:
            self._pending.finish(error.request_id)
        elif meaning.ends_request and error.request_id in self._pending:
            kind = UntrustedAnswer if self.degraded else REFUSALS.get(meaning, RequestRefused)
            said = f"{error.text} (code {error.code})"
            self._pending.fail(error.request_id, lambda what: kind(f"{what}: the gateway answered {said}", error.code))
