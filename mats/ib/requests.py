"""Requests to the broker that end with an answer: each bounded in time, each failure with its own error."""

# ruff: noqa: ASYNC109 - the caller chooses the timeout, the callee words the error

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from ib_async.contract import Contract, ContractDetails
from ib_async.objects import BarData

from mats.ib.callbacks import Callbacks
from mats.ib.conversion import (
    HistoricalBars,
    TimeZones,
    UnknownTime,
    bar_size,
    duration,
    from_details,
    instant,
    source_of,
    to_bar,
    to_contract,
    utc_text,
)
from mats.ib.errors import AmbiguousInstrument, NoHistory, RequestFailed, RequestTimedOut, UnknownInstrument
from mats.ib.market_rules import MarketRules, rule_number
from mats.ib.pacing import PacedSender, SendLane
from mats.ib.pending_requests import PendingAnswer, PendingRequests, PendingSnapshot
from mats.instruments import SeveralContracts, the_one
from mats.model import AccountId, AccountValue, BrokerPosition, Instrument, InstrumentId, Nanos, SecType, to_datetime

EPOCH_SECONDS = 2
"""IB's date format that cannot be misread."""


class BrokerRequests:
    """Requests of one session. `client` is ib_async's encoder of messages."""

    def __init__(
        self,
        client: Any,
        sender: PacedSender,
        pending: PendingRequests,
        callbacks: Callbacks,
        zones: TimeZones,
        clock: Callable[[], Nanos],
    ) -> None:
        self._client, self._sender, self._pending, self._callbacks = client, sender, pending, callbacks
        self._zones, self._clock = zones, clock
        self._locks = {kind: asyncio.Lock() for kind in PendingSnapshot}
        self._market_rules = MarketRules(client, sender, pending)

    async def resolve(self, instrument: Instrument, timeout: float) -> Instrument:
        """The contract that a name means, with its terms; from now on it is known by its contract id."""
        what = f"contract of {instrument.id}"
        known = self._callbacks.instruments.find(instrument.id)
        contract = _by_contract_id(known or instrument) or to_contract(instrument)
        return await self._completed(what, instrument, contract, known, timeout)

    async def complete(self, con_id: int, name: InstrumentId, timeout: float) -> Instrument:
        """The terms of a contract of which only reports are known."""
        asked = Instrument(id=name, symbol="", sec_type=SecType.UNKNOWN, currency="", exchange="", con_id=con_id)
        return await self._completed(f"contract {con_id} ({name})", asked, Contract(conId=con_id), None, timeout)

    async def _completed(
        self, what: str, instrument: Instrument, contract: Contract, known: Instrument | None, timeout: float
    ) -> Instrument:
        answer = await self._ask(what, timeout, lambda key: self._client.reqContractDetails(key, contract))
        found = _one_listing_each(instrument, answer.items)
        today = to_datetime(self._clock()).strftime("%Y%m%d")
        try:
            resolved = the_one(instrument.id, found, today)
        except SeveralContracts as several:
            raise AmbiguousInstrument(f"{what}: it fits several contracts; write one of these: {several}") from None
        if resolved is None:
            raise UnknownInstrument(
                f"{what}: there is none at the gateway; correct its name, currency or exchange", 200
            )
        if resolved.sec_type is SecType.CONTINUOUS_FUTURE:  # it has the id of the contract in front, and is not that
            return msgspec.structs.replace(resolved, id=instrument.id, con_id=0)
        return self._callbacks.instruments.complete(await self._with_levels(resolved, answer.items, known))

    async def _with_levels(
        self, resolved: Instrument, details: Sequence[ContractDetails], known: Instrument | None
    ) -> Instrument:
        """With its tick sizes by price level; those that were known where the gateway does not say them now."""
        of_contract = (one for one in details if one.contract and one.contract.conId == resolved.con_id)
        number = rule_number(next(of_contract), resolved.exchange)
        levels = None if number is None else await self._market_rules.levels(number)
        if levels is None:
            return msgspec.structs.replace(resolved, price_increments=known.price_increments if known else ())
        if len(levels) == 1:
            return msgspec.structs.replace(resolved, tick_size=levels[0][1])
        return msgspec.structs.replace(resolved, price_increments=levels)

    async def history(
        self,
        instrument: Instrument,
        bar_seconds: int,
        duration_seconds: int,
        end: Nanos | None,
        what_to_show: str,
        regular_hours: bool,
        timeout: float,
        on_sent: Callable[[], None],
    ) -> HistoricalBars:
        """Finished bars up to `end`, or up to now; `on_sent` is called when the request leaves."""
        size, span = bar_size(bar_seconds), duration(duration_seconds, bar_seconds)
        until, source = "" if end is None else utc_text(end), what_to_show or source_of(instrument)
        contract = to_contract(instrument)

        def ask(key: int) -> None:
            on_sent()
            self._client.reqHistoricalData(
                key, contract, until, span, size, source, regular_hours, EPOCH_SECONDS, False, []
            )

        what = f"{span} of {size} bars of {instrument.id} up to {until or 'now'}"
        answer = await self._ask(what, timeout, ask, self._client.cancelHistoricalData)
        data: list[BarData] = answer.items
        bars = (to_bar(instrument.id, bar_seconds, bar, self._zones) for bar in data)
        known_until = self._end_of(answer)
        return HistoricalBars(instrument.id, tuple(bar for bar in bars if bar.end <= known_until), known_empty=not data)

    async def head_timestamp(
        self,
        instrument: Instrument,
        what_to_show: str,
        regular_hours: bool,
        timeout: float,
        on_sent: Callable[[], None],
    ) -> Nanos:
        """The start of the earliest bar; `on_sent` is called when the request leaves."""
        contract, source = to_contract(instrument), what_to_show or source_of(instrument)

        def ask(key: int) -> None:
            on_sent()
            self._client.reqHeadTimeStamp(key, contract, source, regular_hours, EPOCH_SECONDS)

        what = f"first {source} of {instrument.id}"
        answer = await self._ask(what, timeout, ask, self._client.cancelHeadTimeStamp)
        if not answer.items:
            raise NoHistory(f"{what}: the gateway has no history of it", 162)
        try:
            return instant(answer.items[0], self._zones)
        except UnknownTime as error:
            raise RequestFailed(f"{what}: {error}") from error

    def _end_of(self, answer: PendingAnswer[Any]) -> Nanos:
        """The end of an answer by the gateway's clock; now by ours where it cannot be parsed."""
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
        async with within(what, timeout), self.ask_with_id(what, ask, stop, SendLane.LINK) as answer:
            values: list[AccountValue] = await answer
            self._sender.send(SendLane.DATA, lambda: stop(answer.key))  # a stream, which continues after its end marker
        return tuple(values)

    async def positions(self, timeout: float) -> tuple[BrokerPosition, ...]:
        """Every net position, once; the newest report of each."""
        async with (
            within("positions", timeout),
            self.ask_without_id(PendingSnapshot.POSITIONS, self._client.reqPositions) as answer,
        ):
            positions: list[BrokerPosition] = await answer
        return tuple({(position.account, position.instrument): position for position in positions}.values())

    async def server_time(self, timeout: float) -> Nanos | None:
        """The gateway's clock, to the second: the heartbeat. None where the answer cannot be read."""
        async with (
            within("server time", timeout),
            self.ask_without_id(PendingSnapshot.SERVER_TIME, self._client.reqCurrentTime) as answer,
        ):
            times: list[Nanos] = await answer
        return times[0] if times else None

    def send_urgently(self, send: Callable[[], None]) -> None:
        """Send what has no answer, in the order of the requests without an id."""
        self._sender.send(SendLane.LINK, send)

    @asynccontextmanager
    async def ask_without_id(
        self, kind: PendingSnapshot, send: Callable[[], None]
    ) -> AsyncIterator[PendingAnswer[Any]]:
        """A request without an id; one of a kind at a time."""
        async with self._locks[kind]:
            with self._pending.collecting(kind) as answer:
                self._sender.send(SendLane.LINK, send)
                yield answer

    @asynccontextmanager
    async def ask_with_id(
        self,
        what: str,
        send: Callable[[int], None],
        cancel: Callable[[int], None] | None = None,
        lane: SendLane = SendLane.DATA,
    ) -> AsyncIterator[PendingAnswer[Any]]:
        """A request with an id. Once its caller has left it is not sent any more; if it was sent, `cancel` is."""
        key = self._pending.new_id()
        answer = self._pending.begin(key, what)

        def send_if_wanted() -> None:
            if key in self._pending:
                answer.sent = True
                send(key)

        try:
            self._sender.send(lane, send_if_wanted)
            yield answer
        finally:
            self._pending.end(key)
            if cancel and answer.sent and not answer.ended and self._sender.is_open:
                self._sender.send(SendLane.DATA, lambda: cancel(key))

    async def _ask(
        self, what: str, timeout: float, send: Callable[[int], None], cancel: Callable[[int], None] | None = None
    ) -> PendingAnswer[Any]:
        """The whole answer, decoded, in time."""
        undecoded = self._callbacks.undecoded
        async with within(what, timeout), self.ask_with_id(what, send, cancel) as answer:
            await answer
        if self._callbacks.undecoded > undecoded:
            raise RequestFailed(f"{what}: part of the answer could not be decoded")
        return answer


