"""The strategy manager: faults are named and the rest starts; weights must fit; what runs is what runs."""

import pytest

from actors.messages.ib_pool import LeaseConnection
from actors.messages.persistence_writer import ReadTable, SeedStrategies, StrategiesRead
from actors.messages.portfolio_manager import SetWeights
from actors.messages.strategy import StopTrading, StrategyLoaded, StrategyStarted
from actors.messages.strategy_manager import ParkStrategy, ReadStrategies, StartStrategy, StopStrategy
from actors.messages.subscription import Republish
from actors.strategy import StrategyActor
from actors.strategy_manager import StrategyManager
from mats.model.strategy_table import StrategyRecord
from mats.runtime import Actor, ChildFailed, Crash, OwnProcess, Park, StartChild, StopChild, Unpark


class Child(Actor):
    """Stands for a running strategy: ends when it is told to."""

    def on_receive(self, message):
        if isinstance(message, StopTrading):
            self.stop()


class World:
    def __init__(self, runtime, folder):
        self.runtime, self.folder = runtime, folder
        names = ("store", "pool", "strategies", "risk", "portfolio")
        self.store, self.pool, self.supervisor, self.risk, self.portfolio = map(runtime.probe, names)
        self.launch()

    def launch(self, allow_leverage=False, host="thread"):
        args = StrategyManager.Args(
            seeds=(record("seed"),), folder=self.folder, intent_prefix="tag-1", allow_leverage=allow_leverage,
            host=host,
            supervisor=self.supervisor.ref, store=self.store.ref, pool=self.pool.ref,
            market_data=self.runtime.ref("market"), risk=self.risk.ref, orders=self.runtime.ref("orders"),
            portfolio=self.portfolio.ref,
        )  # fmt: skip
        self.runtime.launch("manager", StrategyManager, args, supervised=True)
        self.ref = self.runtime.ref("manager")
        self.runtime.run_until_idle()

    def tell(self, *messages):
        for message in messages:
            self.ref.tell(message)
        self.runtime.run_until_idle()

    def table(self, *records):
        self.tell(StrategiesRead(records))

    def read(self):
        return self.ref.ask(ReadStrategies(), timeout=1.0)

    def asked(self):
        """What the supervisor was asked since the last time."""
        self.runtime.run_until_idle()
        asked = []
        while (envelope := self.supervisor._take(0.0)) is not None:
            asked.append(envelope.message)
        return asked

    def started(self):
        return [message.spec.name for message in self.asked() if isinstance(message, StartChild)]

    def run(self, name):
        """The supervisor starts the child, and the child says that it runs."""
        self.runtime.launch(f"strategies/{name}", Child, supervised=True)
        self.tell(StrategyStarted(name))
        self.asked()
        return self.runtime.ref(f"strategies/{name}")


def record(name, file="good.py", class_name="Good", weight=0.1, **more):
    return StrategyRecord(name=name, file=file, class_name=class_name, target_weight=weight, **more)


@pytest.fixture
def world(runtime, tmp_path):
    return World(runtime, tmp_path)


def test_it_seeds_the_table_and_knows_nothing_until_the_store_hands_it_out(world):
    world.store.expect_message(SeedStrategies((record("seed"),), world.ref))
    assert not world.read().loaded
    world.table()
    assert world.read().loaded


def test_every_active_strategy_gets_a_connection_and_is_started(world):
    world.table(record("a"), record("b", active=False), record("c"))
    starts = [message.spec for message in world.asked() if isinstance(message, StartChild)]
    assert [(spec.name, spec.actor, spec.restart, spec.over_limit) for spec in starts] == [
        ("a", StrategyActor, "transient", "park"),
        ("c", StrategyActor, "transient", "park"),
    ]
    assert (starts[0].args.record, starts[0].args.manager) == (record("a"), world.ref)
    assert world.pool.receive(2) == [LeaseConnection("a"), LeaseConnection("c")]
    assert world.read().faults == {}


def test_weights_are_shared_before_anything_is_started(world):
    world.table(record("a"), record("b", active=False))
    weights = SetWeights((record("a"),))
    world.pool.expect(LeaseConnection)
    for informed in (world.portfolio, world.risk):
        informed.expect_message(weights)
        assert informed.last.id < world.pool.last.id
    world.tell(Republish())
    world.risk.expect_message(weights)


def test_all_files_are_read_at_once_and_a_fault_is_named_while_the_others_start(world):
    world.table(record("a"), record("bad"), record("c"))
    assert world.started() == ["a", "bad", "c"]
    assert world.read().loading == {"a", "bad", "c"}
    world.tell(StrategyLoaded("a"), StrategyLoaded("bad", "no such file"), StrategyLoaded("c"))
    assert world.read().loading == frozenset()
    assert world.read().faults == {"bad": "no such file"}
    assert world.asked() == [StopChild("bad")]


