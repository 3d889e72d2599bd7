"""The texts of IB's errors, and the positions of ids in requests and messages."""

ERROR_TEXTS = {
    100: "Max rate of messages per second has been exceeded:max=50 rec=51 (1)",
    101: "Max number of tickers has been reached",
    103: "Duplicate order id",
    104: "Cannot modify a filled order.",
    105: "Order being modified does not match original order.",
    110: "The price does not conform to the minimum price variation for this contract.",
    161: "Cancel attempted when order is not in a cancellable state. Order permId =",
    162: "Historical Market Data Service error message:Historical data request pacing violation",
    200: "No security definition has been found for the request",
    201: "Order rejected - reason:",
    202: "Order Canceled - reason:",
    203: "The security is not available or allowed for this account",
    309: "Max number (3) of market depth requests has been reached",
    317: "Market depth data has been RESET. Please empty deep book contents before applying any new entries.",
    321: "Error validating request.-'bE' : cause - Invalid order type was entered",
    322: "Error processing request.-'bP' : cause - Maximum number of account summary requests exceeded",
    354: "Requested market data is not subscribed.",
    366: "No historical data query found for ticker id",
    399: "Order Message:\nBUY 1 SPY\nWarning: your order will not be placed at the exchange until 09:30:00 US/Eastern",
    404: "Order held while securities are located.",
    420: "Invalid Real-time Query:Historical data request pacing violation",
    435: "You must specify an account.",
    436: "You must specify an allocation.",
    504: "Not connected",
    1100: "Connectivity between IBKR and Trader Workstation has been lost.",
    1101: "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IBKR and Trader Workstation has been restored - data maintained.",
    1300: "TWS socket port has been reset and this connection is being dropped. Reconnect on the new port - 4002",
    2100: "API client has been unsubscribed from account data.",
    2102: "Unable to modify this order as it is still being processed.",
    2103: "Market data farm connection is broken:usfarm",
    2104: "Market data farm connection is OK:usfarm",
    2105: "HMDS data farm connection is broken:ushmds",
    2106: "HMDS data farm connection is OK:ushmds",
    2107: "HMDS data farm connection is inactive but should be available upon demand.ushmds",
    2108: "Market data farm connection is inactive but should be available upon demand.usfarm",
    2109: "Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored based on the order type.",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
    2157: "Sec-def data farm connection is broken:secdefil",
    2158: "Sec-def data farm connection is OK:secdefil",
    10006: "Missing parent order.",
    10090: "Part of requested market data is not subscribed.",
    10147: "OrderId that needs to be cancelled is not found.",
    10148: "OrderId that needs to be cancelled cannot be cancelled, state: Filled.",
    10167: "Requested market data is not subscribed. Displaying delayed market data.",
    10182: "Failed to request live updates (disconnected).",
    10186: "Requested market data is not subscribed. Delayed market data is not enabled",
    10189: "Failed to request tick-by-tick data:max number of tick-by-tick requests has been reached",
    10197: "No market data during competing live session",
    10225: "Bust event occurred, current subscription is deactivated. Please resubscribe real-time bars immediately.",
    10243: "Fractional-sized order cannot be placed via API.",
    10311: "This order will be directly routed to the exchange.",
    10314: "End Date/Time: The date, time, or time-zone entered is invalid.",
    10326: "Order cannot be modified in its present state.",
    10349: "Order TIF was set to DAY based on order preset.",
}
"""Usual texts by code. Source: the message codes in IB's documentation of the TWS API, shortened."""

VERSIONED_REQUESTS = frozenset({1, 2, 4, 7, 9, 10, 11, 22, 23, 25, 50, 51, 62, 63, 76, 77})
"""Requests with a version field before their id."""

PLAIN_REQUESTS = frozenset({3, 20, 52, 54, 69, 78, 80, 81, 87, 90, 92, 93, 94, 95, 96, 97, 98})
"""Requests whose id is their first field."""

ORDER_ID_FIELD = {3: 1, 5: 1, 11: 2}
"""The position of the order id in messages."""


def request_id(fields: list[str]) -> str:
    """The id of the answer to a request: -1 if it has none."""
    number = int(fields[0]) if fields[0].isdigit() else 0
    at = 2 if number in VERSIONED_REQUESTS else 1 if number in PLAIN_REQUESTS else 0
    return fields[at] if 0 < at < len(fields) else "-1"
