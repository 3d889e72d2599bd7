"""The pool: each strategy has one connection, always under the same client id, started once."""

import pytest

from actors.base.broker_connection import BrokerConnection
from actors.ib_pool import DATA_CLIENT, MASTER_CLIENT, Connector, IbPool, connection_name
from actors.messages.broker import RequestSnapshot
from actors.messages.ib_pool import LeaseConnection, ResyncConnections
from mats.runtime import Actor, Crash, StartChild


class Silent(Actor):
    def on_receive(self, message):
        return None


class Pool:
    def __init__(self, runtime, journal_path):
        self.runtime, self._path = runtime, journal_path
        self.supervisor, self.listener = runtime.probe("brokers"), runtime.probe("orders")
        self.start()

    def start(self):
        connector = Connector(BrokerConnection, {"desks": "the desks"})
        args = (self._path, self.supervisor.ref, connector, (self.listener.ref,))
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
    spec = pool.supervisor.expect(StartChild).spec
    assert (spec.name, spec.actor, spec.over_limit) == ("ib-1", BrokerConnection, "keep")
    assert spec.args == {"client_id": 1, "listeners": (pool.listener.ref,), "desks": "the desks"}


def test_a_second_lease_of_the_same_strategy_starts_nothing(pool):
    pool.lease("trend")
    pool.lease("trend")
    pool.supervisor.expect(StartChild)
    pool.supervisor.expect_nothing()


def test_each_strategy_has_its_own_client_id_which_is_none_of_the_fixed_ones(pool):
    for name in ("a", "b", "c"):
        pool.lease(name)
    ids = [message.spec.args["client_id"] for message in pool.supervisor.receive(3)]
    assert len(set(ids)) == 3
    assert not {MASTER_CLIENT, DATA_CLIENT} & set(ids)


def test_client_ids_stay_over_a_crash_whatever_comes_first_then(pool):
    pool.lease("a")
    pool.lease("b")
    before = {m.spec.args["client_id"] for m in pool.supervisor.receive(2)}
    pool.ref.signal(Crash())
    pool.runtime.run_until_idle()
    pool.start()
    pool.lease("b")
    assert pool.supervisor.expect(StartChild).spec.args["client_id"] == 2
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
    line = {name: pool.runtime.probe(f"brokers/{name}") for name in ("ib-0", "ib-1", "ib-2", "ib-99")}
    pool.lease("a")
    pool.lease("b")
    pool.ref.tell(ResyncConnections())
    for name in ("ib-1", "ib-2"):
        line[name].expect_message(RequestSnapshot())
    for name in ("ib-0", "ib-99"):
        line[name].expect_nothing()
