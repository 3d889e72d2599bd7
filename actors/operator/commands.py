"""Answers the requests of the control socket. A command is written to the audit trail before it is carried out."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import assert_never

import structlog

from actors.base import Refs
from actors.messages.persistence_writer import SetEquity
from actors.messages.portfolio_manager import (
    AnswerBreak,
    AnswerDenied,
    EquityOverridden,
    ReversalRequest,
)
from actors.messages.quarantine import QuarantineRefused, ResolveQuarantine
from actors.operator.flatten import FlattenOperation, discretionary_remains
from actors.operator.operator import Operator
from actors.operator.queries import CommandRefused, NoAnswer, answered, ask
from actors.operator.settlements import SettlementOperation
from actors.operator.status import status_of
from actors.operator.strategy_control import StrategyControl
from actors.operator.transfers import Netting, TransferOperation
from mats.ledger.reconciliation import BreakCause, explained_by
from mats.model import IntentId, OrderView, StrategyName
from mats.operator import book_lines, equity_lines, protocol
from mats.runtime import Runtime
from mats.store.journal import Journal, JournalUnwritableError

COMPARE_SECONDS = 10.0
EQUITY_SECONDS = 5.0
WAYS_OUT = (
    protocol.HaltRequest,
    protocol.CancelOrderRequest,
    protocol.CancelOrdersRequest,
    protocol.FlattenRequest,
    protocol.StopStrategyRequest,
)
"""Commands that only take risk away: they are carried out where nothing can be recorded."""

log = structlog.get_logger(name="operator")


class Commands:
    """Called from the threads of the control socket, several at a time; it keeps no state of its own."""

    def __init__(self, runtime: Runtime, refs: Refs, operator: Operator, journal: Path) -> None:
        self._runtime, self._refs, self._operator, self._path = runtime, refs, operator, journal
        self._queries = operator.queries

    def answer(self, request: protocol.Request, who: str) -> protocol.BaseResponse:
        """Answer a question, or carry out a command of the user `who`."""
        try:
            if isinstance(request, protocol.Command):
                return self._audited(request, who)
            return self._answer(request)
        except CommandRefused as error:
            return protocol.RequestRefused(reason=str(error))

    def _audited(self, command: protocol.AnyCommand, who: str) -> protocol.BaseResponse:
        """The audit line is written before the command is carried out; its outcome follows, also on failure.

        A journal that cannot be written keeps nobody from getting out: the log has those commands then.
        """
        with closing(Journal(self._path)) as journal:
            now, what = self._runtime.clock.now(), protocol.described(command)
            try:
                line = journal.begin_audit(now, who, what, command.reason)
            except JournalUnwritableError as error:
                if not isinstance(command, WAYS_OUT):
                    raise CommandRefused(str(error)) from None
                log.warning("command not in the audit", who=who, what=what, why=command.reason, reason=str(error))
                return self._do(command)
            outcome = "failed; see the log"
            try:
                answer = self._do(command)
                outcome = protocol.outcome(answer)
                return answer
            except CommandRefused as error:
                outcome = f"refused: {error}"
                raise
            finally:
                try:
                    journal.end_audit(line, outcome)
                except JournalUnwritableError as error:
                    log.warning("outcome not in the audit", what=what, outcome=outcome, reason=str(error))

    def _answer(self, question: protocol.AnyQuestion) -> protocol.BaseResponse:
        match question:
            case protocol.StatusRequest():
                stats, history = self._runtime.message_stats(), answered(self._queries.history_use)
                return status_of(self._operator.view(), stats, history, self._runtime.clock.now())
            case protocol.StreamsRequest():
                return protocol.StreamLines(streams=self._queries.streams())
            case protocol.BooksRequest():
                portfolio = self._queries.portfolio()
                return protocol.BookLines(books=book_lines(portfolio.books, portfolio.prices))
            case protocol.ReadBreaksRequest(past=past):
                return self._breaks(past)
            case protocol.OrdersRequest():
                return protocol.OrderLines(time=self._runtime.clock.now(), orders=self._queries.orders())
            case protocol.EquityRequest():
                portfolio, table = self._queries.portfolio(), self._queries.table()
                return protocol.EquityLines(
                    lines=equity_lines(table.records, tuple(portfolio.totals), portfolio.equity)
                )
            case protocol.AccountsRequest():
                return protocol.AccountViews(accounts=self._queries.accounts())
            case protocol.PreviewTransferRequest(move=move):
                return self._transfers().preview(move, (move.giver, move.taker))
            case protocol.PreviewNettedRequest(netted=netted):
                return protocol.NettedPreview(change=self._netting().proposed(netted))
            case protocol.PreviewReversalRequest(id=name):
                return self._transfers().preview(ReversalRequest(name, ""), ())
            case _:
                assert_never(question)

    def _do(self, command: protocol.AnyCommand) -> protocol.BaseResponse:
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
                return self._flatten_operation().cancel([self._order(intent, "cancel")])
            case protocol.CancelOrdersRequest(strategy=strategy):
                return self._flatten_operation().cancel(self._working_orders(self._queries.strategies(strategy)))
            case protocol.SettleOrderRequest(intent=intent):
                order = self._order(intent, "settle")
                return SettlementOperation(self._refs, self._operator).settle(command, order)
            case protocol.FlattenRequest(strategy=strategy, reason=reason):
                return self._flatten(strategy, reason)
            case protocol.StartStrategyRequest(strategy=strategy):
                return self._strategy_control().start(strategy)
            case protocol.StopStrategyRequest(strategy=strategy):
                return self._strategy_control().stop(strategy)
            case protocol.TraceRequest(actor=name, switch=switch):
                return self._trace(name, switch)
            case protocol.SetEquityRequest():
                return self._set_equity(command)
            case protocol.TransferQuantityRequest(move=move):
                return self._transfers().book(move, (move.giver, move.taker))
            case protocol.BookNettedRequest(netted=netted):
                return self._netting().book(netted)
            case protocol.ResolveQuarantineRequest():
                return self._resolve_quarantine(command)
            case protocol.ReverseTransferRequest(id=name, reason=reason):
                return self._transfers().book(ReversalRequest(name, reason), ())
            case _:
                assert_never(command)

    # Commands

    def _reconcile(self) -> protocol.BaseResponse:
        if self._operator.compared(COMPARE_SECONDS) is None:
            raise CommandRefused(
                f"the broker has not answered within {COMPARE_SECONDS:g} s; `mats status` shows its connections"
            )
        return self._breaks(0)

    def _halt(self, strategy: StrategyName, reason: str) -> protocol.BaseResponse:
        self._queries.strategies(strategy)
        self._operator.halt(strategy, reason or "halted by an operator")
        if strategy not in self._halts():
            raise CommandRefused(f"the halt of {strategy or 'all'} is not in force; repeat the command")
        whom = strategy or "any strategy"
        return protocol.Done(
            text=f"no new risk is taken by {whom} until `mats resume{f' {strategy}' if strategy else ''}`"
        )

    def _halts(self) -> dict[StrategyName, str]:
        """Read after a command, which is carried out even where this answer does not come."""
        try:
            return self._queries.halts()
        except NoAnswer:
            raise CommandRefused(
                "the risk manager does not answer and may still carry it out; `mats status` shows halts"
            ) from None

    def _resume(self, strategy: StrategyName) -> protocol.BaseResponse:
        halts = self._queries.halts()
        if strategy not in halts:
            others = ", ".join(scope or "all" for scope in halts) or "none"
            raise CommandRefused(f"no halt of {strategy or 'all'} is in force; halted: {others}")
        self._operator.resume(strategy)
        left = self._halts()
        still = f"; a halt of all is still in force: {left['']}" if "" in left else ""
        return protocol.Done(text=f"the halt of {strategy or 'all'} is lifted{still}")

    def _flatten(self, strategy: StrategyName, reason: str) -> protocol.BaseResponse:
        strategies = self._queries.strategies(strategy)
        orders = self._working_orders(strategies)
        certificate = self._flatten_operation().flatten(strategies, orders, reason)
        if strategy:
            return certificate
        return protocol.with_remains(certificate, discretionary_remains(self._queries.portfolio().books))

    def _netting(self) -> Netting:
        return Netting(self._refs, self._operator)

    def _transfers(self) -> TransferOperation:
        return TransferOperation(self._refs, self._operator)

    def _flatten_operation(self) -> FlattenOperation:
        return FlattenOperation(self._runtime, self._refs, self._operator, self._path)

    def _strategy_control(self) -> StrategyControl:
        return StrategyControl(self._runtime, self._operator)

    def _working_orders(self, strategies: Sequence[StrategyName]) -> list[OrderView]:
        return [order for order in self._queries.orders() if order.strategy in strategies]

    def _order(self, intent: IntentId, to_do: str) -> OrderView:
        """An order that is not final, as it is in the order manager, or in the journal where that does not answer."""
        for order in answered(self._queries.orders) or ():
            if order.intent_id == intent:
                return order
        with closing(Journal(self._path)) as journal:
            found = journal.order(intent)
        if found is None:
            raise CommandRefused(f"there is no order {intent}; `mats status` lists the working ones")
        if found.view.state.final:
            raise CommandRefused(f"order {intent} is {found.view.state} already; there is nothing to {to_do}")
        return found.view

    def _trace(self, name: str, switch: protocol.Switch) -> protocol.BaseResponse:
        trace = self._runtime.trace
        if switch == "off":
            if name not in trace.logged:
                raise CommandRefused(f"{name} is not traced; traced: {', '.join(sorted(trace.logged)) or 'none'}")
            trace.stop_logging(name)
            return protocol.Done(text=f"the messages of {name} are not logged any more")
        if name not in {actor.name for actor in self._runtime.status()}:
            raise CommandRefused(f"there is no actor {name}; `mats status` lists them")
        trace.log(name)
        return protocol.Done(text=f"each message of {name} is logged until `mats trace {name} off`")

    def _set_equity(self, command: protocol.SetEquityRequest) -> protocol.BaseResponse:
        strategy, amount = command.strategy, command.amount
        if amount is not None and (not amount.is_finite() or amount < 0):
            raise CommandRefused(f"an equity of {amount} cannot be used; give an amount from 0 up, or --clear")
        portfolio, table = self._queries.portfolio(), self._queries.table()
        lines = equity_lines(table.records, tuple(portfolio.totals), portfolio.equity)
        place = next((line for line in lines if line.strategy == strategy), None)
        if place is None or not place.account:
            raise CommandRefused(f"no account of {strategy} is known; `mats equity` lists strategies and accounts")
        self._store_equity(SetEquity(account=place.account, strategy=strategy, equity=amount))
        self._refs.portfolio.tell(EquityOverridden())
        if amount is None:
            return protocol.Done(text=f"{strategy} works with its weight's share of {place.account} again")
        in_force = self._operator.until(
            lambda: self._queries.portfolio().equity.get(strategy) == amount, EQUITY_SECONDS
        )
        when = "from now on" if in_force else "once its account is known"
        return protocol.Done(text=f"{strategy} works with {amount:f} in {place.account} {when}")

    def _store_equity(self, equity: SetEquity) -> None:
        try:
            rejects = ask(self._refs.store, equity, "the store", EQUITY_SECONDS)
        except NoAnswer:
            raise CommandRefused("the store has not confirmed it; `mats equity` shows what is in force") from None
        if rejects:
            raise CommandRefused(rejects)

    def _breaks(self, past: int) -> protocol.BreakLines:
        breaks, ago = self._queries.breaks(past), self._queries.portfolio().reconciled_seconds_ago
        now = self._runtime.clock.now()
        with closing(Journal(self._path)) as journal:
            places = [item.place for item in journal.open_quarantine()]
        explained = {found.id: why for found in breaks.open if (why := explained_by(found.key, places))}
        return protocol.BreakLines(
            time=now, open=breaks.open, past=breaks.past, compared_seconds_ago=ago, explained=explained
        )

    def _resolve_quarantine(self, command: protocol.ResolveQuarantineRequest) -> protocol.BaseResponse:
        question = ResolveQuarantine(
            number=command.number,
            action=command.action,
            corrections=command.corrections,
            reason=command.reason,
        )
        result = ask(self._refs.fill_log, question, "the fill log")
        if isinstance(result, QuarantineRefused):
            raise CommandRefused(result.reason)
        self._operator.reconcile()
        return protocol.Done(text=result.text)

    def _answer_break(self, name: str, action: BreakCause) -> protocol.BaseResponse:
        result = ask(self._refs.portfolio, AnswerBreak(name, action), "the portfolio manager")
        if isinstance(result, AnswerDenied):
            raise CommandRefused(result.reason)
        self._operator.reconcile()
        return protocol.Done(text=f"{name} is {action.text}; the next comparison that shows it unchanged settles it")
