"""Every future of a table of real ones can be described, quoted, ordered, filled and held at its true value."""

import os
from decimal import Decimal
from pathlib import Path

import pytest
from ib_async import Future, MarketOrder

from mats.gateway import LOOSE, PaperGateway
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock
from tests.gateway.instrument_files import read_futures, write_instruments

NOW = 1_795_000_000 * SECOND
DATA = Path(os.environ.get("MATS_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
TABLE = DATA / "contracts" / "futures.csv"


@pytest.mark.skipif(not TABLE.exists(), reason="needs the table of real futures")
def test_each_is_described_quoted_ordered_filled_and_held_by_itself(bench, tmp_path):
    rows = read_futures(TABLE)
    path = write_instruments(rows, tmp_path / "futures.toml")

    async def scenario():
        clock = SteppedClock(NOW)
        options = {"instruments": path, "clock": clock, "limits": LOOSE, "cash": Decimal(10) ** 12}
        async with PaperGateway(**options) as gateway, bench.client(gateway, 1) as ib:
            trades = {}
            for row in rows:
                wanted = Future(row["symbol"], "20261218", row["exchange"], currency=row["currency"])
                wanted.tradingClass = row["trading_class"]
                (details,) = await ib.reqContractDetailsAsync(wanted)
                assert details.contract.conId == int(row["con_id"])
                assert Decimal(details.contract.multiplier) == Decimal(row["multiplier"])
                assert Decimal(details.priceMagnifier) == Decimal(row["price_magnifier"])
                ticker = ib.reqMktData(details.contract)
                trades[details.contract.conId] = row, ib.placeOrder(details.contract, MarketOrder("BUY", 2)), ticker
            await ib.reqCurrentTimeAsync()
            await clock.advance(SECOND)
            await bench.until(lambda: len(ib.positions()) == len(rows))
            held = {position.contract.conId: position for position in ib.positions()}
            for con_id, (row, trade, ticker) in trades.items():
                unit = float(row["multiplier"]) / float(row["price_magnifier"])
                assert trade.orderStatus.status == "Filled" and ticker.bid > 0
                assert held[con_id].position == 2
                assert held[con_id].avgCost == pytest.approx(trade.orderStatus.avgFillPrice * unit)

    bench.run(scenario())
