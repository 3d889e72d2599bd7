"""What people hold, whatever the type of the contract: rows of the kinds that were seen in accounts."""

from mats.gateway.faults.fault_types import Hold

HELD = {
    "ESTX50.EUR:20261218:4775:C:OESX": Hold(
        local_symbol="C OESX  20261218 4775 M", symbol="ESTX50", sec_type="OPT", expiry="20261218", strike=4775,
        right="C", multiplier=10, currency="EUR", trading_class="OESX", con_id=700000001, quantity=2, cost=1250.5,
    ),
    "IBUS500:CFD": Hold(
        symbol="IBUS500", sec_type="CFD", trading_class="IBUS500", con_id=120000001, quantity=3, cost=5900.1,
    ),
    "ES:20261230:6000:C:EW4:FOP": Hold(
        local_symbol="EW4Z6 C6000", symbol="ES", sec_type="FOP", expiry="20261230", strike=6000, right="C",
        multiplier=50, trading_class="EW4", exchange="CME", con_id=710000001, quantity=1, cost=4012.5,
    ),
    "BAC_PRL": Hold(symbol="BAC PRL", con_id=620000001, quantity=5, cost=1200.0),
    "SPXW  261106C06935000": Hold(
        local_symbol="SPXW  261106C06935000", symbol="SPX", sec_type="OPT", expiry="20261106", strike=6935, right="C",
        multiplier=100, trading_class="SPXW", con_id=835206813, quantity=0,
    ),
    "2330.TWD": Hold(
        symbol="2330", local_symbol="2330", trading_class="2330", currency="TWD", primary_exchange="TWSE",
        con_id=640000001, quantity=1000, cost=600.0,
    ),
    "DAX:20261218:FDAX": Hold(
        symbol="DAX", sec_type="FUT", expiry="20261218", multiplier=25, currency="EUR", exchange="EUREX",
        trading_class="FDAX", quantity=1, cost=450000,
    ),
    "DAX:20261218:FDXM": Hold(
        symbol="DAX", sec_type="FUT", expiry="20261218", multiplier=5, currency="EUR", exchange="EUREX",
        trading_class="FDXM", quantity=3, cost=90000,
    ),
    "SI:20261229": Hold(
        symbol="SI", sec_type="FUT", expiry="20261229", multiplier=5000, exchange="COMEX", trading_class="SI",
        quantity=1, cost=150000,
    ),
    "SI:20261229:SIL": Hold(
        symbol="SI", sec_type="FUT", expiry="20261229", multiplier=1000, exchange="COMEX", trading_class="SIL",
        quantity=-1, cost=30000,
    ),
    "USDCAD": Hold(
        symbol="USD", sec_type="CASH", currency="CAD", exchange="IDEALPRO", con_id=15016062, quantity=12345.67,
        cost=1.37,
    ),
    "SPXW  261218C06000000": Hold(
        local_symbol="SPXW  261218C06000000", symbol="SPX", sec_type="OPT", expiry="20261218", strike=6000, right="C",
        multiplier=100, trading_class="SPXW", quantity=1, cost=3010.5,
    ),
    "BTC:CRYPTO": Hold(symbol="BTC", sec_type="CRYPTO", exchange="PAXOS", quantity=0.25, cost=61000),
}  # fmt: skip
"""By the name that it has here."""
