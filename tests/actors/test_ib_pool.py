"""The pool: each strategy has one connection, always under the same client id, started once."""

import pytest

from actors.ib_pool import IbPool
from actors.messages.broker import RequestSnapshot
from actors.messages.ib_pool import DATA_CLIENT, MASTER_CLIENT, LeaseConnection, connection_name
from actors.messages.subscription import Republish
from mats.runtime import Actor, ChildSpec, Crash, StartChild
from tests.actors.samples import launch_relay


class Silent(Actor):
    def on_receive(self, message):
        return None


def spec(client_id):
    return ChildSpec(name=connection_name(client_id), actor=Silent, args=client_id)


class Pool:
    def __init__(self, runtime, journal_path):
        self.runtime, self._path = runtime, journal_path
        self.supervisor = runtime.probe("brokers")
        self.start()

    def start(self):
        args = IbPool.Args(journal_path=self._path, supervisor=self.supervisor.ref, connection=spec)
        self.runtime.launch("brokers/pool", IbPool, args, supervised=True)
        self.ref = self.runtime.ref("brokers/pool")
        self.runtime.run_until_idle()

    def lease(self, strategy):
        self.ref.tell(LeaseConnection(strategy))
        self.runtime.run_until_idle()


@pytest.fixture
def pool(runtime, journal_path):
    return Pool(runtime, journal_path)


def test_a_lease_starts_the_connection_of_the_strategy_under_the_supervisor(pool):
    pool.lease("trend")
    pool.supervisor.expect_message(StartChild(spec(1)))


def test_a_second_lease_of_the_same_strategy_starts_nothing(pool):
    pool.lease("trend")
    pool.lease("trend")
    pool.supervisor.expect(StartChild)
    pool.supervisor.expect_nothing()


def test_each_strategy_has_its_own_client_id_which_is_none_of_the_fixed_ones(pool):
    for name in ("a", "b", "c"):
        pool.lease(name)
    ids = [message.spec.args for message in pool.supervisor.receive(3)]
    assert len(set(ids)) == 3
    assert not {MASTER_CLIENT, DATA_CLIENT} & set(ids)


def test_client_ids_stay_over_a_crash_whatever_comes_first_then(pool):
    pool.lease("a")
    pool.lease("b")
    before = {m.spec.args for m in pool.supervisor.receive(2)}
    pool.ref.signal(Crash())
    pool.runtime.run_until_idle()
    pool.start()
    pool.lease("b")
    assert pool.supervisor.expect(StartChild).spec.args == 2
    assert before == {1, 2}


def test_a_restarted_pool_knows_the_connections_that_are_there(pool):
    for client_id in (MASTER_CLIENT, 1, DATA_CLIENT):
        pool.runtime.spawn(Silent, name=f"brokers/{connection_name(client_id)}")
    pool.ref.signal(Crash())
    pool.runtime.run_until_idle()
    pool.start()
    pool.lease("a")
    pool.supervisor.expect_nothing()


def test_only_connections_that_carry_orders_announce_themselves_again(pool):
    line = {name: pool.runtime.probe(name) for name in ("ib-0", "ib-1", "ib-2", "ib-99")}
    for name, inbox in line.items():
        launch_relay(pool.runtime, f"brokers/{name}", inbox)
    pool.lease("a")
    pool.lease("b")
    pool.ref.tell(Republish())
    for name in ("ib-1", "ib-2"):
        line[name].expect_message(RequestSnapshot())
    for name in ("ib-0", "ib-99"):
        line[name].expect_nothing()


def test_a_connection_that_was_not_started_yet_announces_itself_when_it_is(pool):
    pool.lease("a")
    pool.ref.tell(Republish())
    pool.runtime.run_until_idle()
    assert len(pool.runtime.ref("brokers/ib-1").mailbox) == 0
