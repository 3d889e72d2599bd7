"""Questions to the broker that end with an answer: each bounded in time, each failure named."""

# ruff: noqa: ASYNC109 - the caller names the seconds, the callee knows what to say when they are over

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ib_async.contract import ContractDetails
from ib_async.objects import BarData

from mats.ib.callbacks import Callbacks
from mats.ib.contracts import from_details, to_contract
from mats.ib.errors import AmbiguousInstrument, RequestFailed, RequestTimedOut, UnknownInstrument
from mats.ib.history import HistoryRequests, bar_size, duration, source_of, to_bar
from mats.ib.pending_requests import PendingAnswer, PendingRequests, PendingSnapshot
from mats.ib.sender import PacedSender, SendLane
from mats.ib.timestamps import UnknownTime, Zones, instant, utc_text
from mats.model import AccountId, AccountValue, BrokerPosition, Instrument, Nanos

EPOCH_SECONDS = 2
"""IB's date format that cannot be misread."""


class BrokerRequests:
    """Asks over one line. `client` is ib_async's encoder of messages."""

    def __init__(
        self,
        client: Any,
        line: PacedSender,
        pending: PendingRequests,
        callbacks: Callbacks,
        zones: Zones,
        clock: Callable[[], Nanos],
    ) -> None:
        self._client, self._line, self._pending, self._callbacks = client, line, pending, callbacks
        self._zones, self._clock = zones, clock
        self._turns = {kind: asyncio.Lock() for kind in PendingSnapshot}

    async def resolve(self, instrument: Instrument, timeout: float) -> Instrument:
        """The contract that a description means."""
        what = f"contract of {instrument.id}"
        contract = to_contract(instrument)
        answer = await self._ask(what, timeout, lambda key: self._client.reqContractDetails(key, contract))
        details: list[ContractDetails] = answer.items
        found = {i.con_id: i for i in (from_details(instrument, d) for d in details) if i}
        if not found:
            raise UnknownInstrument(f"{what}: the gateway knows none; correct its name, currency or exchange", 200)
        if len(found) > 1:
            names = ", ".join(f"{i.id} at {i.primary_exchange or i.exchange} ({i.con_id})" for i in found.values())
            raise AmbiguousInstrument(f"{what} is one of {names}; say the expiry, exchange or contract id")
        return next(iter(found.values()))

    async def history(
        self,
        instrument: Instrument,
        bar_seconds: int,
        duration_seconds: int,
        end: Nanos | None,
        what: str,
        regular_hours: bool,
        timeout: float,
    ) -> HistoryRequests:
        """Finished bars up to `end`, or up to now."""
        size, span = bar_size(bar_seconds), duration(duration_seconds, bar_seconds)
        until, source = "" if end is None else utc_text(end), what or source_of(instrument)
        contract = to_contract(instrument)

        def ask(key: int) -> None:
            self._client.reqHistoricalData(
                key, contract, until, span, size, source, regular_hours, EPOCH_SECONDS, False, []
            )

        asked = f"{span} of {size} bars of {instrument.id} up to {until or 'now'}"
        answer = await self._ask(asked, timeout, ask, self._client.cancelHistoricalData)
        data: list[BarData] = answer.items
        bars = (to_bar(instrument.id, bar_seconds, bar, self._zones) for bar in data)
        known_until = self._end_of(answer)
        return HistoryRequests(
            instrument.id, tuple(bar for bar in bars if bar.end <= known_until), known_empty=not data
        )

    def _end_of(self, answer: PendingAnswer[Any]) -> Nanos:
        """Until when an answer knows: the gateway says it by its own clock; if it cannot be read, now by ours."""
        try:
            return instant(answer.note, self._zones)
        except UnknownTime:
            return self._clock()

    async def account_values(self, account: AccountId, timeout: float) -> tuple[AccountValue, ...]:
        """All values of an account, once."""

        def ask(key: int) -> None:
            self._client.reqAccountUpdatesMulti(key, account, "", False)

        stop = self._client.cancelAccountUpdatesMulti
        what = f"values of account {account}"
        async with within(what, timeout), self.asking(what, ask, stop) as answer:
            values: list[AccountValue] = await answer
            self._line.send(SendLane.DATA, lambda: stop(answer.key))  # it is a stream, whose end marker ends nothing
        return tuple(values)

    async def positions(self, timeout: float) -> tuple[BrokerPosition, ...]:
        """Every net position, once; the last word on each."""
        async with (
            within("positions", timeout),
            self.snapshot(PendingSnapshot.POSITIONS, self._client.reqPositions) as answer,
        ):
            positions: list[BrokerPosition] = await answer
        return tuple({(position.account, position.instrument): position for position in positions}.values())

    async def server_time(self, timeout: float) -> Nanos:
        """The gateway's clock, to the second: the heartbeat."""
        async with (
            within("server time", timeout),
            self.snapshot(PendingSnapshot.SERVER_TIME, self._client.reqCurrentTime) as answer,
        ):
            times: list[Nanos] = await answer
        return times[0]

    @asynccontextmanager
    async def snapshot(self, kind: PendingSnapshot, send: Callable[[], None]) -> AsyncIterator[PendingAnswer[Any]]:
        """A question that has no request id, when it is its turn."""
        async with self._turns[kind]:
            with self._pending.gathering(kind) as answer:
                self._line.send(SendLane.URGENT, send)
                yield answer

    @asynccontextmanager
    async def asking(
        self,
        what: str,
        send: Callable[[int], None],
        cancel: Callable[[int], None] | None = None,
        lane: SendLane = SendLane.DATA,
    ) -> AsyncIterator[PendingAnswer[Any]]:
        """A question with a request id. It is not sent any more once its asker left; if it was, `cancel` is."""
        key = self._pending.new_id()
        answer = self._pending.begin(key, what)

        def send_if_wanted() -> None:
            if key in self._pending:
                answer.sent = True
                send(key)

        try:
            self._line.send(lane, send_if_wanted)
            yield answer
        finally:
            self._pending.end(key)
            if cancel and answer.sent and not answer.ended and self._line.is_open:
                self._line.send(SendLane.DATA, lambda: cancel(key))

    async def _ask(
        self, what: str, timeout: float, send: Callable[[int], None], cancel: Callable[[int], None] | None = None
    ) -> PendingAnswer[Any]:
        """The whole answer, decoded, in time."""
        undecoded = self._callbacks.undecoded
        async with within(what, timeout), self.asking(what, send, cancel) as answer:
            await answer
        if self._callbacks.undecoded > undecoded:
            raise RequestFailed(f"{what}: part of the answer could not be decoded")
        return answer


@asynccontextmanager
async def within(what: str, timeout: float) -> AsyncIterator[None]:
    """At most `timeout` seconds; then `RequestTimedOut`, because no answer is not an empty answer."""
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError as error:
        raise RequestTimedOut(f"{what}: no answer in {timeout:g} s; this does not mean that there is none") from error
