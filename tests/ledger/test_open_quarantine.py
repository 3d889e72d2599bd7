"""The open items of the quarantine in memory: what stops the same trading is one place, and no fact looks at all."""

import pytest
from msgspec.structs import replace

from mats.ledger.quarantine import OpenItems, QuarantineItem, QuarantineKind


def an_item(number: int, instrument: str = "SPY", kind: QuarantineKind = QuarantineKind.EXECUTION) -> QuarantineItem:
    return QuarantineItem(
        key=f"{kind}/{number}",
        kind=kind,
        fault="x",
        fields={"exec_id": f"e{number}"},
        source="ib-1",
        time=1,
        instrument=instrument,
        number=number,
    )


def ids(items: OpenItems) -> list[str]:
    return [place.id for place in items.places]


def test_of_items_that_stop_the_same_trading_one_place_stands_for_all_until_the_last_is_resolved() -> None:
    items = OpenItems(an_item(number) for number in range(1, 1_001))
    items.add(an_item(2_000, "QQQ"))
    assert ids(items) == ["Q1", "Q2000"]
    items.remove("execution/1")
    assert ids(items) == ["Q2", "Q2000"]
    for number in range(2, 1_001):
        items.remove(f"execution/{number}")
    assert ids(items) == ["Q2000"]
    assert len(items) == 1


def test_what_names_nothing_stops_nobody() -> None:
    assert OpenItems([an_item(1, "")]).places == ()


def test_an_entry_that_was_set_aside_is_found_by_its_execution_until_it_is_resolved() -> None:
    entry = an_item(7, kind=QuarantineKind.ENTRY)
    items = OpenItems([an_item(6), entry])
    assert items.entry_of("e7") is entry
    assert items.entry_of("e6") is None, "an execution that was never booked"
    items.remove(entry.key)
    assert items.entry_of("e7") is None


def test_when_it_is_full_it_stops_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mats.ledger.quarantine.open_items.MOST_ITEMS", 3)
    items = OpenItems(an_item(number) for number in range(3))
    assert items.full
    assert [place.is_everywhere for place in items.places] == [False, True]
    assert items.places[-1].holds_instrument("DU1", "any")
    items.remove("execution/0")
    assert not any(place.is_everywhere for place in items.places)


def test_items_are_counted_by_kind() -> None:
    items = OpenItems([an_item(1), replace(an_item(2), kind=QuarantineKind.MESSAGE)])
    assert (items.count(QuarantineKind.MESSAGE), items.count(QuarantineKind.EXECUTION)) == (1, 1)
