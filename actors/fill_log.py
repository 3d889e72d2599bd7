"""The fill log: the one order of executions. It journals each report of the broker once, and feeds it to the stages.

A stage gets entry n only after the stage above has applied n: from that stage, which is told with the entry to whom it
hands it on, or from the log, when that stage has acknowledged n; stages do not know one another. A lost cursor or
acknowledgement is made up for at the next tick. What the journal does not take waits, in its order, and with it all
that came later; no new risk is taken meanwhile. The store is a stage like the others, but for the time that new risk
goes on without it.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import assert_never

import msgspec

from actors.base import JournalWrites, Quarantine
from actors.messages.addresses import FillLogMessage, RiskManagerMessage, StageMessage
from actors.messages.fill_log import (
    Acknowledge,
    ApplyEntries,
    BookAdjustments,
    BookTransfer,
    EpochOpened,
    GetLogPosition,
    LogPosition,
    OpenEpoch,
    Progress,
    ReadProgress,
    ReplayMerged,
    ReplayProgressed,
    ReportCursor,
    ReportExecutions,
    ReportHeld,
    ReportPart,
    ReportReplay,
    StageCursor,
    StagesBehind,
    StoreReported,
    TransferBooked,
    TransferRefused,
    TransferStale,
)
from actors.messages.portfolio_manager import RatesChanged
from actors.messages.quarantine import (
    EntrySetAside,
    QuarantineChanged,
    QuarantineRefused,
    QuarantineResolved,
    ReportUndecoded,
    ResolveQuarantine,
)
from mats.ledger.fill_log import (
    BookedFacts,
    ClockWatch,
    EntryCache,
    RecentFacts,
    StageGate,
    book_reports,
)
from mats.ledger.quarantine import CorrectionError, QuarantineItem, QuarantineKind, QuarantinePlace
from mats.ledger.reconciliation import Transfer
from mats.ledger.valuation import FxRates
from mats.model import AdjustmentRecorded, Commission, Currency, Entry, Execution, Unknown
from mats.runtime import Actor, Down, MailboxSpec, Ref
from mats.runtime.testing import chaos
from mats.store.journal import AlreadyBookedError, Journal, JournalUnwritableError
from mats.store.outages import Patience, StoreHealth, StoreWatch

WINDOW = 512
TAIL_ENTRIES = 4096
RECENT_EXECUTIONS = 4096
TICK_SECONDS = 1.0
BEHIND_TICKS = 2
STORE = "store"
"""The stage whose outage stops new risk only after a while."""


class Tick(msgspec.Struct, frozen=True):
    pass


class FenceEpochs(msgspec.Struct, frozen=True):
    """What was reported under the epochs of an earlier incarnation must be reported again."""


Write = OpenEpoch | ReportExecutions | ReportPart | ReportReplay | ReportUndecoded | BookAdjustments | FenceEpochs
"""What is handled when the journal takes it, in the order in which it came."""


class FillLog(Actor[FillLogMessage | Tick | Down]):
    """Owns the journal of executions and the gate of the stages."""

    mailbox = MailboxSpec(
        capacity=50_000,
        never_full=(ReportExecutions, ReportPart, ReportReplay, StageCursor, Acknowledge, BookAdjustments),
        conflate=lambda message: type(message) if isinstance(message, RatesChanged | StoreReported) else None,
    )

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        """`stages` in the order in which they get an entry; `rate_stale_after` in seconds."""

        journal_path: Path
        base_currency: Currency
        rate_stale_after: float
        stages: Mapping[str, Ref[StageMessage]]
        risk: Ref[RiskManagerMessage]
        store_patience: Patience = Patience()

    def __init__(self, args: Args) -> None:
        self._path, self._stages, self._risk = args.journal_path, args.stages, args.risk
        self._store, self._blocked = StoreWatch(args.store_patience), True
        self._rates, self._rate_age = FxRates(args.base_currency), args.rate_stale_after

    def on_start(self) -> None:
        self._journal = Journal(self._path)
        self.defer(self._journal.release)
        self._quarantine = Quarantine(self, self._journal)
        self._told_places: tuple[QuarantinePlace, ...] = ()
        self._writes, self._unwritten = JournalWrites(self), deque[Write]()
        self._epochs: dict[str, int] = {}
        self._replayed: dict[str, int] = {}
        self._write(FenceEpochs())
        self._last_seq = self._journal.last_seq()
        self._seq_at_ticks = deque([self._last_seq] * BEHIND_TICKS, maxlen=BEHIND_TICKS)
        self._gate = StageGate(tuple(self._stages), WINDOW)
        self._tail = EntryCache(TAIL_ENTRIES)
        self._clocks = ClockWatch()
        self._recent = RecentFacts(self._journal, RECENT_EXECUTIONS)
        for stage in self._stages.values():
            stage.tell(ReportCursor())
        self._check_stages()
        self.every(TICK_SECONDS, Tick())

    def on_receive(self, message: FillLogMessage | Tick | Down) -> object:
        match message:
            case ReportPart(report=report) | ReportReplay(report=report):
                self._replayed.pop(report.connection, None)
                self._write(message)
            case ReportExecutions() | ReportUndecoded() | OpenEpoch() | BookAdjustments():
                self._write(message)
            case ReplayProgressed(connection=connection, executions=executions):
                self._replayed[connection] = executions
            case Acknowledge(stage=stage, seq=seq):
                self._gate.acknowledge(stage, seq)
                self._feed()
            case StageCursor(stage=stage, cursor=cursor):
                self._resume(stage, cursor)
            case Down():
                self._lose(message)
            case BookTransfer(assignment=assignment):
                return message.answer(self._try_transfer(assignment))
            case EntrySetAside():
                self._quarantine.reload()
                self._tell_quarantine()
            case ResolveQuarantine():
                return message.answer(self._try_resolve(message))
            case RatesChanged(rates=rates):
                self._rates = rates
            case StoreReported(outage=outage, known=known):
                self._store.report(outage, known, self.clock.monotonic())
                if self._look_at_store().blocks is not self._blocked:
                    self._check_stages()
            case Tick():
                self._seq_at_ticks.append(self._last_seq)
                self._write_waiting()
                self._check_stages()
                self._feed()
            case GetLogPosition():
                message.reply_to.tell(LogPosition(self._last_seq))
            case ReadProgress():
                return message.answer(self._progress())
            case _:
                assert_never(message)
        return None

    def _write(self, message: Write) -> None:
        """Handle the message now, or when the journal has taken all that came before it.

        A connection that asks again for an epoch that it waits for is given one.
        """
        if isinstance(message, OpenEpoch) and message in self._unwritten:
            return
        self._unwritten.append(message)
        if len(self._unwritten) == 1:
            self._write_waiting()

    def _write_waiting(self) -> None:
        while self._unwritten and self._writes.attempt(partial(self._carry_out, self._unwritten[0])):
            self._unwritten.popleft()
        waiting = (message for message in self._unwritten if isinstance(message, OpenEpoch | ReportPart | ReportReplay))
        for asked in dict.fromkeys(message.reply_to for message in waiting):
            asked.tell(ReportHeld())

    def _carry_out(self, message: Write) -> None:
        match message:
            case ReportExecutions():
                self._report_live(message)
            case ReportPart(report=report, reply_to=reply_to):
                self._report(report, self._journal)
                reply_to.tell(ReportHeld())
            case ReportReplay(report=report, reply_to=reply_to):
                if self._report(report, self._journal):
                    reply_to.tell(ReplayMerged(report.epoch, self._last_seq))
            case OpenEpoch(connection=connection):
                self._epochs[connection] = self._journal.open_epoch(connection)
                message.reply_to.tell(EpochOpened(connection, self._epochs[connection]))
            case ReportUndecoded():
                self._quarantine.keep_message(message)
                self._tell_quarantine()
            case BookAdjustments():
                self._adjust(message)
            case FenceEpochs():
                self._journal.fence_epochs()

    def _report_live(self, report: ReportExecutions) -> None:
        """What is reported live was booked a moment ago or never; if it was long ago, the journal refuses it."""
        try:
            self._report(report, self._recent)
        except AlreadyBookedError:
            self._report(report, self._journal)

    def _report(self, report: ReportExecutions, known: BookedFacts) -> bool:
        """Journal first, then dispatch. A report of an older epoch is ignored: the snapshot after it contains it.

        What a power cut takes of it the broker reports again, so nobody waits for a flush.
        """
        epoch = self._epochs.get(report.connection) or self._journal.epoch(report.connection)
        if report.epoch != epoch:
            self.log.info("report of an older epoch ignored", connection=report.connection, epoch=report.epoch)
            return False
        executions = self._quarantine.admit_executions(report.executions, report.connection)
        commissions = self._quarantine.admit_commissions(report.commissions, report.connection)
        self._tell_quarantine()
        if self._quarantine.places:
            self._heal(executions)
        self._quarantine.settle_by(self._book(executions, commissions, known))
        self._tell_quarantine()
        return True

    def _book(
        self, executions: Sequence[Execution], commissions: Sequence[Commission], known: BookedFacts
    ) -> tuple[Entry, ...]:
        booked = book_reports(executions, commissions, known, self._last_seq + 1, self.clock.now(), self._rate)
        with self._journal.unflushed():
            for commission in booked.held:
                self._journal.hold_commission(commission)
                self._recent.hold(commission)
            self._append(booked.entries)
        self._dispatch(booked.entries)
        for note in booked.notes:
            self.log.warning(note)
        if ahead := self._clocks.look(booked.entries):
            self.log.warning(ahead)
        return booked.entries

    # Quarantine

    def _heal(self, executions: Sequence[Execution]) -> None:
        """What the broker reports with other fields takes the place of an entry that a stage could not apply."""
        for execution in executions:
            if (item := self._quarantine.healed_by(execution)) is not None:
                self._replace(item, execution, "the broker reported it with other fields")

    def _replace(self, item: QuarantineItem, execution: Execution, why: str) -> QuarantineResolved:
        replaced = self._quarantine.replace(item, execution, self._last_seq + 1, self._rate)
        self._record(replaced)
        return self._quarantine.close(item, f"is booked with entry {self._last_seq}: {why}")

    def _try_resolve(self, request: ResolveQuarantine) -> QuarantineResolved | QuarantineRefused:
        """Whoever waits for the answer tries again; it does not wait for the journal."""
        try:
            item = self._quarantine.find(request.number)
            return item if isinstance(item, QuarantineRefused) else self._resolve_item(item, request)
        except (CorrectionError, JournalUnwritableError) as error:
            return QuarantineRefused(str(error))
        finally:
            self._tell_quarantine()

    def _resolve_item(self, item: QuarantineItem, request: ResolveQuarantine) -> QuarantineResolved:
        """The books first: where a crash comes in between, the item is open still and its fact is a repetition."""
        because = f" ({request.reason})" if request.reason else ""
        if request.action == "drop":
            if item.kind is QuarantineKind.ENTRY:
                voided = self._quarantine.void(item, self._last_seq + 1)
                self._record(voided)
            return self._quarantine.close(item, f"is dropped{because}")
        how = "as received" if request.action == "accept" else "as corrected"
        fact = self._quarantine.fact(item, request)
        if item.kind is QuarantineKind.ENTRY and isinstance(fact, Execution):
            return self._replace(item, fact, f"{how}{because}")
        executions, commissions = ((fact,), ()) if isinstance(fact, Execution) else ((), (fact,))
        booked = self._book(executions, commissions, self._journal)
        if not booked and isinstance(fact, Execution):
            raise CorrectionError(
                f"{item.id} is booked already, or a later report of it; `mats quarantine drop {item.id}`"
            )
        return self._quarantine.close(item, f"is booked {how}{because}")

    def _tell_quarantine(self) -> None:
        """Before the next entry: what lacks one takes no new risk."""
        if self._told_places != self._quarantine.places:
            self._told_places = self._quarantine.places
            self._risk.tell(QuarantineChanged(self._told_places))

    def _adjust(self, request: BookAdjustments) -> None:
        """All or none: after a change of the books the next comparison computes those that are still needed."""
        if any(self._quarantine.holds(a.account, a.instrument) for a in request.adjustments):
            self.log.info("adjustments discarded: what is in quarantine may explain them", as_of=request.as_of)
            return
        if any(self._journal.moved_since((a.account, a.instrument), request.as_of) for a in request.adjustments):
            self.log.info("adjustments discarded: books changed since they were computed", as_of=request.as_of)
            return
        adjusted = tuple(
            AdjustmentRecorded(
                seq=seq,
                recorded=self.clock.now(),
                rate=self._rate(adjustment.currency),
                **msgspec.structs.asdict(adjustment),
            )
            for seq, adjustment in enumerate(request.adjustments, self._last_seq + 1)
        )
        self._record(adjusted)

    def _try_transfer(self, assignment: Transfer) -> TransferBooked | TransferStale | TransferRefused:
        """Whoever waits for the answer tries again; it does not wait for the journal."""
        try:
            return self._transfer(assignment)
        except JournalUnwritableError as error:
            return TransferRefused(str(error))

    def _transfer(self, assignment: Transfer) -> TransferBooked | TransferStale:
        """Both legs in one transaction, if no entry has changed either book since the legs were computed."""
        for held, seq in zip(assignment.before, assignment.as_of, strict=True):
            if self._journal.touched_since(*held.key, seq):
                return TransferStale()
        if assignment.reverses and self._journal.reversal_of(assignment.reverses):
            return TransferStale()
        legs = assignment.entries(self._last_seq + 1, self.clock.now(), self._rate(assignment.currency))
        self._record(legs)
        return TransferBooked(legs[0].assignment)

    def _rate(self, currency: Currency) -> Decimal | None:
        """Units of base currency for one unit of `currency`, as known now; None is booked where it is not known."""
        rate = self._rates.rate(currency, self.clock.now(), self._rate_age)
        return None if isinstance(rate, Unknown) else rate

    def _record(self, entries: tuple[Entry, ...]) -> None:
        """What the broker does not report again is on the disk before a stage has it."""
        self._append(entries)
        self._dispatch(entries)

    def _append(self, entries: tuple[Entry, ...]) -> None:
        if entries:
            chaos.point("fill log: before the journal")
            self._journal.append(entries)

    def _dispatch(self, entries: tuple[Entry, ...]) -> None:
        """The entries are in the journal: the stages may have them."""
        if entries:
            chaos.point("fill log: after the journal, before dispatch")
            self._last_seq = entries[-1].seq
            self._tail.extend(entries)
            self._recent.extend(entries)
            self._feed()

    def _feed(self) -> None:
        for span in self._gate.pop_spans(self._last_seq):
            entries = self._tail.span(span.first, span.last)
            if entries is None:
                entries = tuple(self._journal.entries(span.first - 1, span.last - span.first + 1))
            chaos.point("fill log: between two stages")
            onward = tuple(self._stages[below] for below in span.onward)
            self._stages[span.stage].tell(ApplyEntries(entries, onward))

    def _resume(self, stage: str, cursor: int) -> None:
        self._gate.report_cursor(stage, cursor)
        self.watch(self._stages[stage], tag=stage)
        self._check_stages()
        self._feed()

    def _lose(self, down: Down) -> None:
        self._gate.down(str(down.tag))
        if down.reason != "normal":
            self._check_stages()

    def _check_stages(self) -> None:
        """No new risk while a stage is down, or still owes an entry from two ticks ago; sent at every tick.

        The store has a measure of its own: people read it, and trading does not.
        """
        behind = self._gate.behind(self._seq_at_ticks[0])
        health = self._look_at_store()
        if self._store.reporting:
            behind = tuple(stage for stage in behind if stage != STORE)
        if self._store.reporting and health.blocks is not self._blocked:
            self._blocked = health.blocks
            if health.blocks:
                self.log.error("new risk waits for the store; orders that reduce pass", store=health.text)
            else:
                self.log.info("new risk does not wait for the store")
        if self._unwritten:
            behind = (f"the fill log ({self._writes.fault})", *behind)
        if self._quarantine.places:
            self._risk.offer(QuarantineChanged(self._quarantine.places))
        self._risk.offer(StagesBehind(behind, health.text if health.blocks else ""))

    def _progress(self) -> Progress:
        return Progress(
            last_seq=self._last_seq,
            cursors=self._gate.cursors(),
            store=self._look_at_store().text,
            clock=self._clocks.text,
            quarantined=self._quarantine.count,
            replayed=max(self._replayed.values(), default=0),
        )

    def _look_at_store(self) -> StoreHealth:
        return self._store.look(self._gate.cursors().get(STORE), self._last_seq, self.clock.monotonic())
