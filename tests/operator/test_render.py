"""What a person reads in the status."""

from decimal import Decimal
from io import StringIO

from rich.console import Console

from mats.ledger.quarantine import QuarantineItem, QuarantineKind
from mats.model import SECOND, OrderDoubt, OrderState, OrderTicket, OrderView, Side
from mats.operator import protocol, render
from mats.runtime import ActorStatus, MessageStats


def actor(name: str, **fields: object) -> ActorStatus:
    usual = {"actor": "A", "state": "running", "incarnation": 1, "restarts": 0, "depth": 0, "conflated": 0}
    return ActorStatus(name=name, **usual | {"last_failure": "", "since": 0, "parked": ""} | fields)  # type: ignore[arg-type]


def status_with(**fields: object) -> protocol.DaemonStatus:
    unknown = dict.fromkeys(("strategies", "halts", "equity", "overcommitted", "orders", "breaks", "entries"))
    usual = {"time": 0, "actors": (), "compared_seconds_ago": None, "dead_letters": 0}
    return protocol.DaemonStatus(**unknown | usual | fields)  # type: ignore[arg-type]


def stats(message: str, **fields: object) -> MessageStats:
    usual = {"name": "core/risk", "count": 0, "per_second": 0.0, "depth": 0, "timed": 0}
    times = dict.fromkeys(("queue_ns", "queue_max_ns", "handling_ns", "handling_max_ns"), 0)
    return MessageStats(message=message, **usual | times | fields)  # type: ignore[arg-type]


def test_the_messages_of_each_actor_are_shown_with_mean_and_longest_times() -> None:
    times = {"queue_ns": 3_000_000, "queue_max_ns": 2_000_000_000, "handling_ns": 90_000, "handling_max_ns": 70_000}
    answer = status_with(
        messages=(stats("Fill", count=12_345, per_second=1.26, depth=7, timed=3, **times), stats("Halt", depth=1))
    )
    console = Console(width=200)
    with console.capture() as shown:
        console.print(render.messages(answer))
    lines = [line.split() for line in shown.get().splitlines() if line.strip().startswith("core/risk")]
    assert lines == [
        "core/risk Fill 12,345 1.3 7 1.0 ms 2.00 s 30 µs 70 µs".split(),
        "core/risk Halt 0 0.0 1 - - - -".split(),
    ]


def test_the_status_says_who_is_behind_and_what_it_lacks() -> None:
    actors = (
        actor("core/risk", depth=20_000, refused=12, behind="OrderRequest, Signal", last_failure="ValueError: old"),
        actor("core/orders", refused=3, last_failure="ValueError: why"),
    )
    answer = status_with(actors=actors)
    console = Console(width=200)
    with console.capture() as shown:
        console.print(render.status(answer))
    risk, orders = (line for line in shown.get().splitlines() if line.strip().startswith("core/"))
    assert "its mailbox is full: it lacks OrderRequest, Signal (12 refused)" in risk
    assert orders.rstrip().endswith("ValueError: why")


def test_an_item_in_quarantine_says_what_waits_for_it_and_what_was_received() -> None:
    item = QuarantineItem(
        key="execution/a.01",
        kind=QuarantineKind.EXECUTION,
        fault="multiplier 0 is not above zero",
        fields={"exec_id": "a.01", "multiplier": "0"},
        source="brokers/ib-0",
        time=0,
        instrument="SPY",
        strategy="trend",
        number=3,
    )
    console = Console(width=200, record=True, file=StringIO())
    console.print(render.quarantine([item]))
    console.print(render.one_quarantined(item))
    text = console.export_text()
    assert "Q3" in text
    assert "multiplier 0 is not above zero" in text
    assert "SPY and trend take no new risk until it is resolved" in text
    assert "multiplier = 0" in text


def test_an_order_in_doubt_is_shown_with_its_reason_and_the_words_of_the_broker() -> None:
    order = OrderView(
        intent_id="a1-7", strategy="trend", account="DU1", instrument="SPY", side=Side.BUY, quantity=Decimal(10),
        ticket=OrderTicket(), state=OrderState.UNKNOWN, doubt=OrderDoubt.INACTIVE, updated=5 * SECOND,
        note="the broker reports Inactive", said="201: no margin",
    )  # fmt: skip
    console = Console(width=250, record=True, file=StringIO())
    console.print(render.orders(protocol.OrderLines(time=65 * SECOND, orders=(order,))))
    console.print(render.status(status_with(orders=(order,))))
    text = console.export_text()
    assert "UNKNOWN INACTIVE  60 s" in text
    assert "mats orders settle ORDER --as cancelled|filled" in text
    assert "the broker reports Inactive; the broker said 201: no margin" in text
    none = Console(width=250, record=True, file=StringIO())
    none.print(render.orders(protocol.OrderLines(time=0, orders=())))
    assert none.export_text().strip().endswith("no order works")
