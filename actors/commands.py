"""The words of the control socket, carried out by the operator core. What changes something is put on record first."""

from contextlib import closing
from pathlib import Path

from actors.asking import SILENT, Asking, CommandRefused, known, status_of
from actors.closing import Closing, discretionary_remains
from actors.messages.persistence_writer import SetEquity
from actors.messages.portfolio_manager import (
    AnswerBreak,
    AnswerDenied,
    BreakAnswered,
    Breaks,
    EquityGiven,
    ProposeAssignment,
    ProposeReversal,
    ReadBreaks,
)
from actors.moving import Moving, Netting
from actors.names import Names
from actors.operator import Operator
from actors.questions import answer_of
from actors.running import Running
from mats.ledger.actions import Action
from mats.model.orders import StrategyName
from mats.operator import words
from mats.operator.lines import book_lines, equity_lines
from mats.runtime import Runtime
from mats.store.journal import Journal

COMPARE_SECONDS = 10.0
EQUITY_SECONDS = 5.0


class Commands:
    """Called from the threads of the control socket, several at a time; it keeps no state of its own."""

    def __init__(self, runtime: Runtime, names: Names, operator: Operator, journal: Path) -> None:
        self._runtime, self._names, self._operator, self._path = runtime, names, operator, journal
        self._asking = Asking(operator.questions, journal)

    def answer(self, request: words.Request, who: str) -> words.Answer:
        """Answer a question, or carry out a command of the user `who`."""
        try:
            if isinstance(request, words.Command):
                return self._recorded(request, who)
            return self._see(request)
        except CommandRefused as error:
            return words.Refused(reason=str(error))

    def _recorded(self, command: words.Command, who: str) -> words.Answer:
        """The line of the audit comes before the deed; what comes of it follows, also where it fails."""
        with closing(Journal(self._path)) as journal:
            now = self._runtime.clock.now()
            line = journal.begin_audit(now, who, words.described(command), command.reason)
            outcome = "failed; the log says more"
            try:
                answer = self._do(command)
                outcome = words.outcome(answer)
                return answer
            except CommandRefused as error:
                outcome = f"refused: {error}"
                raise
            finally:
                journal.end_audit(line, outcome)

    def _see(self, request: words.Request) -> words.Answer:
        match request:
            case words.ReadStatus():
                return status_of(self._operator.view(), self._runtime.clock.now())
            case words.ReadBooks():
                portfolio = self._asking.portfolio()
                return words.BookLines(books=book_lines(portfolio.books, portfolio.prices))
            case words.ReadBreaks(past=past):
                return self._breaks(past)
            case words.ReadEquity():
                portfolio, table = self._asking.portfolio(), self._asking.table()
                return words.EquityLines(lines=equity_lines(table.records, tuple(portfolio.totals), portfolio.equity))
            case words.ReadAccounts():
                return words.AccountViews(accounts=self._asking.accounts())
            case words.PreviewMove(move=move):
                return self._moving().preview(ProposeAssignment(move), (move.giver, move.taker))
            case words.PreviewNetted(wish=wish):
                return words.NettedPreview(change=self._netting().proposed(wish))
            case words.PreviewReversal(id=name):
                return self._moving().preview(ProposeReversal(name, ""), ())
        raise TypeError(f"{type(request).__name__} is no question")

    def _do(self, command: words.Command) -> words.Answer:
        match command:
            case words.ReconcileNow():
                return self._reconcile()
            case words.AnswerBreak(id=name, action=action):
                return self._answer_break(name, action)
            case words.HaltTrading(strategy=strategy, reason=reason):
                return self._halt(strategy, reason)
            case words.ResumeTrading(strategy=strategy):
                return self._resume(strategy)
            case words.CancelOrder(intent=intent):
                return self._closing().cancel([self._asking.order(intent)])
            case words.CancelOrders(strategy=strategy):
                return self._closing().cancel(self._asking.orders(self._asking.named(strategy)))
            case words.Flatten(strategy=strategy, reason=reason):
                return self._flatten(strategy, reason)
            case words.StartStrategy(strategy=strategy):
                return self._running().start(strategy)
            case words.StopStrategy(strategy=strategy):
                return self._running().stop(strategy)
            case words.SetEquity():
                return self._set_equity(command)
            case words.MoveQuantity(move=move):
                return self._moving().move(ProposeAssignment(move), (move.giver, move.taker))
            case words.BookNetted(wish=wish):
                return self._netting().book(wish)
            case words.ReverseMove(id=name, reason=reason):
                return self._moving().move(ProposeReversal(name, reason), ())
        raise TypeError(f"{type(command).__name__} is no command")

    # Do

    def _reconcile(self) -> words.Answer:
        portfolio = self._operator.compared(COMPARE_SECONDS)
        late = f"the broker has not answered within {COMPARE_SECONDS:g} s; `mats status` shows its connections"
        known(portfolio, late)
        return self._breaks(0)

    def _halt(self, strategy: StrategyName, reason: str) -> words.Answer:
        self._asking.named(strategy)
        self._operator.halt(strategy, reason or "halted by an operator")
        if strategy not in self._asking.halts():
            raise CommandRefused(f"the halt of {strategy or 'all'} did not hold; ask again")
        whom = strategy or "anybody"
        return words.Done(
            text=f"no new risk is taken by {whom} until `mats resume{f' {strategy}' if strategy else ''}`"
        )

    def _resume(self, strategy: StrategyName) -> words.Answer:
        halts = self._asking.halts()
        if strategy not in halts:
            others = ", ".join(scope or "all" for scope in halts) or "nobody"
            raise CommandRefused(f"no halt of {strategy or 'all'} is in force; halted: {others}")
        self._operator.resume(strategy)
        left = self._asking.halts()
        still = f"; a halt of all is still in force: {left['']}" if "" in left else ""
        return words.Done(text=f"the halt of {strategy or 'all'} is lifted{still}")

    def _flatten(self, strategy: StrategyName, reason: str) -> words.Answer:
        strategies = self._asking.named(strategy)
        certificate = self._closing().flatten(strategies, self._asking.orders(strategies), reason)
        if strategy:
            return certificate
        return words.with_remains(certificate, discretionary_remains(self._asking.portfolio().books))

    def _netting(self) -> Netting:
        return Netting(self._names, self._operator, self._asking)

    def _moving(self) -> Moving:
        return Moving(self._names, self._operator, self._asking)

    def _closing(self) -> Closing:
        return Closing(self._runtime, self._names, self._operator, self._path)

    def _running(self) -> Running:
        return Running(self._runtime, self._operator, self._asking)

    def _set_equity(self, command: words.SetEquity) -> words.Answer:
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
        self._names.portfolio.tell(EquityGiven())
        if amount is None:
            return words.Done(text=f"{strategy} works with its weight's share of {place.account} again")
        in_force = self._operator.until(lambda: self._asking.portfolio().equity.get(strategy) == amount, EQUITY_SECONDS)
        when = "from now on" if in_force else "once its account is known"
        return words.Done(text=f"{strategy} works with {amount:f} in {place.account} {when}")

    def _breaks(self, past: int) -> words.BreakLines:
        found = answer_of(self._names.portfolio, ReadBreaks(past), Breaks)
        breaks, ago = known(found, SILENT), self._asking.portfolio().reconciled_seconds_ago
        now = self._runtime.clock.now()
        return words.BreakLines(time=now, open=breaks.open, past=breaks.past, compared_seconds_ago=ago)

    def _answer_break(self, name: str, action: Action) -> words.Answer:
        told = answer_of(self._names.portfolio, AnswerBreak(name, action), object)
        if isinstance(told, AnswerDenied):
            raise CommandRefused(told.reason)
        if not isinstance(told, BreakAnswered):
            raise CommandRefused(SILENT)
        self._operator.reconcile()
        return words.Done(text=f"{name} is {action.text}; the next comparison that shows it unchanged settles it")