def test_a_file_that_is_never_read_to_its_end_is_a_fault_and_not_tried_again(world):
    world.table(record("a"), record("hangs"))
    world.asked()
    world.tell(ChildFailed("strategies/hangs", 1, "abandoned", "abandoned"))
    assert "was not loaded within 20 s" in world.read().faults["hangs"]
    assert world.read().loading == {"a"}
    assert world.asked() == [StopChild("hangs")]


def test_a_start_that_fails_is_left_to_the_supervisor(world):
    world.table(record("a"))
    world.asked()
    world.tell(ChildFailed("strategies/a", 1, "start_failed", "the process of strategies/a ended with SIGSEGV"))
    assert (world.read().loading, world.read().faults, world.asked()) == (frozenset(), {}, [])


@pytest.mark.parametrize(
    ("given", "default", "process"),
    [
        ({}, "thread", None),
        ({"host": "thread"}, "process", None),
        ({}, "process", OwnProcess()),
        ({"host": "process"}, "thread", OwnProcess()),
        ({"process": "pair", "memory_mb": 100}, "thread", OwnProcess(name="pair", memory_mb=100)),
    ],
)
def test_a_strategy_runs_where_its_record_or_the_settings_say(world, given, default, process):
    world.ref.signal(Crash())
    world.runtime.run_until_idle()
    world.launch(host=default)
    world.table(record("a", **given))
    assert [message.spec.process for message in world.asked() if isinstance(message, StartChild)] == [process]


def test_weights_above_one_start_nobody_and_say_why(world):
    world.table(record("a", weight=0.7), record("b", weight=0.4))
    assert world.started() == []
    world.pool.expect_nothing()
    faults = world.read().faults
    assert set(faults) == {"a", "b"}
    assert faults["a"].startswith(
        "target weights of the first account sum to 1.1 (a 0.7, b 0.4); lower them to at most 1"
    )


def test_inactive_weights_do_not_count_and_leverage_can_be_allowed(world, runtime, tmp_path):
    world.table(record("a", weight=0.7), record("b", weight=0.4, active=False))
    assert world.started() == ["a"]
    world.ref.signal(Crash())
    runtime.run_until_idle()
    world.launch(allow_leverage=True)
    world.table(record("c", weight=0.7), record("d", weight=0.4))
    assert world.started() == ["c", "d"]


# By hand


def test_an_inactive_strategy_is_started_by_hand_and_then_its_weight_is_known(world):
    world.table(record("a"), record("b", active=False))
    world.asked()
    world.risk.expect(SetWeights)
    world.tell(StartStrategy("b"))
    assert world.started() == ["b"]
    assert world.risk.expect(SetWeights).records == (record("a"), record("b", active=False))


def test_a_start_by_hand_that_would_exceed_the_weights_is_refused(world):
    world.table(record("a", weight=0.7), record("b", weight=0.4, active=False))
    world.asked()
    world.tell(StartStrategy("b"))
    assert world.asked() == []
    assert "target weights of the first account sum to 1.1" in world.read().faults["b"]


def test_a_stopped_strategy_makes_room_for_another(world):
    world.table(record("a", weight=0.7), record("b", weight=0.4, active=False))
    world.run("a")
    world.tell(StopStrategy("a"), StartStrategy("b"))
    assert world.started() == ["b"]


def test_a_strategy_that_nobody_knows_is_neither_started_nor_stopped(world):
    world.table(record("a"))
    world.asked()
    world.tell(StartStrategy("ghost"), StopStrategy("ghost"))
    assert world.asked() == []
    assert world.runtime.ref("strategies/ghost").mailbox.pending == 0


def test_a_stop_before_the_first_start_does_not_stop_the_next_start(world):
    world.table(record("a"))
    world.tell(StrategyLoaded("a", "no such file"), StopStrategy("a"))
    assert world.runtime.ref("strategies/a").mailbox.pending == 0


def test_a_stopped_strategy_ends_in_order_and_is_forgotten_then(world):
    world.table(record("a"))
    child = world.run("a")
    assert world.read().running == {"a"}
    world.tell(StopStrategy("a"))
    assert world.asked() == [StopChild("a")]
    assert not child.is_alive()
    assert world.read().running == frozenset()


def test_a_strategy_that_fails_is_left_to_its_supervisor_and_not_called_running(world):
    world.table(record("a"))
    child = world.run("a")
    child.signal(Crash())
    assert world.asked() == []
    assert world.read().running == frozenset()
    world.run("a")
    assert world.read().running == {"a"}


def test_parking_goes_to_the_supervisor_and_a_start_unparks_first(world):
    world.table(record("a"))
    world.asked()
    world.tell(ParkStrategy("a", "by hand"), StartStrategy("a"))
    asked = world.asked()
    assert asked[:2] == [Park("a", "by hand"), Unpark("a")]
    assert asked[2].spec.name == "a"


