"""Messages about orders, executions and commissions, in the layouts of server version 178."""

from decimal import Decimal

from mats.gateway.orders.order_store import OrderFill
from mats.gateway.protocol import UNSET, Field, Message, contract, format_time, number
from mats.model import Instrument, Side
from mats.venue.matching import TRAILING, VenueOrder


def open_order(order: VenueOrder, instrument: Instrument, margin: Message | None = None, status: str = "") -> Message:
    """The order and its state; `margin` holds the nine margin texts and the commission of a what-if answer. `status`
    replaces the order's own where the two differ for a moment."""
    return (
        5,
        order.order_id,
        *contract(instrument),
        *_terms(order),
        order.client_id,
        order.perm_id,
        order.outside_rth,
        *(0, 0, "", ""),  # hidden, discretionaryAmt, goodAfterTime, retired
        *("", "", ""),  # faGroup, faMethod, faPercentage
        *("", _good_till(order), "", "", ""),  # modelCode, goodTillDate, rule80A, percentOffset, settlingFirm
        *(0, "", -1, 0),  # shortSaleSlot, designatedLocation, exemptCode, auctionStrategy
        *("", "", "", "", "", ""),  # startingPrice, stockRefPrice, delta, stockRange lower and upper, displaySize
        *(0, 0, 0, "", order.oca_type, 0, 0, ""),  # block, sweep, allOrNone, minQty, ocaType, eTrade, firmQuote, cap
        *(order.parent_id, 0, "", 0),  # parentId, triggerMethod, volatility, volatilityType
        *_delta_neutral(8),
        *(
            0,
            0,
            *_trail(order),
            "",
            "",
            "",
        ),  # continuousUpdate, referencePrice, trails, basisPoints, legs' text
        *(0, 0, 0),  # legs, order legs, routing parameters
        *("", "", "", ""),  # scale sizes and increment, hedgeType
        *(0, "", "IB", 0, 0, ""),  # optOut, clearing account and intent, notHeld, delta neutral contract, algoStrategy
        *(0, margin is not None),  # solicited, whatIf
        status or order.status,
        *(margin or (*(UNSET,) * 9, "", "", "", "", "")),
        *(0, 0, 0),  # randomize size and price, conditions
        *("None", "", _trail(order)[0], _offset(order), "", "", "", 0),  # adjusted order
        *("", "", "", "", 0, 0, 0, 0),  # soft dollar tier, cashQty, flags
        *("", 0, 0),  # duration, postToAts, autoCancelParent
        *("", "", "", "", ""),  # pegged sizes and offsets
    )


def completed_order(order: VenueOrder, instrument: Instrument) -> Message:
    text = f"{order.status} Size: {order.filled}" if order.status == "Filled" else order.note or order.status
    return (
        101,
        *contract(instrument),
        *_terms(order),
        order.perm_id,
        order.outside_rth,
        *(0, 0, ""),  # hidden, discretionaryAmt, goodAfterTime
        *("", "", ""),  # faGroup, faMethod, faPercentage
        *("", _good_till(order), "", "", ""),  # modelCode, goodTillDate, rule80A, percentOffset, settlingFirm
        *(0, "", -1),  # shortSaleSlot, designatedLocation, exemptCode
        *("", "", "", "", "", ""),  # startingPrice, stockRefPrice, delta, stockRange lower and upper, displaySize
        *(0, 0, "", order.oca_type, 0, "", 0),  # sweep, allOrNone, minQty, ocaType, trigger, volatility and its type
        *_delta_neutral(4),
        *(0, 0, *_trail(order), ""),  # continuousUpdate, referencePrice, trails, comboLegsDescrip
        *(0, 0, 0),  # legs, order legs, routing parameters
        *("", "", "", ""),  # scale sizes and increment, hedgeType
        *("", "IB", 0, 0, ""),  # clearing account and intent, notHeld, delta neutral contract, algoStrategy
        0,  # solicited
        order.status,
        *(0, 0, 0),  # randomize size and price, conditions
        *(
            _trail(order)[0],
            _offset(order),
            "",
            0,
            0,
            "",
        ),  # trailStopPrice, lmtPriceOffset, cashQty, flags, cancelDate
        order.filled,
        *(0, 0, "", 0, 0),  # refFuturesConId, autoCancelParent, shareholder, imbalance, routeMarketable
        order.parent_perm_id,
        format_time(order.completed),
        text,
        *("", "", "", "", ""),  # pegged sizes and offsets
    )


def _terms(order: VenueOrder) -> Message:
    price = order.limit_price if order.limit_price is not None else 0
    aux = order.trail_amount if order.order_type in TRAILING else order.stop_price
    kind, tif = order.order_type.value, order.tif.value
    terms: Message = (order.side.value, order.quantity, kind, price, 0 if aux is None else aux, tif)
    return (*terms, order.oca_group, order.account, "", 0, order.order_ref)


def _good_till(order: VenueOrder) -> str:
    return format_time(order.good_till) if order.good_till else ""


def _trail(order: VenueOrder) -> tuple[Field, Field]:
    """The current stop of a trailing order, and its percent."""
    stop = order.stop_price if order.order_type in TRAILING and order.stop_price is not None else ""
    return stop, order.trail_percent if order.trail_percent is not None else ""


def _offset(order: VenueOrder) -> Field:
    return order.limit_offset if order.limit_offset is not None else ""


def _delta_neutral(fields: int) -> Message:
    """TWS writes the order type `None` and an empty block after it."""
    block: tuple[Field, ...] = (0, "", "", "", "?", 0, 0, "") if fields == 8 else (0, 0, 0, "")
    return ("None", "", *block)


def order_status(order: VenueOrder, status: str = "", client_id: int | None = None) -> Message:
    """The status of an order; `status` and `client_id` replace its own where they differ: for a moment, and where
    another client has cancelled it."""
    return (
        3,
        order.order_id,
        status or order.status,
        order.filled,
        order.remaining,
        number(order.average_price),
        order.perm_id,
        order.parent_id,
        order.last_price,
        order.client_id if client_id is None else client_id,
        order.why_held,
        0,
    )


def order_bound(order: VenueOrder) -> Message:
    """The ids by which a client may refer to a manual order."""
    return (100, order.perm_id, order.client_id, order.order_id)


def execution(request_id: int, fill: OrderFill, instrument: Instrument) -> Message:
    """An execution; `request_id` is -1 for a live one."""
    return (
        11,
        request_id,
        fill.order_id,
        *contract(instrument),
        fill.exec_id,
        format_time(fill.time),
        fill.account,
        instrument.primary_exchange or instrument.exchange,
        "BOT" if fill.side is Side.BUY else "SLD",
        fill.quantity,
        fill.price,
        fill.perm_id,
        fill.client_id,
        0,
        fill.cumulative,
        number(fill.average),
        fill.order_ref,
        *("", "", "", 2, 0),  # evRule, evMultiplier, modelCode, lastLiquidity, pendingPriceRevision
    )


def commission_report(fill: OrderFill) -> Message:
    realized: Field = UNSET if fill.realized is None else number(fill.realized - fill.commission)
    return (59, 1, fill.exec_id, number(fill.commission), "USD", realized, UNSET, "")


def what_if_margin(before: Decimal, after: Decimal, equity: Decimal, commission: Decimal) -> Message:
    """Initial and maintenance margin and equity: before, change, after; then commission, its range and currency."""
    change = number(after - before)
    figures: Message = (number(before), number(before), number(equity), change, change, 0)
    return (*figures, number(after), number(after), number(equity), number(commission), "", "", "USD", "")
