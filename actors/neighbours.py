"""Those around the portfolio manager: whom it and its parts tell and ask."""

import msgspec

from mats.runtime import Ref


class Neighbours(msgspec.Struct, frozen=True, kw_only=True):
    """`broker` is the connection that sees every position and account."""

    fill_log: Ref
    risk: Ref
    store: Ref
    broker: Ref
    market_data: Ref
    strategy_manager: Ref
