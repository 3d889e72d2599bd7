"""Defects that the simulation must find: each is a line or two of the program changed, and some seed fails with it.

`python -m tests.simulation.defects` prints them with the seeds that are recorded in `defects.json`;
`python -m tests.simulation.defects --search` looks among the first seeds for one that catches each, and records it.
"""

import argparse
import json
import logging
from pathlib import Path

import structlog

from actors.base.broker_connection import BrokerConnection
from actors.base.fill_log_client import FillLogClient
from actors.base.stage import Stage
from actors.fill_log import FillLog
from actors.order_manager import OrderManager
from actors.persistence_writer import PersistenceWriter
from actors.reconciler import Reconciler
from actors.risk_manager import RiskManager
from mats.ledger.fill_log import attribution
from mats.ledger.fill_log.booking import _Batch
from mats.ledger.fill_log.stage_gate import StageGate
from mats.orders import OrderTracker, order_state
from mats.orders.order_ids import OrderIds
from mats.risk import Exposure, MarketState, RiskState
from mats.store.journal import fill_log as journal_log
from mats.store.outages import StoreWatch
from tests.simulation.checks import verdict
from tests.simulation.faults import (
    Correction,
    Degraded,
    Fault,
    Halt,
    Hang,
    HangUp,
    LinkLoss,
    ManualTrade,
    Noise,
    PowerLoss,
    Preemption,
    StoreTrouble,
    Transfer,
)
from tests.simulation.plan import POINTS, Plan, drawn
from tests.simulation.planting import Defect, edit, planted
from tests.simulation.shrink import check_of

TABLE = Path(__file__).with_name("defects.json")
SEEDS = 200
"""How many seeds are looked at for one that catches a defect."""

RESEND = """\
        case Sweep():
            for order in [o for o in self._tracker.orders.live() if o.view.state is OrderState.UNKNOWN]:
                if (route := self._routes.get(order.view.client_id)) is not None:
                    route.submit(route.ids.take(), order.intent)
"""