def test_a_restarted_manager_leaves_running_strategies_alone(world, runtime):
    world.table(record("a"), record("b"))
    world.run("a")
    world.ref.signal(Crash())
    runtime.run_until_idle()
    world.launch()
    world.table(record("a"), record("b"))
    assert world.started() == ["b"]


def test_a_mended_fault_is_forgotten_when_the_strategy_starts(world):
    world.table(record("a"))
    world.tell(StrategyLoaded("a", "no such file"))
    assert "a" in world.read().faults
    world.asked()
    world.tell(StartStrategy("a"))
    assert world.started() == ["a"]
    assert world.read().faults == {}


def test_a_start_by_hand_before_the_table_is_there_waits_for_it(world):
    world.tell(StartStrategy("resting"))
    assert world.started() == []
    world.table(record("resting", active=False))
    assert world.started() == ["resting"]


# The table while the daemon runs


def test_a_strategy_that_turns_active_while_the_daemon_runs_is_started_by_itself(world):
    world.table(record("a"), record("b", active=False))
    world.asked()
    world.table(record("a"), record("b"), record("new"))
    assert world.started() == ["b", "new"]
    world.table(record("a"), record("b"), record("new"))
    assert world.started() == []


def test_the_table_is_asked_for_again_within_five_seconds(world, runtime):
    world.table(record("a", active=False))
    world.store.receive(1)
    runtime.advance(5.0)
    world.store.expect_message(ReadTable(world.ref))
    world.table(record("a"))
    assert world.started() == ["a"]


def test_a_strategy_that_turns_inactive_is_stopped_in_order_and_makes_room(world):
    world.table(record("a", weight=0.7), record("b", weight=0.4, active=False))
    child = world.run("a")
    world.table(record("a", weight=0.7, active=False), record("b", weight=0.4))
    asked = world.asked()
    assert StopChild("a") in asked
    assert [message.spec.name for message in asked if isinstance(message, StartChild)] == ["b"]
    assert not child.is_alive()
    assert world.read().refused == ""


def test_a_strategy_that_would_exceed_the_weights_is_not_started_and_the_table_says_why(world):
    world.table(record("a", weight=0.7), record("b", weight=0.4, active=False))
    world.run("a")
    world.table(record("a", weight=0.7), record("b", weight=0.4))
    assert world.started() == []
    assert "target weights of the first account sum to 1.1" in world.read().refused
    assert not world.read().records[1].active
    world.table(record("a", weight=0.6), record("b", weight=0.4))
    assert world.started() == ["b"]


def test_what_was_stopped_by_hand_stays_stopped_when_its_record_changes(world):
    world.table(record("a"))
    world.run("a")
    world.tell(StopStrategy("a"))
    world.asked()
    world.table(record("a", weight=0.2))
    assert world.started() == []


def test_what_was_started_by_hand_goes_on_when_its_inactive_record_changes(world):
    world.table(record("a", active=False))
    world.tell(StartStrategy("a"))
    child = world.run("a")
    world.table(record("a", active=False, weight=0.2))
    assert world.asked() == []
    assert child.is_alive()


def test_a_table_that_mends_a_fault_starts_what_was_down_for_it(world):
    world.table(record("a", weight=0.7), record("b", weight=0.4))
    assert world.started() == []
    world.table(record("a", weight=0.6), record("b", weight=0.4))
    assert world.started() == ["a", "b"]
    assert world.read().faults == {}


def test_a_strategy_that_is_asked_for_again_while_it_ends_starts_after_its_end(world, runtime):
    world.table(record("a"))
    world.run("a")
    runtime.pause(world.runtime.ref("strategies/a"))
    world.table(record("a", active=False))
    world.table(record("a"))
    assert world.asked() == []
    runtime.resume(world.runtime.ref("strategies/a"))
    assert [type(message) for message in world.asked()] == [StopChild, Unpark, StartChild]


# A store that is away


def test_while_the_store_is_away_strategies_start_from_the_table_that_was_read_last(world):
    world.tell(StrategiesRead((record("a"),), away="the store is away since noon"))
    assert world.started() == ["a"]
    assert (world.read().loaded, world.read().away) == (True, "the store is away since noon")
    world.table(record("a"), record("b"))
    assert world.started() == ["b"], "what was read later counts as a change"
    assert world.read().away == ""


def test_without_a_table_that_was_ever_read_strategies_wait_and_say_for_what(world):
    world.tell(StrategiesRead((), away="the store is away since noon"))
    assert (world.read().loaded, world.read().away) == (False, "the store is away since noon")
    assert world.asked() == []
    world.table(record("a"))
    assert world.started() == ["a"]


def test_an_outage_changes_nothing_of_a_table_that_is_in_force(world):
    world.table(record("a"))
    world.run("a")
    world.tell(StrategiesRead((), away="the store is away since noon"))
    assert world.read().running == {"a"}
    assert world.asked() == []
