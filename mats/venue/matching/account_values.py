"""The values of an account as IB names them: those of the whole, and the ledger of each currency."""

from decimal import Decimal

from mats.model import ONE, ZERO, Currency
from mats.venue.markets import Universe
from mats.venue.matching.account import BASE, CENT, MARGINED, Account, AccountValuation, Mark, fx_rate

AccountValues = list[tuple[str, str, Currency]]
"""Tag, value and currency of each."""

LEDGER = "BASE"
"""The currency of the ledger's sums."""
RATIO = Decimal("0.0001")


def account_values(
    account: Account, valuation: AccountValuation, universe: Universe, mark: Mark, base: Currency = BASE
) -> AccountValues:
    """Every value, in the account's own base currency and in the currencies that it holds."""
    rate = fx_rate(base, universe, mark)
    totals = _totals(valuation)
    values = [("AccountReady", "true", ""), ("AccountType", "INDIVIDUAL", "")]
    values += [(tag, str((amount / rate).quantize(CENT)), base) for tag, amount in totals.items()]
    values += [("HighestSeverity", "0", ""), ("LookAheadNextChange", "0", ""), ("DayTradesRemaining", "-1", "")]
    values += [(tag, str(ratio.quantize(RATIO)), "") for tag, ratio in _ratios(valuation).items()]
    return values + _ledger(account, valuation, universe, mark, rate)


def _totals(valuation: AccountValuation) -> dict[str, Decimal]:
    """The amounts of the whole account. The margin of a day ahead and of the full portfolio are those of today."""
    available, excess = valuation.equity - valuation.margin, valuation.equity - valuation.maintenance
    totals = {
        "NetLiquidation": valuation.equity,
        "EquityWithLoanValue": valuation.equity,
        "PreviousDayEquityWithLoanValue": valuation.equity,
        "TotalCashValue": valuation.cash,
        "SettledCash": valuation.cash,
        "AccruedCash": ZERO,
        "GrossPositionValue": valuation.gross,
        "RegTEquity": valuation.equity,
        "RegTMargin": valuation.gross / 2,
        "SMA": valuation.equity - valuation.gross / 2,
        "BuyingPower": max(available, ZERO) * 4,
        "UnrealizedPnL": valuation.unrealized,
        "RealizedPnL": valuation.realized,
    }
    for kind in ("", "Full", "LookAhead"):
        totals |= {
            f"{kind}InitMarginReq": valuation.margin,
            f"{kind}MaintMarginReq": valuation.maintenance,
            f"{kind}AvailableFunds": available,
            f"{kind}ExcessLiquidity": excess,
        }
    return totals


def _ratios(valuation: AccountValuation) -> dict[str, Decimal]:
    """The excess over the maintenance margin, and the value of the positions, as shares of the equity."""
    equity = valuation.equity
    return {
        "Cushion": (equity - valuation.maintenance) / equity if equity else ZERO,
        "Leverage": valuation.gross / equity if equity else ZERO,
    }


def _ledger(
    account: Account, valuation: AccountValuation, universe: Universe, mark: Mark, rate: Decimal
) -> AccountValues:
    """The ledger's sums and the ledger of every currency. `rate` is the base currency's, in units of the venue's."""
    values = _ledger_rows(LEDGER, valuation.cash / rate, valuation.equity / rate, ONE)
    worth = dict(account.cash)
    for name, holding in account.holdings.items():
        instrument = universe.instrument(name)
        if holding.quantity and instrument.currency in worth and instrument.sec_type != "CASH":
            price = mark(name) or holding.price
            counted = price - holding.price if instrument.sec_type in MARGINED else price
            worth[instrument.currency] += holding.quantity * counted * instrument.unit_value
    for currency, amount in sorted(account.cash.items()):
        exchange_rate = fx_rate(currency, universe, mark) / rate
        values += _ledger_rows(currency, amount, worth[currency], exchange_rate)
    return values


def _ledger_rows(currency: Currency, cash: Decimal, worth: Decimal, exchange_rate: Decimal) -> AccountValues:
    return [
        ("CashBalance", str(cash.quantize(CENT)), currency),
        ("TotalCashBalance", str(cash.quantize(CENT)), currency),
        ("NetLiquidationByCurrency", str(worth.quantize(CENT)), currency),
        ("ExchangeRate", f"{exchange_rate:.8f}", currency),
    ]
