"""The quarantine, for the fill log: what it admits, what it keeps, and how an operator resolves it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Never

from msgspec.structs import replace

from actors.base.owner import Owner
from actors.messages.quarantine import QuarantineRefused, QuarantineResolved, ReportUndecoded, ResolveQuarantine
from mats.ledger.quarantine import (
    CorrectionError,
    OpenItems,
    QuarantineItem,
    QuarantineKind,
    QuarantinePlace,
    as_text,
    as_text_fields,
    commission_of,
    execution_of,
    replacement,
    voiding,
)
from mats.model import (
    POSSIBLE,
    AccountId,
    Commission,
    CommissionRecorded,
    Currency,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
    InstrumentId,
    StrategyName,
    UndecodedMessage,
    commission_fault,
    execution_fault,
    parse_order_ref,
)
from mats.store.journal import Journal

MOST_MESSAGES = 1_000
"""How many messages that could not be decoded are kept; more of them are counted."""

Rate = Callable[[Currency], Decimal | None]


class Quarantine:
    """Belongs to the fill log, and works in its turns. Everything is durable before it counts."""

    def __init__(self, owner: Owner[Never], journal: Journal) -> None:
        self._owner, self._journal = owner, journal
        self._turned_away = Counter[QuarantineKind]()
        self.reload()

    def reload(self) -> None:
        """Read the open items: stages put entries there themselves."""
        self._open = OpenItems(self._journal.open_quarantine())

    @property
    def places(self) -> tuple[QuarantinePlace, ...]:
        """Where no new risk is taken."""
        return self._open.places

    @property
    def count(self) -> int:
        """How many open items there are."""
        return len(self._open)

    def holds(self, account: AccountId, instrument: InstrumentId) -> bool:
        """Whether the books of an instrument may lack something that is kept here."""
        return any(place.holds_instrument(account, instrument) for place in self.places)

    # What comes in

    def admit_executions(self, executions: Sequence[Execution], source: str) -> tuple[Execution, ...]:
        """Those that can be booked; the others are kept."""
        now = self._owner.clock.now()
        faults = [execution_fault(execution, now) for execution in executions]
        if not any(faults):
            return tuple(executions)
        for execution, fault in zip(executions, faults, strict=True):
            if fault:
                self._keep_execution(execution, fault, source)
        return tuple(e for e, fault in zip(executions, faults, strict=True) if not fault)

    def admit_commissions(self, commissions: Sequence[Commission], source: str) -> tuple[Commission, ...]:
        """Those that can be booked; the others are kept."""
        admitted = []
        for commission in commissions:
            if fault := commission_fault(commission):
                self._keep_commission(commission, fault, source)
            else:
                admitted.append(commission)
        return tuple(admitted)

    def _keep_execution(self, execution: Execution, fault: str, source: str) -> None:
        if self._journal.find_execution(as_text(execution.exec_id)) is not None:
            self._leave_out("execution", as_text(execution.exec_id), fault)
            return
        named = parse_order_ref(execution.order_ref)
        self.keep(
            QuarantineItem(
                key=_key(execution),
                kind=QuarantineKind.EXECUTION,
                fault=as_text(fault),
                fields=as_text_fields(execution),
                source=source,
                time=self._owner.clock.now(),
                account=as_text(execution.account),
                instrument=as_text(execution.instrument),
                strategy=as_text(named[0]) if named else "",
            )
        )

    def _keep_commission(self, commission: Commission, fault: str, source: str) -> None:
        if self._journal.has_commission(as_text(commission.exec_id)):
            self._leave_out("commission", as_text(commission.exec_id), fault)
            return
        booked = self._journal.find_execution(as_text(commission.exec_id))
        self.keep(
            QuarantineItem(
                key=f"commission/{as_text(commission.exec_id)}",
                kind=QuarantineKind.COMMISSION,
                fault=as_text(fault),
                fields=as_text_fields(commission),
                source=source,
                time=self._owner.clock.now(),
                account=booked.execution.account if booked else "",
                instrument=booked.execution.instrument if booked else "",
                strategy=booked.strategy if booked else "",
            )
        )

    def keep_message(self, report: ReportUndecoded) -> None:
        """Keep a message that could not be decoded; one with an execution's id is that execution."""
        message = report.message
        if message.exec_id and self._is_booked(message):
            self._leave_out(message.about, as_text(message.exec_id), message.reason)
            return
        account, instrument, strategy = self._concerned(message)
        fields = {str(place): as_text(field) for place, field in enumerate(message.fields)}
        match message.about:
            case "execution" if message.exec_id:
                kind, name = QuarantineKind.EXECUTION, message.exec_id
                whole = "|".join(fields.values())
                fields = {name: as_text(field) for name, field in message.execution.items()} | {"message": whole}
            case "commission" if message.exec_id:
                kind, name = QuarantineKind.MESSAGE, f"commission {message.exec_id}"
            case "position":
                kind, name = QuarantineKind.POSITION, f"{account}/{instrument}"
            case _:
                kind, name = QuarantineKind.MESSAGE, _digest(message.lasting)
        self.keep(
            QuarantineItem(
                key=f"{kind}/{as_text(name)}",
                kind=kind,
                fault=as_text(message.reason),
                fields=fields,
                source=report.connection,
                time=self._owner.clock.now(),
                account=as_text(account),
                instrument=as_text(instrument),
                strategy=as_text(strategy),
            )
        )

    def _is_booked(self, message: UndecodedMessage) -> bool:
        exec_id = as_text(message.exec_id)
        if message.about == "execution":
            return self._journal.find_execution(exec_id) is not None
        return self._journal.has_commission(exec_id)

    def _concerned(self, message: UndecodedMessage) -> tuple[AccountId, InstrumentId, StrategyName]:
        """Whose trading it concerns: as the message says, or as the execution that a commission is for."""
        if message.about == "commission":
            booked = self._journal.find_execution(as_text(message.exec_id))
            if booked is not None:
                return booked.execution.account, booked.execution.instrument, booked.strategy
        named = parse_order_ref(message.execution.get("order_ref", ""))
        return message.account, message.instrument, named[0] if named else ""

    def _leave_out(self, what: str, exec_id: str, fault: str) -> None:
        """Another connection has reported it as it should be."""
        self._owner.log.warning(
            f"{what} {exec_id} was reported again as it cannot be; what is booked stays", reason=fault
        )

    def _turn_away(self, item: QuarantineItem) -> None:
        """Said once for each kind; where the quarantine as a whole is full, no new risk is taken anywhere."""
        if not self._turned_away[item.kind]:
            self._owner.log.error(
                f"the quarantine is full: no more of the kind {item.kind} is kept, only counted"
                + ("; no new risk is taken until there is room" if self._open.full else ""),
                resolve="mats quarantine",
                reason=item.fault,
            )
        self._turned_away[item.kind] += 1

    def _is_full(self, kind: QuarantineKind) -> bool:
        return self._open.full or (kind is QuarantineKind.MESSAGE and self._open.count(kind) >= MOST_MESSAGES)

    def keep(self, item: QuarantineItem) -> None:
        """Keep an item, and say once what it means; one that is known, open or resolved, is known."""
        if item.key in self._open:
            return
        if self._is_full(item.kind):
            self._turn_away(item)
            return
        if (kept := self._journal.quarantine(item)) is None:
            return
        self._open.add(kept)
        whose = " and ".join(name for name in (kept.instrument, kept.strategy) if name)
        self._owner.log.error(
            f"{kept.kind} in quarantine: it is not booked; "
            + (f"{whose} take no new risk until it is resolved, " if whose else "")
            + "everything else trades",
            item=kept.id,
            reason=kept.fault,
            resolve=f"mats quarantine show {kept.id}",
        )

    # What ends it

    def settle_by(self, booked: Iterable[Entry]) -> None:
        """The broker has reported an execution again, and now it could be booked: nothing waits for it any more."""
        if not self._open:
            return
        for entry in booked:
            for key in _keys(entry):
                if (item := self._open.get(key)) is not None:
                    self._resolve(item, f"the broker reported it again, and it is entry {entry.seq}")

    def healed_by(self, execution: Execution) -> QuarantineItem | None:
        """The entry in quarantine that the broker now reports with other fields: they take its place."""
        if (item := self._open.entry_of(execution.exec_id)) is None:
            return None
        booked = self._journal.find_execution(execution.exec_id)
        return item if booked is not None and booked.execution != execution else None

    def replace(self, item: QuarantineItem, execution: Execution, seq: int, rate: Rate) -> tuple[Entry, ...]:
        """The entries that book `execution` in the place of the entry that a stage could not apply."""
        booked = self._journal.find_execution(item.fields.get("exec_id", ""))
        if booked is None:
            raise CorrectionError(f"{item.id} is no execution; drop it")
        charged = self._journal.booked_commission(booked.execution.exec_id)
        return replacement(booked, execution, charged, seq, self._owner.clock.now(), rate(execution.currency))

    def void(self, item: QuarantineItem, seq: int) -> tuple[Entry, ...]:
        """The entries that forget an entry; none where it is no execution."""
        booked = self._journal.find_execution(item.fields.get("exec_id", ""))
        if booked is None or item.seq != booked.seq:
            return ()
        return voiding(booked, seq, self._owner.clock.now())

    def find(self, number: int) -> QuarantineItem | QuarantineRefused:
        """The open item of a number, or why there is none to resolve."""
        item = self._journal.quarantine_item(number)
        if item is None:
            return QuarantineRefused(f"there is no item Q{number}; `mats quarantine` lists the open ones")
        if item.resolved:
            return QuarantineRefused(f"{item.id} is resolved already: {item.resolution}")
        return item

    def fact(self, item: QuarantineItem, request: ResolveQuarantine) -> Execution | Commission:
        """What is to be booked. Raises CorrectionError where it cannot be."""
        if not item.kind.can_be_booked:
            raise CorrectionError(f"{item.id} is a {item.kind} and cannot be booked; `mats quarantine drop {item.id}`")
        fact: Execution | Commission
        if "amount" in item.fields:
            commission = fact = commission_of(item.fields, request.corrections)
            fault = commission_fault(commission, POSSIBLE)
        else:
            execution = fact = execution_of(item.fields, request.corrections)
            fault = execution_fault(execution, self._owner.clock.now(), POSSIBLE)
        if fault:
            raise CorrectionError(f"{item.id} cannot be booked: {fault}; correct that field, or drop it")
        return fact

    def close(self, item: QuarantineItem, outcome: str) -> QuarantineResolved:
        """Record how an item ended."""
        if item.key in self._open:
            self._resolve(item, outcome)
        return QuarantineResolved(f"{item.id} {outcome}")

    def _resolve(self, item: QuarantineItem, resolution: str) -> None:
        self._journal.resolve_quarantine(replace(item, resolved=self._owner.clock.now(), resolution=resolution))
        self._open.remove(item.key)
        self._owner.log.info("quarantine resolved", item=item.id, resolution=resolution)


def _keys(entry: Entry) -> tuple[str, ...]:
    """The items that an entry makes up for."""
    match entry:
        case CommissionRecorded():
            exec_id = entry.commission.exec_id
            return f"{QuarantineKind.COMMISSION}/{exec_id}", f"{QuarantineKind.MESSAGE}/commission {exec_id}"
        case FillRecorded() | FillCorrected():
            return (_key(entry.execution),)
        case _:
            return ()


def _key(execution: Execution) -> str:
    return f"{QuarantineKind.EXECUTION}/{as_text(execution.exec_id)}"


def _digest(fields: tuple[str, ...]) -> str:
    return sha256(repr(fields).encode(errors="backslashreplace")).hexdigest()[:16]
