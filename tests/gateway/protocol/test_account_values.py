"""The values of an account: every documented tag, the ledger of each currency, another base currency."""

import pytest
from ib_async import MarketOrder

from mats.gateway import GatewayError, PaperGateway
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock

SUMMARY_TAGS = (
    "AccountType NetLiquidation TotalCashValue SettledCash AccruedCash BuyingPower EquityWithLoanValue"
    " PreviousDayEquityWithLoanValue GrossPositionValue RegTEquity RegTMargin SMA InitMarginReq MaintMarginReq"
    " AvailableFunds ExcessLiquidity Cushion FullInitMarginReq FullMaintMarginReq FullAvailableFunds"
    " FullExcessLiquidity LookAheadNextChange LookAheadInitMarginReq LookAheadMaintMarginReq LookAheadAvailableFunds"
    " LookAheadExcessLiquidity HighestSeverity DayTradesRemaining Leverage"
).split()
NOW = 1_795_000_000 * SECOND


def test_a_summary_has_every_tag_and_the_ledger_its_sums(bench):
    async def scenario():
        async with PaperGateway(clock=SteppedClock(NOW)) as gateway, bench.client(gateway, 1) as ib:
            tags = ",".join([*SUMMARY_TAGS, "$LEDGER"])
            future = ib.wrapper.startReq(77)
            ib.client.reqAccountSummary(77, "All", tags)
            await future
            values = {(value.tag, value.currency): value.value for value in await ib.accountSummaryAsync()}
            assert {tag for tag, _ in values} >= set(SUMMARY_TAGS) and len(SUMMARY_TAGS) == 29
            assert values["NetLiquidationByCurrency", "BASE"] == values["CashBalance", "BASE"] == "1000000.00"
            assert values["ExchangeRate", "BASE"] == "1.00000000"

    bench.run(scenario())


def test_an_account_in_another_currency_is_valued_in_it(bench):
    async def scenario():
        clock = SteppedClock(NOW)
        async with PaperGateway(clock=clock, base="EUR") as gateway, bench.client(gateway, 1) as ib:
            values = {(value.tag, value.currency): float(value.value) for value in ib.accountValues() if value.currency}
            assert values["NetLiquidation", "EUR"] == values["CashBalance", "EUR"] == 1_000_000
            assert values["ExchangeRate", "EUR"] == 1 and ("NetLiquidation", "USD") not in values
            spy = await bench.contract(ib)
            ib.placeOrder(spy, MarketOrder("BUY", 100))
            await ib.reqCurrentTimeAsync()
            await clock.advance(SECOND)
            await bench.until(lambda: ib.positions())
            rate = gateway.exchange.mark("EURUSD")
            (spent,) = await bench.until(
                lambda: [float(v.value) for v in ib.accountValues() if (v.tag, v.currency) == ("CashBalance", "USD")]
            )
            (left,) = [float(v.value) for v in ib.accountValues() if (v.tag, v.currency) == ("TotalCashValue", "EUR")]
            assert spent < 0 and left == pytest.approx(1_000_000 + spent / float(rate), abs=50)

    bench.run(scenario())


def test_a_currency_without_a_rate_is_refused():
    with pytest.raises(GatewayError, match="no pair of XYZ and USD is listed"):
        PaperGateway(base="XYZ")
