"""Requests to a running daemon and its answers: one JSON line each way over its control socket."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from mats.ledger.reconciliation import Break, BreakCause, NettedAction, NettedChange, Transfer, TransferRequest
from mats.ledger.valuation import AccountView
from mats.model import AccountId, Currency, InstrumentId, IntentId, Nanos, OrderView, StrategyName
from mats.runtime import ActorStatus, MessageStats
from mats.streams import StreamView

Switch = Literal["on", "off"]


class BaseRequest(msgspec.Struct, frozen=True, kw_only=True, tag_field="ask", forbid_unknown_fields=True):
    """Base of all questions and commands."""


class Command(BaseRequest, frozen=True, kw_only=True):
    """Base of what changes something. It is written to the audit with its `reason` before it is carried out."""

    reason: str = ""


# Questions


class StatusRequest(BaseRequest, frozen=True, tag="status"):
    """The system at this moment; answered by `DaemonStatus`."""


class BooksRequest(BaseRequest, frozen=True, tag="books"):
    """What every strategy holds; answered by `BookLines`."""


class ReadBreaksRequest(BaseRequest, frozen=True, kw_only=True, tag="breaks"):
    """The breaks, and at most `past` of those that ended; answered by `BreakLines`."""

    past: int = 0


class OrdersRequest(BaseRequest, frozen=True, tag="orders"):
    """Every order that is not final; answered by `OrderLines`."""


class EquityRequest(BaseRequest, frozen=True, tag="equity"):
    """What strategies may work with; answered by `EquityLines`."""


class AccountsRequest(BaseRequest, frozen=True, tag="accounts"):
    """Cash, equity, exposure and P&L of each account; answered by `AccountViews`."""


class PreviewTransferRequest(BaseRequest, frozen=True, kw_only=True, tag="preview-move"):
    """What a transfer would make of both books; answered by `Preview`."""

    move: TransferRequest


class PreviewReversalRequest(BaseRequest, frozen=True, kw_only=True, tag="preview-reversal"):
    """What reversing a transfer would make of both books; answered by `Preview`."""

    id: str


class PreviewNettedRequest(BaseRequest, frozen=True, kw_only=True, tag="preview-netted"):
    """What a split or an expiry would make of books that net to zero; answered by `NettedPreview`."""

    netted: NettedAction


class StreamsRequest(BaseRequest, frozen=True, tag="streams"):
    """The state of every stream of market data; answered by `StreamLines`."""


AnyQuestion = (
    StatusRequest
    | StreamsRequest
    | BooksRequest
    | ReadBreaksRequest
    | OrdersRequest
    | EquityRequest
    | AccountsRequest
    | PreviewTransferRequest
    | PreviewReversalRequest
    | PreviewNettedRequest
)


# Commands


class ReconcileRequest(Command, frozen=True, tag="reconcile"):
    """Compare the books with the broker's positions now; answered by `BreakLines` of after the comparison."""


class AnswerBreakRequest(Command, frozen=True, kw_only=True, tag="answer-break"):
    """Classify a break: a split, a change of symbol, or none of these; answered by `Done`."""

    id: str
    action: BreakCause


class HaltRequest(Command, frozen=True, kw_only=True, tag="halt"):
    """Take no new risk, of one strategy or (empty) of all; it survives restarts."""

    strategy: StrategyName = ""


class ResumeRequest(Command, frozen=True, kw_only=True, tag="resume"):
    """Lift the halt of a strategy, or (empty) the halt of all."""

    strategy: StrategyName = ""


class CancelOrderRequest(Command, frozen=True, kw_only=True, tag="cancel"):
    """Cancel one order; answered by `Certificate`."""

    intent: IntentId


class CancelOrdersRequest(Command, frozen=True, kw_only=True, tag="cancel-orders"):
    """Cancel the orders of a strategy, or (empty) of all; answered by `Certificate`."""

    strategy: StrategyName = ""


class SettleOrderRequest(Command, frozen=True, kw_only=True, tag="settle-order"):
    """End an order of unknown state, of which `quantity` (None: the rest) filled at `price`; answered by `Done`."""

    intent: IntentId
    outcome: Literal["cancelled", "filled"]
    quantity: Decimal | None = None
    price: Decimal | None = None


class FlattenRequest(Command, frozen=True, kw_only=True, tag="flatten"):
    """Halt, cancel, and close what a strategy, or (empty) every strategy, holds; answered by `Certificate`."""

    strategy: StrategyName = ""


class StartStrategyRequest(Command, frozen=True, kw_only=True, tag="start"):
    """Start a strategy of the table, also one that was stopped or parked."""

    strategy: StrategyName


class StopStrategyRequest(Command, frozen=True, kw_only=True, tag="stop"):
    """Stop a strategy; its orders and positions stay."""

    strategy: StrategyName


