"""The fields of an execDetails message as plain data; what nobody reads of it is not made."""

from collections.abc import Sequence

from ib_async.contract import Contract

from mats.ib.conversion.contracts import multiplier_of, name_of, required
from mats.ib.conversion.orders import side_of
from mats.ib.conversion.timestamps import Zones, instant
from mats.model import Execution

PRICE_REVISION_VERSION = 178
"""The server version from which on a message has one more field."""
FIELDS = 31


def to_execution(fields: Sequence[str], server_version: int, zones: Zones) -> tuple[int, Contract, Execution]:
    """The request id, what was traded, and the execution. A message that is cut short is a `ValueError`."""
    wanted = FIELDS + (server_version >= PRICE_REVISION_VERSION)
    if len(fields) < wanted:
        raise ValueError(f"{len(fields)} fields where an execution has {wanted}")
    contract = Contract(
        conId=int(fields[3] or 0),
        symbol=fields[4],
        secType=fields[5],
        lastTradeDateOrContractMonth=fields[6],
        strike=float(fields[7] or 0),
        right=fields[8],
        multiplier=fields[9],
        exchange=fields[10],
        currency=fields[11],
        localSymbol=fields[12],
        tradingClass=fields[13],
    )
    execution = Execution(
        account=fields[16],
        exec_id=fields[14],
        instrument=name_of(contract),
        side=side_of(fields[18]),
        quantity=required(float(fields[19] or 0)),
        price=required(float(fields[20] or 0)),
        time=instant(fields[15], zones),
        currency=contract.currency,
        multiplier=multiplier_of(contract),
        order_ref=fields[26],
        perm_id=int(fields[21] or 0),
        client_id=int(fields[22] or 0),
        order_id=int(fields[2] or 0),
        cumulative_quantity=required(float(fields[24] or 0)),
        average_price=required(float(fields[25] or 0)),
        exchange=fields[17],
    )
    return int(fields[1]), contract, execution
