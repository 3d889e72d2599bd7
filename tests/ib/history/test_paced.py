"""Requests within the budget: refusals are asked again, identical ones once, and nobody waits for a dead connection."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from mats.ib import HistoricalBars
from mats.ib.errors import ConnectionLostError, NotPermitted, PacingViolated, RequestTimedOut, UntrustedAnswer
from mats.ib.history import (
    HeadRequest,
    HistoricalBudget,
    HistoryRequest,
    PacedHistory,
    RequestCost,
    RequestLog,
)
from mats.instruments import parse_instrument
from mats.model import SECOND, Instrument, Nanos, from_datetime
from tests.fast_time import LoopClock, run_fast

START = from_datetime(datetime(2026, 11, 30, tzinfo=UTC))
SPY = parse_instrument("SPY")
EMPTY = HistoricalBars("SPY", (), known_empty=True)
REQUEST = HistoryRequest(SPY, 5, 3600)


class Session:
    """Answers with what is in `answers`, then with nothing; `asked` are the times of the requests."""

    def __init__(self, clock: LoopClock, *answers: Exception) -> None:
        self._clock, self._answers, self.asked = clock, list(answers), list[float]()

    async def history(
        self, *request: object, regular_hours: bool = False, on_sent: Callable[[], None] = lambda: None
    ) -> HistoricalBars:
        on_sent()
        self.asked.append(self._clock.monotonic())
        await self._clock.sleep(1.0)
        if self._answers:
            raise self._answers.pop(0)
        return EMPTY

    async def head_timestamp(
        self,
        instrument: Instrument,
        what_to_show: str = "",
        *,
        regular_hours: bool = False,
        on_sent: Callable[[], None] = lambda: None,
    ) -> Nanos:
        on_sent()
        return START


def fast(*answers: Exception) -> tuple[list[float], PacedHistory, object]:
    """The times of the requests, and the result, of one request whose first answers are these."""
    made: list[Session] = []

    async def scenario(clock: LoopClock) -> tuple[PacedHistory, object]:
        made.append(Session(clock, *answers))
        history = PacedHistory(made[0], HistoricalBudget(clock.monotonic))
        try:
            return history, await history.bars(REQUEST)
        except Exception as error:
            return history, error

    history, result = run_fast(scenario, START)
    return made[0].asked, history, result


def test_a_request_that_is_refused_for_pacing_is_asked_again_after_a_while_and_longer_each_time() -> None:
    refused = [PacingViolated("pacing violation", 162) for _ in range(3)]
    asked, history, result = fast(*refused)
    assert result == EMPTY
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses == [pytest.approx(1.0 + hold, abs=0.6) for hold in (15, 30, 60)]
    assert history.use().violations == 3


def test_without_a_link_it_waits_and_is_no_violation() -> None:
    asked, history, result = fast(UntrustedAnswer("no link", 162))
    assert (result, len(asked), history.use().violations) == (EMPTY, 2, 0)


@pytest.mark.parametrize(
    ("error", "times"), [(NotPermitted("no permission", 354), 1), (RequestTimedOut("no answer in 60 s"), 3)]
)
def test_what_is_refused_for_good_is_told(error: Exception, times: int) -> None:
    asked, history, result = fast(*[error] * 3)
    assert result is error
    assert len(asked) == times
    assert history.use().open == 0


def test_identical_requests_share_an_answer_and_it_goes_on_when_one_of_them_leaves() -> None:
    async def scenario(clock: LoopClock) -> list[float]:
        session = Session(clock)
        history = PacedHistory(session, HistoricalBudget(clock.monotonic))
        first, second = (asyncio.create_task(history.bars(REQUEST)) for _ in range(2))
        await clock.sleep(0.5)
        first.cancel()
        assert await second == EMPTY
        return session.asked

    assert run_fast(scenario, START) == [0.0]


def test_who_waits_for_a_turn_fails_when_the_connection_ends() -> None:
    async def scenario(clock: LoopClock) -> None:
        history = PacedHistory(Session(clock), HistoricalBudget(clock.monotonic))
        first = await history.bars(REQUEST)
        assert first == EMPTY
        waits = asyncio.create_task(history.bars(REQUEST))  # identical within fifteen seconds
        await clock.sleep(1.0)
        assert history.waiting == 1
        history.close()
        with pytest.raises(ConnectionLostError):
            await waits
        with pytest.raises(ConnectionLostError):
            await history.bars(REQUEST)

    run_fast(scenario, START)


def test_bid_and_ask_count_twice_and_get_their_turn() -> None:
    async def scenario(clock: LoopClock) -> float:
        history = PacedHistory(Session(clock), HistoricalBudget(clock.monotonic))
        lighter = [HistoryRequest(parse_instrument("IBM"), 5, 3600, START + at * SECOND) for at in range(200)]
        heavy = HistoryRequest(SPY, 5, 3600, START, "BID_ASK")
        tasks = [asyncio.create_task(history.bars(request)) for request in lighter[:70]]
        await clock.sleep(100.0)
        heavy_task = asyncio.create_task(history.bars(heavy))
        await clock.sleep(0.1)
        tasks += [asyncio.create_task(history.bars(request)) for request in lighter[70:]]
        await heavy_task
        done = clock.monotonic()
        history.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        return done

    assert run_fast(scenario, START) < 700


def test_what_was_sent_is_remembered_over_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    now = START
    log = RequestLog(path, lambda: now)
    for number in range(60):
        now = START + number * SECOND
        log.add(RequestCost(f"request {number}", "SPY TRADES", small=True))
    path.write_bytes(path.read_bytes() + b'{"at":12')  # torn by the kill
    now = START + 100 * SECOND
    budget = HistoricalBudget(lambda: 1_000.0)
    again = RequestLog(path, lambda: now)
    again.recall(budget)
    assert budget.use().small == 60
    assert budget.wait(RequestCost("new", "IBM TRADES", small=True)) == pytest.approx(601.0 - 100.0)
    now = START + 1_000 * SECOND
    forgotten = HistoricalBudget(lambda: 1_000.0)
    RequestLog(path, lambda: now).recall(forgotten)
    assert forgotten.use().small == 0
    assert path.read_bytes() == b""


def test_a_head_timestamp_counts_as_a_small_request() -> None:
    async def scenario(clock: LoopClock) -> int:
        history = PacedHistory(Session(clock), HistoricalBudget(clock.monotonic))
        assert await history.head(HeadRequest(SPY)) == START
        return history.use().small

    assert run_fast(scenario, START) == 1