class TraceRequest(Command, frozen=True, kw_only=True, tag="trace"):
    """Log each message of an actor, or stop logging them; answered by `Done`. It survives the actor's restarts."""

    actor: str
    switch: Switch


class SetEquityRequest(Command, frozen=True, kw_only=True, tag="set-equity"):
    """Give a strategy an explicit equity in the base currency; None: its target weight applies again."""

    strategy: StrategyName
    amount: Decimal | None


class TransferQuantityRequest(Command, frozen=True, kw_only=True, tag="move"):
    """Move quantity between two books; answered by `Done`."""

    move: TransferRequest


class BookNettedRequest(Command, frozen=True, kw_only=True, tag="netted"):
    """Book a split or an expiry in books that net to zero; answered by `Done`."""

    netted: NettedAction


class ResolveQuarantineRequest(Command, frozen=True, kw_only=True, tag="quarantine"):
    """Book an item as it was received, book it with these fields, or forget it; answered by `Done`."""

    number: int
    action: Literal["accept", "correct", "drop"]
    corrections: Mapping[str, str] = {}


class ReverseTransferRequest(Command, frozen=True, kw_only=True, tag="reverse"):
    """Reverse a transfer; answered by `Done`."""

    id: str


AnyCommand = (
    ReconcileRequest
    | AnswerBreakRequest
    | HaltRequest
    | ResumeRequest
    | CancelOrderRequest
    | CancelOrdersRequest
    | SettleOrderRequest
    | FlattenRequest
    | StartStrategyRequest
    | StopStrategyRequest
    | TraceRequest
    | SetEquityRequest
    | TransferQuantityRequest
    | ReverseTransferRequest
    | BookNettedRequest
    | ResolveQuarantineRequest
)

Request = AnyQuestion | AnyCommand


# Answers


