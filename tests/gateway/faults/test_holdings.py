"""An account holds whatever people hold: contracts of every type, listed or not, at their cost."""

import msgspec
import pytest

from mats.gateway import PaperGateway
from mats.gateway.faults.fault_types import Hold

HELD = {
    "a European index option": Hold(
        local_symbol="C OESX  20261218 4775 M", symbol="ESTX50", sec_type="OPT", expiry="20261218", strike=4775,
        right="C", multiplier=10, currency="EUR", trading_class="OESX", con_id=700000001, quantity=2, cost=1250.5,
    ),
    "a contract for difference": Hold(
        symbol="IBUS500", sec_type="CFD", trading_class="IBUS500", con_id=120000001, quantity=3, cost=5900.1
    ),
    "an option on a future": Hold(
        local_symbol="EW4Z6 C6000", symbol="ES", sec_type="FOP", expiry="20261230", strike=6000, right="C",
        multiplier=50, trading_class="EW4", exchange="CME", con_id=710000001, quantity=1, cost=4012.5,
    ),
    "a preferred share": Hold(symbol="BAC PRL", con_id=620000001, quantity=5, cost=1200.0),
    "nothing of an expired option": Hold(
        local_symbol="SPXW  261106C06935000", symbol="SPX", sec_type="OPT", expiry="20261106", strike=6935, right="C",
        multiplier=100, trading_class="SPXW", con_id=835206813, quantity=0,
    ),
    "a share of Taiwan": Hold(
        symbol="2330", local_symbol="2330", trading_class="2330", currency="TWD", primary_exchange="TWSE",
        con_id=640000001, quantity=1000, cost=600.0,
    ),
    "the DAX": Hold(
        symbol="DAX", sec_type="FUT", expiry="20261218", multiplier=25, currency="EUR", exchange="EUREX",
        trading_class="FDAX", quantity=1, cost=450000,
    ),
    "the mini of the DAX": Hold(
        symbol="DAX", sec_type="FUT", expiry="20261218", multiplier=5, currency="EUR", exchange="EUREX",
        trading_class="FDXM", quantity=3, cost=90000,
    ),
    "silver": Hold(
        symbol="SI", sec_type="FUT", expiry="20261229", multiplier=5000, exchange="COMEX", trading_class="SI",
        quantity=1, cost=150000,
    ),
    "micro silver": Hold(
        symbol="SI", sec_type="FUT", expiry="20261229", multiplier=1000, exchange="COMEX", trading_class="SIL",
        quantity=-1, cost=30000,
    ),
    "a pair": Hold(
        symbol="USD", sec_type="CASH", currency="CAD", exchange="IDEALPRO", con_id=15016062, quantity=12345.67,
        cost=1.37,
    ),
    "a weekly index option": Hold(
        local_symbol="SPXW  261218C06000000", symbol="SPX", sec_type="OPT", expiry="20261218", strike=6000, right="C",
        multiplier=100, trading_class="SPXW", quantity=1, cost=3010.5,
    ),
    "crypto": Hold(symbol="BTC", sec_type="CRYPTO", exchange="PAXOS", quantity=0.25, cost=61000),
    "a bond": Hold(symbol="US-T", sec_type="BOND", quantity=10000, cost=0.97, multiplier=0.01),
}  # fmt: skip

SYMBOL, TYPE, EXPIRY, STRIKE, RIGHT, MULTIPLIER, EXCHANGE, CURRENCY, LOCAL, CLASS, QUANTITY, COST = range(4, 16)


def row_of(wire, fault):
    """The newest position of a contract, as the fields of its message."""
    wanted = (fault.symbol, fault.sec_type, fault.expiry)
    rows = [row for row in wire.messages("61") if (row[SYMBOL], row[TYPE], row[EXPIRY]) == wanted]
    return next((r for r in reversed(rows) if fault.trading_class in ("", r[CLASS])), None)


@pytest.mark.parametrize("name", HELD)
async def test_an_account_can_hold_it(gateway, wire, wires, name):
    fault = HELD[name]
    wire.call("reqPositions")
    gateway.faults.arm(fault)
    row = await wire.until(lambda: row_of(wire, fault))
    assert float(row[QUANTITY]) == fault.quantity and row[EXCHANGE] == ""
    assert float(row[COST]) == pytest.approx(fault.cost) and row[CURRENCY] == fault.currency
    assert row[STRIKE] == str(float(fault.strike)) and row[RIGHT] == fault.right
    has_none = fault.sec_type in ("STK", "CASH", "CRYPTO", "BOND")
    assert row[MULTIPLIER] == ("" if has_none else str(fault.multiplier or 1))
    wire.seen.clear()
    wire.call("reqPositions")
    await wire.until(lambda: wire.messages("62"))
    assert row_of(wire, fault) == row
    wire.call("reqContractDetails", 9, wires.Contract(conId=int(row[3])))
    await wire.until(lambda: wire.messages("10", "18"))
    assert {message[12 if message[0] == "10" else 19] for message in wire.messages("10", "18")} == {row[3]}


async def test_a_description_of_several_contracts_is_refused(gateway, wire):
    with pytest.raises(ValueError, match="fits several contracts: FDAX"):
        gateway.faults.arm(msgspec.structs.replace(HELD["the DAX"], trading_class="", multiplier=0))
    with pytest.raises(LookupError, match="account 'DU7' is unknown"):
        gateway.faults.arm(Hold(symbol="SPY", quantity=1, account="DU7"))
    with pytest.raises(ValueError, match="con_id is missing"):
        gateway.faults.arm(Hold(symbol="NOPE", quantity=1))


async def test_what_is_not_listed_is_valued_and_can_be_sold(gateway, wire, wires, clock):
    wire.call("reqAccountUpdates", True, "")
    gateway.faults.arm(HELD["a share of Taiwan"])
    await wire.until(lambda: wire.messages("7"))
    wire.place(1, wires.MarketOrder("SELL", 1000), wires.Contract(conId=640000001))
    await wire.settled()
    await clock.advance(2_000_000_000)
    await wire.until(lambda: wire.messages("59"))
    assert gateway.account_service.accounts["DU1000001"].quantity("2330.TWD") == 0


def test_an_unlisted_holding_survives_a_restart(wires, tmp_path):
    async def scenario():
        state = tmp_path / "gateway.db"
        async with PaperGateway(state=state) as gateway:
            gateway.faults.arm(HELD["an option on a future"])
        async with PaperGateway(state=state) as gateway, wires.client(gateway) as wire:
            wire.call("reqPositions")
            await wire.until(lambda: row_of(wire, HELD["an option on a future"]))

    wires.run(scenario())
