"""Clients connect, synchronize and disconnect."""

import asyncio
import struct
from contextlib import suppress

import pytest
from ib_async import IB, Client, Contract, Forex, LimitOrder, MarketOrder

from mats.gateway import PaperGateway
from mats.gateway.protocol.wire import MAX_FRAME
from tests.patience import PATIENCE


def test_an_unmodified_client_starts_up_completely(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            assert ib.client.serverVersion() == 178
            assert ib.managedAccounts() == ["DU1000001"]
            values = {(v.tag, v.currency): v.value for v in ib.accountValues()}
            assert values["NetLiquidation", "USD"] == "1000000.00"
            assert values["CashBalance", "USD"] == "1000000.00"
            assert values["ExchangeRate", "USD"] == "1.00000000"
            assert values["AccountReady", ""] == "true"
            assert ib.positions() == []

    bench.run(scenario())


@pytest.mark.parametrize("version", [157, 160, 163, 165, 169, 176, 177])
def test_older_clients_are_served_in_their_own_version(bench, version, monkeypatch):
    async def scenario():
        async with PaperGateway() as gateway:
            async with bench.client(gateway, 1) as ib:
                assert ib.client.serverVersion() == version
                contract = await bench.contract(ib)
                trade = ib.placeOrder(contract, MarketOrder("BUY", 10, orderRef="alpha:1"))
                resting = ib.placeOrder(contract, LimitOrder("BUY", 7, 1.0, orderRef="alpha:2"))
                await bench.until(lambda: trade.isDone() and resting.orderStatus.status == "Submitted")
                assert (await ib.whatIfOrderAsync(contract, MarketOrder("BUY", 10))).commission == 1.0
            async with bench.client(gateway, 1) as ib:
                assert ib.openTrades()[0].order.orderRef == "alpha:2"
                assert ib.fills()[0].execution.orderRef == "alpha:1"
                completed = await ib.reqCompletedOrdersAsync(False)
                assert [t.order.orderRef for t in completed if t.orderStatus.status == "Filled"] == ["alpha:1"]

    monkeypatch.setattr(Client, "MaxClientVersion", version)
    bench.run(scenario())


def test_a_client_that_does_not_read_is_dropped(bench, monkeypatch):
    async def scenario():
        async with PaperGateway() as gateway:
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            hello, start = b"v157..178", b"71\x002\x005\0\0"
            writer.write(b"API\0" + struct.pack(">I", len(hello)) + hello + struct.pack(">I", len(start)) + start)
            await bench.until(lambda: 5 in gateway.connected)
            for _ in range(300):
                gateway.faults.push(5, 6, 2, "x" * 100_000, "", "", "")
                await gateway.clock.sleep(0)
            await bench.until(lambda: 5 not in gateway.connected)
            writer.close()

    monkeypatch.setattr("mats.gateway.protocol.client_session.MAX_BUFFER", 1 << 20)
    bench.run(scenario())


def test_a_second_connection_with_the_same_id_is_refused_with_326_and_the_first_lives_on(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 7) as first:
            second, errors = IB(), []
            second.errorEvent += lambda request, code, text, contract: errors.append(code)
            connecting = asyncio.create_task(
                second.connectAsync("127.0.0.1", gateway.port, clientId=7, timeout=PATIENCE)
            )
            await bench.until(lambda: errors and not second.client.isConnected())
            assert errors == [326]
            assert not connecting.done()
            connecting.cancel()
            assert await first.reqCurrentTimeAsync()
            async with bench.client(gateway, 8) as other:
                assert other.isConnected()
                assert gateway.connected == {7, 8}

    bench.run(scenario())


def test_contracts_resolve_by_id_and_by_description_and_unknown_ones_are_error_200(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            by_id = await ib.reqContractDetailsAsync(Contract(conId=756733))
            pair = await ib.reqContractDetailsAsync(Forex("USDJPY"))
            assert by_id[0].contract.symbol == "SPY"
            assert by_id[0].longName == "SPDR S&P 500 ETF TRUST"
            assert (pair[0].minTick, pair[0].contract.localSymbol) == (0.005, "USD.JPY")
            errors = []
            ib.errorEvent += lambda request, code, text, contract: errors.append(code)
            assert await ib.reqContractDetailsAsync(Contract(symbol="NOPE", secType="STK", currency="USD")) == []
            assert errors == [200]

    bench.run(scenario())


def test_futures_come_from_a_settings_file(bench, tmp_path):
    path = tmp_path / "instruments.toml"
    path.write_text(
        '[[instrument]]\nsymbol = "ES"\nsec_type = "FUT"\ncurrency = "USD"\nexpiry = "20271217"\nexchange = "CME"\n'
        'multiplier = 50\ntick_size = "0.25"\ncon_id = 11004968\nprice = 6000.0\nvolatility = 0.16\n'
    )

    async def scenario():
        async with PaperGateway(instruments=path) as gateway, bench.client(gateway, 1) as ib:
            found = await ib.reqContractDetailsAsync(Contract(symbol="ES", secType="FUT", exchange="CME"))
            assert (found[0].contract.multiplier, found[0].minTick) == ("50", 0.25)

    bench.run(scenario())


def test_a_third_account_summary_is_refused_with_322(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            errors = []
            ib.errorEvent += lambda request, code, text, contract: errors.append(code)
            for request in (9001, 9002, 9003):
                ib.client.reqAccountSummary(request, "All", "NetLiquidation,BuyingPower")
            await bench.until(lambda: errors)
            assert errors == [322]
            ib.client.cancelAccountSummary(9001)
            ib.client.reqAccountSummary(9004, "All", "NetLiquidation")
            await ib.reqCurrentTimeAsync()
            assert errors == [322]

    bench.run(scenario())


def test_garbage_closes_only_its_own_connection(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            for garbage in (
                b"GET / HTTP/1.1\r\n\r\n",
                b"API\0" + struct.pack(">I", MAX_FRAME + 1),
                b"API\0" + struct.pack(">I", 9) + b"v157..178" + struct.pack(">I", 4) + b"xx\0y",
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                writer.write(garbage)
                with suppress(ConnectionResetError):
                    await asyncio.wait_for(reader.read(), PATIENCE)
                assert reader.at_eof() or reader.exception()
                writer.close()
            assert await ib.reqCurrentTimeAsync()

    bench.run(scenario())


def test_several_accounts_need_their_name_on_an_order(bench):
    async def scenario():
        async with PaperGateway(accounts=("DU1", "DU2")) as gateway, bench.client(gateway, 1) as ib:
            assert ib.managedAccounts() == ["DU1", "DU2"]
            errors = []
            ib.errorEvent += lambda request, code, text, contract: errors.append(code)
            contract = await bench.contract(ib)
            ib.placeOrder(contract, MarketOrder("BUY", 10))
            await bench.until(lambda: errors)
            assert errors == [435]
            trade = ib.placeOrder(contract, MarketOrder("BUY", 10, account="DU2"))
            await bench.until(trade.isDone)
            assert {p.account: p.position for p in ib.positions()} == {"DU2": 10}

    bench.run(scenario())


def test_swallowed_requests_are_never_answered_and_a_drop_ends_the_connection(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            gateway.faults.swallow([49])
            answer = ib.reqCurrentTimeAsync()
            await ib.reqExecutionsAsync()
            assert not answer.done()
            answer.cancel()
            codes = []
            ib.errorEvent += lambda request, code, text, contract: codes.append(code)
            gateway.faults.connectivity(1100)
            gateway.faults.connectivity(1102)
            await bench.until(lambda: len(codes) == 2)
            assert codes == [1100, 1102]
            await ib.reqExecutionsAsync()  # the client asks for its account again after 1102
            gateway.faults.drop(1, hard=True)
            await bench.until(lambda: not ib.isConnected())

    bench.run(scenario())
