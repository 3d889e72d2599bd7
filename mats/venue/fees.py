"""What trading costs: the fixed schedules that Interactive Brokers publishes under "Commissions".

US stocks, fixed: USD 0.005 a share, at least 1.00 and at most 1 % of the trade value an order; where the two disagree
the maximum holds. Spot currencies: 0.20 basis points of the trade value, at least USD 2.00 an order. US futures: USD
0.85 a contract.
"""

from decimal import Decimal

from mats.model.instrument import Instrument, SecType
from mats.model.money import ZERO

PER_SHARE = Decimal("0.005")
STOCK_MINIMUM = Decimal("1.00")
STOCK_MAXIMUM = Decimal("0.01")
PAIR_SHARE = Decimal("0.00002")
PAIR_MINIMUM = Decimal("2.00")
PER_CONTRACT = Decimal("0.85")


def order_fee(instrument: Instrument, quantity: Decimal, value: Decimal) -> Decimal:
    """The cost of the filled part of one order: `quantity` units worth `value` in the base currency, in that currency.

    A fill costs what its order costs with it less what the order cost before it.
    """
    if not quantity:
        return ZERO
    match instrument.sec_type:
        case SecType.STOCK:
            return min(max(quantity * PER_SHARE, STOCK_MINIMUM), value * STOCK_MAXIMUM)
        case SecType.CASH:
            return max(value * PAIR_SHARE, PAIR_MINIMUM)
        case _:
            return quantity * PER_CONTRACT
