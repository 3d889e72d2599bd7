"""A connection's session with the fill log: what is reported, in which order, and what waits."""

from decimal import Decimal

import pytest

from actors.base.fill_log_client import PART, FillLogClient, Replayed
from actors.messages.fill_log import OpenEpoch, ReportExecutions, ReportPart, ReportReplay
from mats.model.broker_reports import BrokerSnapshot
from mats.model.executions import Commission


@pytest.fixture
def log(probe):
    return probe("log")


@pytest.fixture
def client(runtime, log):
    class Owner:
        name, clock, ref = "ib", runtime.clock, runtime.probe("line").ref

    made = FillLogClient(Owner(), log.ref)
    log.expect(OpenEpoch)
    made.enter(7)
    return made


def a_commission(exec_id, amount="1"):
    return Commission(exec_id=exec_id, amount=Decimal(amount), currency="USD")


def a_snapshot(executions=(), commissions=()):
    return BrokerSnapshot(
        executions=tuple(executions),
        commissions=tuple(commissions),
        open_orders=(),
        completed_orders=(),
        positions=(),
    )


def reported(log, received):
    return received(log, ReportExecutions, ReportPart, ReportReplay)


def test_a_long_replay_is_reported_in_parts_in_the_order_of_the_market_each_with_its_commissions(
    client, log, received, an_execution
):
    executions = [an_execution(f"e{n}.01", time=n) for n in range(2 * PART + 1)]
    commissions = [a_commission(name) for name in ("early.01", *(e.exec_id for e in executions))]
    snapshot = a_snapshot(reversed(executions), commissions)
    client.report_answer(Replayed(snapshot, 7, 0.0))
    (first,) = reported(log, received)
    client.held()
    (second,) = reported(log, received)
    client.held()
    (last,) = reported(log, received)
    client.held()
    assert not reported(log, received)
    assert [type(message) for message in (first, second, last)] == [ReportPart, ReportPart, ReportReplay]
    parts = [message.report for message in (first, second, last)]
    assert [e for part in parts for e in part.executions] == executions
    for part in parts[:2]:
        assert [c.exec_id for c in part.commissions] == [e.exec_id for e in part.executions]
    assert [c.exec_id for c in parts[2].commissions] == [executions[-1].exec_id, "early.01"]


def test_a_replay_of_nothing_is_one_report(client, log, received):
    client.report_answer(Replayed(a_snapshot(), 7, 0.0))
    (only,) = reported(log, received)
    assert isinstance(only, ReportReplay) and not only.report.executions


def test_what_came_live_follows_the_replay_but_for_commissions_that_are_in_it(client, log, received, an_execution):
    client.report((), (a_commission("a.01"),))
    client.report((an_execution("b.01"),), (a_commission("b.01"),))
    client.report_answer(Replayed(a_snapshot([an_execution("a.01")], [a_commission("a.01")]), 7, 0.0))
    replay, live = reported(log, received)
    assert [e.exec_id for e in replay.report.executions] == ["a.01"]
    assert ([e.exec_id for e in live.executions], [c.exec_id for c in live.commissions]) == (["b.01"], ["b.01"])


def test_a_second_replay_follows_the_first_and_what_comes_live_waits_for_the_first_only(
    client, log, received, an_execution
):
    for name in ("a.01", "b.01"):
        client.report_answer(Replayed(a_snapshot([an_execution(name)]), 7, 0.0))
    client.report((an_execution("c.01"),), ())
    first, live = reported(log, received)
    assert ([e.exec_id for e in first.report.executions], live.executions[0].exec_id) == (["a.01"], "c.01")
    assert client.pop_acknowledged().replay.executions[0].exec_id == "a.01"
    (second,) = reported(log, received)
    assert [e.exec_id for e in second.report.executions] == ["b.01"]


def test_of_a_replay_that_is_not_finished_everything_that_came_is_reported(client, log, received, an_execution):
    client.report((), (a_commission("a.01"),))
    client.keep([an_execution("b.01", time=2), an_execution("a.01", time=1)])
    kept, charged = reported(log, received)
    assert [e.exec_id for e in kept.executions] == ["a.01", "b.01"]
    assert [c.exec_id for c in charged.commissions] == ["a.01"]


def test_without_an_epoch_nothing_can_be_kept(client, log, received, an_execution):
    client.open()
    client.keep([an_execution("a.01")])
    assert not reported(log, received)