class BaseResponse(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer"):
    """Base of all answers."""


class RequestRefused(BaseResponse, frozen=True, kw_only=True, tag="refused"):
    """It was not done: one sentence that says why and what to do."""

    reason: str


class Done(BaseResponse, frozen=True, kw_only=True, tag="done"):
    """It was done: one sentence."""

    text: str


class StrategyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the strategy table: whether it runs, what it waits for, whether it is halted, or why it cannot run.

    The equity is in base currency.
    """

    name: StrategyName
    active: bool
    running: bool
    weight: float
    equity: Decimal | None
    halt: str
    fault: str
    waiting: str = ""
    data: str = ""
    """What is wrong with the market data that it follows."""


class DaemonStatus(BaseResponse, frozen=True, kw_only=True, tag="status"):
    """What did not answer in time is null: unknown, not empty. `halts` is by scope, empty scope: all.

    `messages` says by actor and message class how many there were and how long they waited and took. `overcommitted`
    has the accounts whose strategies may work with more than the account is worth; `store` says what is
    wrong with the store, empty when all is well. `quarantined` counts the open items of the quarantine; `starting`
    says what a start waits for and since when, empty when it is over. `history` is what is used of IB's limits of
    historical requests, empty where nothing is.
    """

    time: Nanos
    actors: tuple[ActorStatus, ...]
    messages: tuple[MessageStats, ...] = ()
    strategies: tuple[StrategyStatus, ...] | None
    halts: Mapping[str, str] | None
    equity: Mapping[AccountId, Decimal | None] | None
    overcommitted: Mapping[AccountId, str] | None
    orders: tuple[OrderView, ...] | None
    breaks: int | None
    compared_seconds_ago: float | None
    entries: int | None
    store: str | None = None
    clock: str = ""
    dead_letters: int
    quarantined: int | None = None
    starting: str = ""
    streams: tuple[StreamView, ...] | None = None
    history: str = ""


class StreamLines(BaseResponse, frozen=True, kw_only=True, tag="streams"):
    """By instrument. An instrument that the broker does not know has a contract and no stream."""

    streams: tuple[StreamView, ...]


class BookLine(msgspec.Struct, frozen=True, kw_only=True):
    """One book. Amounts in `currency`; average cost is of one unit, multiplier included; commissions by currency.

    `price` and `unrealized` are null where nothing has been quoted.
    """

    account: AccountId
    strategy: StrategyName
    instrument: InstrumentId
    quantity: Decimal
    average_cost: Decimal
    price: Decimal | None
    realized: Decimal
    unrealized: Decimal | None
    commissions: Mapping[Currency, Decimal]
    currency: Currency


class BookLines(BaseResponse, frozen=True, kw_only=True, tag="books"):
    books: tuple[BookLine, ...]


class BreakLines(BaseResponse, frozen=True, kw_only=True, tag="breaks"):
    """`open` includes candidates, which only one comparison has shown; of `past` the newest come first.

    `compared_seconds_ago` is null before the first comparison.
    """

    time: Nanos
    open: tuple[Break, ...]
    past: tuple[Break, ...]
    compared_seconds_ago: float | None
    explained: Mapping[str, str] = {}
    """By id of a break: what in quarantine may explain it; it is not booked meanwhile."""


class OrderLines(BaseResponse, frozen=True, kw_only=True, tag="orders"):
    """The oldest first."""

    time: Nanos
    orders: tuple[OrderView, ...]


class EquityLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy may work with in its account, in the base currency; null: not known."""

    strategy: StrategyName
    account: AccountId
    weight: float
    equity: Decimal | None


class EquityLines(BaseResponse, frozen=True, kw_only=True, tag="equity"):
    lines: tuple[EquityLine, ...]


class AccountViews(BaseResponse, frozen=True, kw_only=True, tag="accounts"):
    """Figures are text with the exact decimal, or an object with the `reason` why they are unknown."""

    accounts: tuple[AccountView, ...]


class Preview(BaseResponse, frozen=True, kw_only=True, tag="preview"):
    """Both legs with the books before; `broker` is what the broker holds, before and after alike (null: unknown)."""

    assignment: Transfer
    broker: Decimal | None


class TransferDone(BaseResponse, frozen=True, kw_only=True, tag="moved"):
    """What was booked, and its preview; for `--json`."""

    text: str
    preview: Preview


class HoldingRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy holds of an instrument in an account."""

    account: AccountId
    strategy: StrategyName
    instrument: InstrumentId
    quantity: Decimal


class Remainder(msgspec.Struct, frozen=True, kw_only=True):
    """What was not done as requested, and why."""

    what: str
    why: str


class Certificate(BaseResponse, frozen=True, kw_only=True, tag="certificate"):
    """Cancelled orders, closing orders as they ended, what is flat now, what remains and why."""

    cancelled: tuple[OrderView, ...]
    closing: tuple[OrderView, ...] = ()
    flat: tuple[HoldingRow, ...] = ()
    remains: tuple[Remainder, ...] = ()
    halted: tuple[StrategyName, ...] = ()


class NettedPreview(BaseResponse, frozen=True, kw_only=True, tag="netted-preview"):
    """What would be booked, and every holder's book before and after."""

    change: NettedChange


Reply = (
    RequestRefused
    | Done
    | DaemonStatus
    | BookLines
    | BreakLines
    | OrderLines
    | StreamLines
    | EquityLines
    | AccountViews
    | Preview
    | NettedPreview
    | Certificate
)


def described(command: Command) -> str:
    """The command as one line of the audit."""
    fields = msgspec.to_builtins(command)
    fields.pop("reason")
    name = fields.pop("ask")
    if isinstance(command, TransferQuantityRequest):
        move = command.move
        price = "" if move.price is None else f" at {move.price:f}"
        return f"move {move.quantity:f} {move.instrument} from {move.giver} to {move.taker}{price}"
    if isinstance(command, BookNettedRequest):
        return f"{command.netted.action.text} in books that net to zero"
    if isinstance(command, ResolveQuarantineRequest):
        given = "".join(f" {name}={text}" for name, text in command.corrections.items())
        return f"quarantine {command.action} Q{command.number}{given}"
    if isinstance(command, SettleOrderRequest):
        units = "" if command.quantity is None else f" {command.quantity:f}"
        price = "" if command.price is None else f" at {command.price:f}"
        return f"order {command.intent} is {command.outcome}{units}{price}"
    if isinstance(command, CancelOrdersRequest):
        return f"cancel every order of {command.strategy or 'all'}"
    if isinstance(command, AnswerBreakRequest):
        return f"break {command.id} is {command.action.text}"
    if isinstance(command, SetEquityRequest):
        return f"equity of {command.strategy}: {'by its weight' if command.amount is None else f'{command.amount:f}'}"
    return " ".join((name, *(str(value) if value not in ("", None) else "all" for value in fields.values())))


def outcome(answer: BaseResponse) -> str:
    """The outcome of a command, as one line of the audit."""
    match answer:
        case Done(text=text):
            return text
        case RequestRefused(reason=reason):
            return f"refused: {reason}"
        case Certificate():
            left = "; ".join(f"{one.what}: {one.why}" for one in answer.remains) or "nothing remains"
            filled = f", {len(answer.closing)} closing orders" if answer.closing else ""
            return f"{len(answer.cancelled)} cancelled{filled}, {len(answer.flat)} flat; {left}"
        case BreakLines():
            return f"{len(answer.open)} breaks"
    return type(answer).__name__


def with_remains(certificate: Certificate, more: tuple[Remainder, ...]) -> Certificate:
    """The certificate with something else that remains."""
    return msgspec.structs.replace(certificate, remains=(*certificate.remains, *more))