DEFECTS: dict[str, Defect] = {
    # Epochs and sessions
    "reports of an older epoch are booked": Defect(
        "G1: what a replay is to put in order is booked before it",
        (edit(FillLog, "_report", ("report.epoch != epoch", "False")),),
    ),
    "epochs are not fenced when the log starts": Defect(
        "G1: what follows a lost report is booked before the replay has brought that",
        (edit(FillLog, "on_start", ("self._write(FenceEpochs())", "pass")),),
    ),
    "live reports are booked before the replay": Defect(
        "G1: what was missed is booked after what came later",
        (edit(FillLogClient, "report", ("self._waiting.append(live)", "self._fill_log.tell(live)")),),
    ),
    "orders and cancels of any session are sent": Defect(
        "G4: an order goes out that counts as not sent",
        (edit(BrokerConnection, "_current", ("session == str(self._client.epoch)", "True")),),
    ),
    # Executions and commissions
    "an execution is booked as often as it is reported": Defect(
        "G1",
        (
            edit(_Batch, "execution", (" or self._known.latest_execution(*key)", "")),
            edit(journal_log, "insert_entry", ("keys).rowcount == 0", "keys).rowcount < 0")),
        ),
    ),
    "a correction counts as a repetition": Defect(
        "G1", (edit(attribution, "attribute", ("execution.revision > booked.execution.revision", "False")),)
    ),
    "an orderRef is believed": Defect(
        "a trade of somebody else is a strategy's",
        (
            edit(
                attribution,
                "_cause",
                ("    strategy = strategy_of(intent_id)\n", "    strategy = strategy_of(intent_id) or named\n"),
            ),
        ),
    ),
    "a commission is booked as often as it is reported": Defect(
        "G1",
        (
            edit(
                _Batch,
                "commission",
                ("booked == commission or (booked is None and self._known.has_commission(exec_id))", "False"),
            ),
        ),
    ),
    "a commission before its execution is dropped": Defect(
        "G1", (edit(_Batch, "commission", ("self.held[exec_id] = commission", "pass")),)
    ),
    "a commission before its execution is not journaled": Defect(
        "G1", (edit(FillLog, "_book", ("self._journal.hold_commission(commission)", "pass")),)
    ),
    # Stages
    "a stage acknowledges before it applies": Defect(
        "G2: a crash loses the entry",
        (
            edit(
                Stage,
                "receive_entries",
                (
                    "    if fresh:\n",
                    "    if fresh:\n        self.fill_log.tell(Acknowledge(self.stage, fresh[-1].seq))\n",
                ),
            ),
        ),
    ),
    "the store acknowledges before it commits": Defect(
        "G1: an entry is in no table",
        (
            edit(
                PersistenceWriter,
                "_commit",
                (
                    "    self._apply_fresh(",
                    "    self.cursor = self._entries[-1].seq\n    self.acknowledge()\n    self._apply_fresh(",
                ),
            ),
        ),
    ),
    "the store does not wait for the portfolio": Defect(
        "G2",
        (
            edit(
                StageGate,
                "pop_spans",
                ("        allowed = cursor\n", '        allowed = allowed if stage == "portfolio" else cursor\n'),
            ),
        ),
    ),
    "a cursor is saved before the views": Defect(
        "a crash loses a fill of an order",
        (
            edit(
                OrderManager,
                "_flush",
                (
                    "    if unsaved := ",
                    "    if self.save_due():\n        self.save(b'')\n"
                    "    chaos.point('orders: between views and cursor')\n    if unsaved := ",
                ),
            ),
        ),
    ),
    "a cursor is saved one too far": Defect(
        "a crash loses an entry",
        (edit(Stage, "save", ("cursor, self._saved_at = self.cursor,", "cursor, self._saved_at = self.cursor + 1,")),),
    ),
    # The life of an order
    "an order is sent before it is journaled": Defect(
        "G4",
        (
            edit(
                OrderManager,
                "_record_and_send",
                (
                    "    if not self._journal.record_intents(",
                    "    if route is not None:\n        route.submit(family[0][1].order_id, intent)\n"
                    "        chaos.point('orders: after the intent is durable, before it is sent')\n"
                    "    if not self._journal.record_intents(",
                ),
            ),
            edit(OrderManager, "_send", ("    route.submit(orders[0].view.order_id, intent)\n", "")),
        ),
    ),
    "an order without an answer is sent again": Defect(
        "G4: an intent has two orders", (edit(OrderManager, "on_receive", ("        case Sweep():\n", RESEND)),)
    ),
    "order ids are not reserved": Defect(
        "an id stands for two intents", (edit(OrderIds, "take", ("self._reserve(mark)", "pass")),)
    ),
    "what a gateway remembers proves that an order is lost": Defect(
        "G4: an order that the gateway has kept is held to be over",
        (edit(OrderManager, "_merge_ready", ("if ready.linked:", "if True:")),),
    ),
    "no order is too young to be missed": Defect(
        "G4: an order that the question has overtaken is held to be lost",
        (
            edit(OrderTracker, "compare", ("order.sent_at >= asked_at - SETTLE_SECONDS", "order.sent_at > asked_at")),
            edit(OrderTracker, "_look", ("order.missed_at > asked_at - SETTLE_SECONDS", "False")),
        ),
    ),
    "a cancel that was asked for is a cancel": Defect(
        "an order that works is held to be over",
        (edit(order_state, "_cancel", ('CANCELLING, "cancel requested"', 'CANCELLED, "cancel requested"')),),
    ),
    "cancels are not repeated in a new session": Defect(
        "a cancel is lost with a connection",
        (edit(OrderManager, "_rebind_order_ids", ("order.view.state is OrderState.CANCELLING", "False")),),
    ),
    # New risk
    "stages that are behind stop nobody": Defect(
        "G6", (edit(MarketState, "_other_faults", ('self._behind() if self.behind or self.store else ""', '""')),)
    ),
    "a store that is away stops nobody": Defect(
        "G6", (edit(StoreWatch, "look", ("blocks=late or many or not self._known", "blocks=False")),)
    ),
    "a halt is not journaled": Defect(
        "G6: a restart ends it",
        (
            edit(
                RiskManager,
                "_record_halts",
                ("self._journal.set_halt, scope, reason, time", "self._journal.clear_halt, scope"),
            ),
        ),
    ),
    "a degraded link stops nobody": Defect(
        "G6", (edit(BrokerConnection, "report_link", ("self.risk.tell(LinkChanged(self.name, up, reason))", "pass")),)
    ),
    "a new risk manager is not told that the gateway is cut off": Defect(
        "G6", (edit(BrokerConnection, "_announce", ("if self.degraded:", "if False:")),)
    ),
    "an order that reduces may lead through zero": Defect(
        "G6",
        (
            edit(
                Exposure,
                "reduced_by",
                ("return closing <= held or (closing - stops <= held and closing <= 2 * held)", "return held > 0"),
            ),
        ),
    ),
    "a fill that an order shows counts twice": Defect(
        "risk sees positions that are not there", (edit(RiskState, "observe", ("view.applied > self.seq", "False")),)
    ),
    # The proof of the books
    "adjustments are booked though the books have changed": Defect(
        "G3: an adjustment and its fill are both booked",
        (
            edit(
                FillLog,
                "_adjust",
                (
                    "self._journal.moved_since((a.account, a.instrument), request.as_of)",
                    "False",
                ),
            ),
        ),
    ),
    "books are compared with what a gateway remembers": Defect(
        "G3: breaks where there are none",
        (edit(Reconciler, "connect", ("if ready.linked:", "if True:")),),
    ),
    "positions are taken from a gateway that is cut off": Defect(
        "G3: an adjustment stands for a fill",
        (edit(BrokerConnection, "answer_positions", ("if not self.degraded:", "if True:")),),
    ),
}


