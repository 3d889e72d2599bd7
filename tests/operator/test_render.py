"""What a person reads in the status."""

from io import StringIO

from rich.console import Console

from mats.ledger.quarantine import QuarantineItem, QuarantineKind
from mats.operator import protocol, render
from mats.runtime import ActorStatus


def actor(name: str, **fields: object) -> ActorStatus:
    usual = {"actor": "A", "state": "running", "incarnation": 1, "restarts": 0, "depth": 0, "conflated": 0}
    return ActorStatus(name=name, **usual | {"last_failure": "", "since": 0, "parked": ""} | fields)  # type: ignore[arg-type]


def test_the_status_says_who_is_behind_and_what_it_lacks() -> None:
    actors = (
        actor("core/risk", depth=20_000, refused=12, behind="OrderRequest, Signal", last_failure="ValueError: old"),
        actor("core/orders", refused=3, last_failure="ValueError: why"),
    )
    answer = protocol.DaemonStatus(
        time=0,
        actors=actors,
        strategies=None,
        halts=None,
        equity=None,
        overcommitted=None,
        orders=None,
        breaks=None,
        compared_seconds_ago=None,
        entries=None,
        dead_letters=0,
    )
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