def _by_contract_id(instrument: Instrument) -> Contract | None:
    """A contract id says all; what is described beside it would have to agree with it in every detail."""
    return Contract(conId=instrument.con_id, exchange=instrument.exchange) if instrument.con_id else None


def _one_listing_each(asked: Instrument, details: Sequence[ContractDetails]) -> list[Instrument]:
    """Each contract once; one that several exchanges list (`CME,QBALGO`) at the first of them."""
    listings: dict[int, tuple[int, Instrument]] = {}
    for one in details:
        listed = from_details(asked, one)
        if listed is None or one.contract is None:
            continue
        exchanges = one.validExchanges.split(",")
        place = exchanges.index(one.contract.exchange) if one.contract.exchange in exchanges else len(exchanges)
        best = listings.get(listed.con_id)
        if best is None or place < best[0]:
            listings[listed.con_id] = place, listed
    return [listed for _, listed in listings.values()]


LOOKS = 10
"""How many times in a silence that is too long it is looked whether something came."""


class _MovingDeadline:
    """Moves a deadline on whenever `received` has grown. To be stopped."""

    def __init__(self, deadline: asyncio.Timeout, silence: float, received: Callable[[], int]) -> None:
        self._deadline, self._silence, self._received = deadline, silence, received
        self._seen = received()
        self._arm()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._silence / LOOKS, self._look)

    def _look(self) -> None:
        before, self._seen = self._seen, self._received()
        if self._seen != before:
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._silence)
        self._arm()

    def stop(self) -> None:
        self._timer.cancel()


@asynccontextmanager
async def while_progressing(what: str, silence: float, received: Callable[[], int]) -> AsyncIterator[None]:
    """However long, as long as `received` grows; `RequestTimedOut` after `silence` seconds in which it did not."""
    try:
        async with asyncio.timeout(silence) as deadline:
            moving = _MovingDeadline(deadline, silence, received)
            try:
                yield
            finally:
                moving.stop()
    except TimeoutError as error:
        raise RequestTimedOut(f"{what}: nothing came for {silence:g} s, which is no answer") from error


@asynccontextmanager
async def within(what: str, timeout: float) -> AsyncIterator[None]:
    """At most `timeout` seconds; then `RequestTimedOut`, because no answer is not an empty answer."""
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError as error:
        raise RequestTimedOut(f"{what}: no answer in {timeout:g} s; this does not mean that there is none") from error
