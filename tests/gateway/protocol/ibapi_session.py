"""A session with IB's own client: `python ibapi_session.py PORT` prints what it saw as one line of JSON.

It runs in a process of its own, with whatever `ibapi` is on its path: 9.81 and 10.30 differ in a few signatures.
"""

import inspect
import json
import sys
import threading

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.wrapper import EWrapper

from tests.patience import PATIENCE


class App(EWrapper, EClient):
    """Every callback is written down by its name."""

    def __init__(self):
        EWrapper.__init__(self)
        EClient.__init__(self, wrapper=self)
        self.seen = []
        self.news = threading.Condition()

    def __getattribute__(self, name):
        if name in CALLBACKS:
            return lambda *arguments: self.note(name, arguments)
        return super().__getattribute__(name)

    def note(self, name, arguments):
        with self.news:
            self.seen.append((name, arguments))
            self.news.notify_all()

    def of(self, name):
        return [arguments for kind, arguments in self.seen if kind == name]

    def until(self, condition, what):
        with self.news:
            if not self.news.wait_for(condition, PATIENCE):
                raise TimeoutError(f"{what} did not come; the last were {self.seen[-5:]}")

    def statuses(self, order_id):
        return [arguments[1] for arguments in self.of("orderStatus") if arguments[0] == order_id]

    def codes(self, about):
        return [arguments[1] for arguments in self.of("error") if arguments[0] == about]


CALLBACKS = frozenset(
    name
    for name, value in vars(EWrapper).items()
    if callable(value) and not name.startswith("_") and name not in ("logAnswer", "connectAck", "winError")
)


def attempt(port):
    """A client that has started, or None where its id is still taken: it keeps its old socket a little too long."""
    app = App()
    app.connect("127.0.0.1", port, 5)
    threading.Thread(target=app.run, daemon=True).start()
    app.until(lambda: 326 in app.codes(-1) or (app.of("nextValidId") and app.of("managedAccounts")), "the start")
    return None if 326 in app.codes(-1) else app


def connect(port):
    while not (app := attempt(port)):
        continue
    return app


def order(kind, side="BUY", quantity=10, **terms):
    made = Order()
    made.orderType, made.action, made.totalQuantity = kind, side, quantity
    made.eTradeOnly = made.firmQuoteOnly = False
    for name, value in terms.items():
        setattr(made, name, value)
    return made


def cancel(app, order_id):
    if len(inspect.signature(EClient.cancelOrder).parameters) == 2:
        app.cancelOrder(order_id)
    else:
        from ibapi.order_cancel import OrderCancel

        app.cancelOrder(order_id, OrderCancel())


def data(app, spy):
    app.reqContractDetails(1, spy)
    app.reqHistoricalData(2, spy, "", "1 D", "1 hour", "TRADES", 0, 2, False, [])
    app.reqMktData(3, spy, "", False, False, [])
    app.reqRealTimeBars(4, spy, 5, "TRADES", False, [])
    app.reqMktDepth(5, spy, 3, False, [])
    app.reqTickByTickData(6, spy, "BidAsk", 0, False)
    app.reqSecDefOptParams(7, "SPY", "", "STK", spy.conId)
    app.reqAccountSummary(8, "All", "NetLiquidation")
    app.reqPnL(9, app.of("managedAccounts")[0][0].split(",")[0], "")
    app.reqAccountUpdates(True, "")
    app.reqPositions()
    for name in ("contractDetailsEnd", "historicalDataEnd", "tickPrice", "updateMktDepth", "tickByTickBidAsk"):
        app.until(lambda name=name: app.of(name), name)
    for name in (
        "securityDefinitionOptionParameterEnd",
        "accountSummaryEnd",
        "pnl",
        "accountDownloadEnd",
        "positionEnd",
    ):
        app.until(lambda name=name: app.of(name), name)


def trade(app, spy):
    first = app.of("nextValidId")[0][0]
    orders = [
        order("MKT"),
        order("LMT", lmtPrice=1.5),
        order("STP", "SELL", auxPrice=1.5),
        order("STP LMT", "SELL", auxPrice=1.5, lmtPrice=1.25),
        order("TRAIL", "SELL", auxPrice=100.0),
        order("MIT", auxPrice=1.5),
    ]
    for number, made in enumerate(orders, first):
        app.placeOrder(number, spy, made)
    app.until(lambda: "Filled" in app.statuses(first) and app.of("commissionReport"), "the fill")
    working = range(first + 1, first + len(orders))
    app.until(lambda: all(app.statuses(number) for number in working), "the resting orders")
    app.placeOrder(first + 1, spy, order("LMT", lmtPrice=1.75))
    app.until(lambda: any(seen[2].lmtPrice == 1.75 for seen in app.of("openOrder")), "the change")
    for number in working[1:]:
        cancel(app, number)
    app.until(lambda: all("Cancelled" in app.statuses(number) for number in working[1:]), "the cancels")
    app.placeOrder(first + 20, spy, order("LMT", lmtPrice=1.001))
    app.until(lambda: 110 in app.codes(first + 20), "the refusal")
    return first


def again(port, first):
    """A second connection of the same client: its order still works, and its execution is reported."""
    app = connect(port)
    app.reqOpenOrders()
    app.reqExecutions(1, ExecutionFilter())
    app.until(lambda: app.of("openOrderEnd") and app.of("execDetailsEnd"), "what happened before")
    open_orders = [(seen[0], seen[2].lmtPrice) for seen in app.of("openOrder")]
    executions = [seen[2].orderId for seen in app.of("execDetails")]
    app.disconnect()
    return {"open": open_orders == [(first + 1, 1.75)], "executions": executions == [first]}


def main(port):
    app = connect(port)
    spy = Contract()
    spy.symbol, spy.secType, spy.exchange, spy.currency, spy.conId = "SPY", "STK", "SMART", "USD", 756733
    data(app, spy)
    first = trade(app, spy)
    version, seen = app.serverVersion(), sorted({name for name, _ in app.seen})
    app.disconnect()
    print(json.dumps({"version": version, "seen": seen, **again(port, first)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