RISK_ENDS = ("core/risk", *(point for point in POINTS if point.startswith("risk:")))
LIKELY: dict[str, tuple[type[Fault] | str, ...]] = {
    "reports of an older epoch are booked": ("core/fill-log", "fill log: before the journal"),
    "epochs are not fenced when the log starts": ("fill log: before the journal", "core/fill-log"),
    "live reports are booked before the replay": (HangUp, "brokers/ib-1"),
    "orders and cancels of any session are sent": (Preemption, "core/fill-log"),
    "a correction counts as a repetition": (Correction,),
    "an orderRef is believed": (ManualTrade,),
    "a commission before its execution is dropped": (Noise,),
    "a commission before its execution is not journaled": (Noise,),
    "a stage acknowledges before it applies": ("orders: before the fold", "risk: before the fold"),
    "the store does not wait for the portfolio": ("core/portfolio", Hang),
    "a cursor is saved before the views": ("orders: between views and cursor",),
    "a cursor is saved one too far": (PowerLoss, "core/orders", "core/risk"),
    "an order is sent before it is journaled": ("orders: after the intent is durable, before it is sent",),
    "an order without an answer is sent again": (PowerLoss, LinkLoss, "core/orders"),
    "what a gateway remembers proves that an order is lost": (Degraded, Preemption),
    "no order is too young to be missed": (Degraded, Preemption),
    "order ids are not reserved": (PowerLoss, "core/orders", LinkLoss),
    "cancels are not repeated in a new session": (LinkLoss, HangUp),
    "stages that are behind stop nobody": (Hang, "core/portfolio"),
    "a store that is away stops nobody": (StoreTrouble,),
    "a halt is not journaled": (Halt, PowerLoss, *RISK_ENDS),
    "a degraded link stops nobody": (Degraded,),
    "a new risk manager is not told that the gateway is cut off": (Degraded, *RISK_ENDS),
    "an order that reduces may lead through zero": (Degraded, Halt),
    "adjustments are booked though the books have changed": (Transfer, Preemption),
    "books are compared with what a gateway remembers": (Degraded, *RISK_ENDS, HangUp),
    "positions are taken from a gateway that is cut off": (Degraded,),
}
"""With which faults (kinds, or those of an actor or a point) a defect shows: seeds with many are looked at first.

Without the first of them it does not.
"""


def complaints_of(name: str, seed: int) -> list[str]:
    """What the checks say of a seed while the defect is planted."""
    with planted(DEFECTS[name]):
        return verdict(seed).complaints


def recorded() -> dict[str, int]:
    """The seed that catches each defect."""
    found: dict[str, int] = json.loads(TABLE.read_text())
    return found


def candidates(name: str) -> list[int]:
    """All seeds, those first in which the defect is likely to show."""
    return sorted(range(SEEDS), key=lambda seed: -_likelihood(LIKELY.get(name, ()), drawn(seed)))


def _likelihood(causes: tuple[type[Fault] | str, ...], plan: Plan) -> int:
    counts = [sum(_is_one(fault, cause) for fault in plan.faults) for cause in causes]
    return sum(counts) if counts and counts[0] else 0


def _is_one(fault: Fault, cause: type[Fault] | str) -> bool:
    if isinstance(cause, str):
        return cause in (getattr(fault, "actor", ""), getattr(fault, "point", ""))
    return isinstance(fault, cause)


def search(names: list[str], tries: int) -> None:
    """Record for each of these defects the first of so many seeds that catches it; say so where none does."""
    found = recorded()
    for name in names:
        found.pop(name, None)
        for tried, seed in enumerate(candidates(name)[:tries], 1):
            if (complaints := complaints_of(name, seed)) and not verdict(seed).complaints:
                found[name] = seed
                print(f"{name}: seed {seed}, after {tried}: {complaints[0][:200]}", flush=True)
                break
        else:
            print(f"{name}: none of {tries} seeds", flush=True)
        TABLE.write_text(json.dumps({name: found[name] for name in DEFECTS if name in found}, indent=2) + "\n")


def show() -> None:
    """Print the table of defects."""
    print("| defect | harm | seed | caught by |\n|---|---|---|---|")
    for name, seed in recorded().items():
        checks = dict.fromkeys(check_of(complaint) for complaint in complaints_of(name, seed))
        print(f"| {name} | {DEFECTS[name].harm} | {seed} | {', '.join(f'`{check}`' for check in checks)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--search", action="store_true", help="look for a seed that catches each")
    parser.add_argument("--tries", type=int, default=SEEDS, help="how many seeds, the likely ones first")
    parser.add_argument("names", nargs="*", help="these defects; all")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if chosen.search:
        search(chosen.names or list(DEFECTS), chosen.tries)
    else:
        show()


if __name__ == "__main__":
    main()
