"""The words of the control socket, carried out by the operator core. What changes something is put on record first."""

from contextlib import closing
from pathlib import Path

from actors.base import Refs
from actors.messages.persistence_writer import SetEquity
from actors.messages.portfolio_manager import (
    AnswerBreak,
    AnswerDenied,
    BreakAnswered,
    Breaks,
    EquityOverridden,
    ProposeAssignment,
    ProposeReversal,
    ReadBreaks,
)
from actors.operator.actor_queries import answer_of
from actors.operator.core import Operator
from actors.operator.flatten import FlattenOperation, discretionary_remains
from actors.operator.queries import SILENT, CommandRefused, Queries, known, status_of
from actors.operator.strategy_control import StrategyControl
from actors.operator.transfers import Netting, TransferOperation
from mats.ledger.reconciliation import BreakCause
from mats.model import StrategyName
from mats.operator import book_lines, equity_lines, protocol
from mats.runtime import Runtime
from mats.store.journal import Journal

COMPARE_SECONDS = 10.0
EQUITY_SECONDS = 5.0


class Commands:
    """Called from the threads of the control socket, several at a time; it keeps no state of its own."""

    def __init__(self, runtime: Runtime, names: Refs, operator: Operator, journal: Path) -> None:
        self._runtime, self._names, self._operator, self._path = runtime, names, operator, journal
        self._asking = Queries(operator.questions, journal)

    def answer(self, request: protocol.Request, who: str) -> protocol.BaseResponse:
        """Answer a question, or carry out a command of the user `who`."""
        try:
            if isinstance(request, protocol.Command):
                return self._recorded(request, who)
            return self._see(request)
        except CommandRefused as error:
            return protocol.RequestRefused(reason=str(error))

    def _recorded(self, command: protocol.Command, who: str) -> protocol.BaseResponse:
        """The line of the audit comes before the deed; what comes of it follows, also where it fails."""
        with closing(Journal(self._path)) as journal:
            now = self._runtime.clock.now()
            line = journal.begin_audit(now, who, protocol.described(command), command.reason)
            outcome = "failed; the log says more"
            try:
                answer = self._do(command)
                outcome = protocol.outcome(answer)
                return answer
            except CommandRefused as error:
                outcome = f"refused: {error}"
                raise
            finally:
                journal.end_audit(line, outcome)

    def _see(self, request: protocol.Request) -> protocol.BaseResponse:
        match request:
            case protocol.StatusRequest():
                return status_of(self._operator.view(), self._runtime.clock.now())
            case protocol.BooksRequest():
                portfolio = self._asking.portfolio()
                return protocol.BookLines(books=book_lines(portfolio.books, portfolio.prices))
            case protocol.ReadBreaksRequest(past=past):
                return self._breaks(past)
            case protocol.EquityRequest():
                portfolio, table = self._asking.portfolio(), self._asking.table()
                return protocol.EquityLines(
                    lines=equity_lines(table.records, tuple(portfolio.totals), portfolio.equity)
                )
            case protocol.AccountsRequest():
                return protocol.AccountViews(accounts=self._asking.accounts())
            case protocol.PreviewTransferRequest(move=move):
                return self._moving().preview(ProposeAssignment(move), (move.giver, move.taker))
            case protocol.PreviewNettedRequest(netted=wish):
                return protocol.NettedPreview(change=self._netting().proposed(wish))
            case protocol.PreviewReversalRequest(id=name):
                return self._moving().preview(ProposeReversal(name, ""), ())
        raise TypeError(f"{type(request).__name__} is no question")

    def _do(self, command: protocol.Command) -> protocol.BaseResponse:
        match command:
            case protocol.ReconcileRequest():
                return self._reconcile()
            case protocol.AnswerBreakRequest(id=name, action=action):
                return self._answer_break(name, action)
            case protocol.HaltRequest(strategy=strategy, reason=reason):
                return self._halt(strategy, reason)
            case protocol.ResumeRequest(strategy=strategy):
                return self._resume(strategy)
            case protocol.CancelOrderRequest(intent=intent):
                return self._closing().cancel([self._asking.order(intent)])
            case protocol.CancelOrdersRequest(strategy=strategy):
                return self._closing().cancel(self._asking.orders(self._asking.named(strategy)))
            case protocol.FlattenRequest(strategy=strategy, reason=reason):
                return self._flatten(strategy, reason)
            case protocol.StartStrategyRequest(strategy=strategy):
                return self._running().start(strategy)
            case protocol.StopStrategyRequest(strategy=strategy):
                return self._running().stop(strategy)
            case protocol.SetEquityRequest():
                return self._set_equity(command)
            case protocol.TransferQuantityRequest(move=move):
                return self._moving().move(ProposeAssignment(move), (move.giver, move.taker))
            case protocol.BookNettedRequest(netted=wish):
                return self._netting().book(wish)
            case protocol.ReverseTransferRequest(id=name, reason=reason):
                return self._moving().move(ProposeReversal(name, reason), ())
        raise TypeError(f"{type(command).__name__} is no command")

    # Do

    def _reconcile(self) -> protocol.BaseResponse:
        portfolio = self._operator.compared(COMPARE_SECONDS)
        late = f"the broker has not answered within {COMPARE_SECONDS:g} s; `mats status` shows its connections"
        known(portfolio, late)
        return self._breaks(0)

    def _halt(self, strategy: StrategyName, reason: str) -> protocol.BaseResponse:
        self._asking.named(strategy)
        self._operator.halt(strategy, reason or "halted by an operator")
        if strategy not in self._asking.halts():
            raise CommandRefused(f"the halt of {strategy or 'all'} did not hold; ask again")
        whom = strategy or "anybody"
        return protocol.Done(
            text=f"no new risk is taken by {whom} until `mats resume{f' {strategy}' if strategy else ''}`"
        )

    def _resume(self, strategy: StrategyName) -> protocol.BaseResponse:
        halts = self._asking.halts()
        if strategy not in halts:
            others = ", ".join(scope or "all" for scope in halts) or "nobody"
            raise CommandRefused(f"no halt of {strategy or 'all'} is in force; halted: {others}")
        self._operator.resume(strategy)
        left = self._asking.halts()
        still = f"; a halt of all is still in force: {left['']}" if "" in left else ""
        return protocol.Done(text=f"the halt of {strategy or 'all'} is lifted{still}")

    def _flatten(self, strategy: StrategyName, reason: str) -> protocol.BaseResponse:
        strategies = self._asking.named(strategy)
        certificate = self._closing().flatten(strategies, self._asking.orders(strategies), reason)
        if strategy:
            return certificate
        return protocol.with_remains(certificate, discretionary_remains(self._asking.portfolio().books))

    def _netting(self) -> Netting:
        return Netting(self._names, self._operator, self._asking)

    def _moving(self) -> TransferOperation:
        return TransferOperation(self._names, self._operator, self._asking)

    def _closing(self) -> FlattenOperation:
        return FlattenOperation(self._runtime, self._names, self._operator, self._path)

    def _running(self) -> StrategyControl:
        return StrategyControl(self._runtime, self._operator, self._asking)

    def _set_equity(self, command: protocol.SetEquityRequest) -> protocol.BaseResponse:
        strategy, amount = command.strategy, command.amount
        if amount is not None and (not amount.is_finite() or amount < 0):
            raise CommandRefused(f"an equity of {amount} cannot be used; give an amount from 0 up, or --clear")
        portfolio, table = self._asking.portfolio(), self._asking.table()
        lines = equity_lines(table.records, tuple(portfolio.totals), portfolio.equity)
        place = next((line for line in lines if line.strategy == strategy), None)
        if place is None or not place.account:
            raise CommandRefused(f"no account of {strategy} is known; `mats equity` lists strategies and accounts")
        given = SetEquity(account=place.account, strategy=strategy, equity=amount)
        rejects = answer_of(self._names.store, given, str, EQUITY_SECONDS)
        if rejects != "":
            raise CommandRefused(rejects or "the store has not confirmed it; `mats equity` shows what holds")
        self._names.portfolio.tell(EquityOverridden())
        if amount is None:
            return protocol.Done(text=f"{strategy} works with its weight's share of {place.account} again")
        in_force = self._operator.until(lambda: self._asking.portfolio().equity.get(strategy) == amount, EQUITY_SECONDS)
        when = "from now on" if in_force else "once its account is known"
        return protocol.Done(text=f"{strategy} works with {amount:f} in {place.account} {when}")

    def _breaks(self, past: int) -> protocol.BreakLines:
        found = answer_of(self._names.portfolio, ReadBreaks(past), Breaks)
        breaks, ago = known(found, SILENT), self._asking.portfolio().reconciled_seconds_ago
        now = self._runtime.clock.now()
        return protocol.BreakLines(time=now, open=breaks.open, past=breaks.past, compared_seconds_ago=ago)

    def _answer_break(self, name: str, action: BreakCause) -> protocol.BaseResponse:
        told = answer_of(self._names.portfolio, AnswerBreak(name, action), object)
        if isinstance(told, AnswerDenied):
            raise CommandRefused(told.reason)
        if not isinstance(told, BreakAnswered):
            raise CommandRefused(SILENT)
        self._operator.reconcile()
        return protocol.Done(text=f"{name} is {action.text}; the next comparison that shows it unchanged settles it")
