"""An account holds whatever people hold: contracts of every type, listed or not, at their cost."""

import msgspec
import pytest

from mats.gateway import PaperGateway
from mats.gateway.faults.fault_types import Hold
from tests.holdings import HELD

ALL = HELD | {"US-T:BOND": Hold(symbol="US-T", sec_type="BOND", quantity=10000, cost=0.97, multiplier=0.01)}

SYMBOL, TYPE, EXPIRY, STRIKE, RIGHT, MULTIPLIER, EXCHANGE, CURRENCY, LOCAL, CLASS, QUANTITY, COST = range(4, 16)


def row_of(wire, fault):
    """The newest position of a contract, as the fields of its message."""
    wanted = (fault.symbol, fault.sec_type, fault.expiry)
    rows = [row for row in wire.messages("61") if (row[SYMBOL], row[TYPE], row[EXPIRY]) == wanted]
    return next((r for r in reversed(rows) if fault.trading_class in ("", r[CLASS])), None)


@pytest.mark.parametrize("name", ALL)
async def test_an_account_can_hold_it(gateway, wire, wires, name):
    fault = ALL[name]
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
        gateway.faults.arm(msgspec.structs.replace(HELD["DAX:20261218:FDAX"], trading_class="", multiplier=0))
    with pytest.raises(LookupError, match="account 'DU7' is unknown"):
        gateway.faults.arm(Hold(symbol="SPY", quantity=1, account="DU7"))
    with pytest.raises(ValueError, match="con_id is missing"):
        gateway.faults.arm(Hold(symbol="NOPE", quantity=1))


async def test_what_is_not_listed_is_valued_and_can_be_sold(gateway, wire, wires, clock):
    wire.call("reqAccountUpdates", True, "")
    gateway.faults.arm(HELD["2330.TWD"])
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
            gateway.faults.arm(HELD["ES:20261230:6000:C:EW4:FOP"])
        async with PaperGateway(state=state) as gateway, wires.client(gateway) as wire:
            wire.call("reqPositions")
            await wire.until(lambda: row_of(wire, HELD["ES:20261230:6000:C:EW4:FOP"]))

    wires.run(scenario())
