"""What people hold arrives as positions, each under a name of its own, whatever the type of the contract."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mats.gateway import PaperGateway
from mats.ib import MASTER
from mats.ib.events import DecodeFailed, PositionReported
from mats.instruments import InstrumentRegistry, MemoryRecords, parse_instrument
from mats.ledger.reconciliation.comparison import aggregate
from tests.holdings import HELD


async def test_all_of_it_is_reported_named_apart_and_resolved_to_itself(open_session: Callable[..., Any]) -> None:
    registry = InstrumentRegistry(MemoryRecords())
    async with PaperGateway(port=0, seed=1) as gateway:
        for held in HELD.values():
            gateway.faults.arm(held)
        async with open_session(gateway.port, client_id=MASTER, instruments=registry) as (session, recorded, _):
            snapshot = await session.snapshot(20)
            assert recorded.of(DecodeFailed) == []
            rows = {row.instrument: row for row in aggregate(snapshot.positions)}
            assert rows.keys() == HELD.keys()
            for name, held in HELD.items():
                row = rows[name]
                assert row.quantity == Decimal(str(held.quantity)), name
                assert float(row.average_cost) == pytest.approx(held.cost), name
                assert row.currency == held.currency
                if held.quantity:
                    resolved = await session.resolve(parse_instrument(name))
                    assert (resolved.id, resolved.con_id) == (name, row.con_id)
            assert len({row.con_id for row in rows.values()}) == len(HELD)
            assert len(recorded.of(PositionReported)) >= len(HELD)
