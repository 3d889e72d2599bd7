"""Random histories of a fill log, from a seed: what a broker, its corrections and its delays can do to the books."""

import random
from decimal import Decimal
from fractions import Fraction

import msgspec

from mats.model.executions import (
    AdjustmentRecorded,
    Commission,
    CommissionRecorded,
    Execution,
    FillCorrected,
    FillRecorded,
)
from mats.model.orders import DISCRETIONARY, Side

CONTRACTS = [
    # instrument, currency, multiplier, decimals of a quantity, decimals of a price
    ("SPY", "USD", "1", 0, 2),
    ("SAP.EUR", "EUR", "1", 2, 3),
    ("EURUSD", "USD", "1", 0, 5),
    ("ES:20241220", "USD", "50", 0, 2),
    ("SPY   241220C00500000", "USD", "100", 0, 2),
    ("TINY.CHF", "CHF", "0.1", 8, 8),
]
KINDS = ["fill"] * 9 + "close close flip late late correct bust adjust state split again".split() + ["charge"] * 7
RATES = {"USD": "1", "EUR": "1.0834", "CHF": "1.13207547169811320754716981"}


class History:
    """A log of one account that grows by one random entry at a time; `rows` are the same facts for the oracle."""

    changeable = None
    """Only so many of the newest executions are corrected or charged late; None: all of them."""
    latest = 30
    """How late an execution may come, in ticks of the clock."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.entries, self.rows, self.fills, self.costs = [], [], [], {}
        self.contracts = self.random.sample(CONTRACTS, self.random.choice([1, 1, 2, 3]))
        self.clock = 1_000

    def of(self, key):
        """What the journal has of one book."""
        return [e for e, row in zip(self.entries, self.rows, strict=True) if row["book"] == key]

    def after(self, account, strategy, instrument, seq=0):
        """The same beyond an entry."""
        return [entry for entry in self.of((account, strategy, instrument)) if entry.seq > seq]

    def play(self, steps):
        """The entries one by one; some come twice."""
        for _ in range(steps):
            kind = self.random.choice(KINDS)
            if kind in ("correct", "bust", "charge", "again") and not self.fills:
                kind = "fill"
            made = getattr(self, f"_{kind}")()
            yield made

    def _fill(self, signed=None, back=0, book=None):
        self.clock += self.random.choice([0, 0, 1, 5])
        instrument, currency, multiplier, digits, decimals = self._contract(book)
        strategy = book[1] if book else self.random.choice(["trend", "revert", "revert", DISCRETIONARY])
        execution = Execution(
            account="DU1",
            exec_id=f"e{len(self.rows) + 1}.01",
            instrument=instrument,
            side=Side.BUY,
            quantity=Decimal(0),
            price=self._price(decimals),
            time=max(0, self.clock - back),
            currency=currency,
            multiplier=Decimal(multiplier),
        )
        execution = self._sized(execution, signed or self._quantity(digits))
        entry = FillRecorded(**self._head(strategy, currency), execution=execution, intent_id=f"i{len(self.rows) + 1}")
        self.fills.append(entry)
        return self._log(entry, self._fact("fill", entry))

    def _late(self):
        return self._fill(back=self.random.randrange(1, self.latest))

    def _close(self, times=1):
        held = self._held()
        if held is None:
            return self._fill()
        key, quantity = held
        return self._fill(signed=-quantity * times, book=key)

    def _flip(self):
        return self._close(times=self.random.choice([2, 3]))

    def _correct(self, bust=False):
        at = self.random.randrange(self._oldest(self.fills), len(self.fills))
        old = self.fills[at].execution
        _, currency, _, digits, decimals = self._contract(("DU1", "", old.instrument))
        fixed = msgspec.structs.replace(
            old, exec_id=f"{old.family}.{old.revision + 1:02d}", price=self._price(decimals), time=old.time + 1
        )
        fixed = self._sized(fixed, Decimal(0) if bust else self._quantity(digits))
        head = self._head(self.fills[at].strategy, currency)
        entry = FillCorrected(**head, execution=fixed, previous=old, intent_id=self.fills[at].intent_id)
        self.fills[at] = entry
        return self._log(entry, self._fact("correct", entry))

    def _oldest(self, executions):
        return 0 if self.changeable is None else max(0, len(executions) - self.changeable)

    def _bust(self):
        return self._correct(bust=True)

    def _charge(self):
        """As a rule of the newest fill; sometimes of an old one, of a replaced report, or once more."""
        logged = [e for e in self.entries if isinstance(e, FillRecorded | FillCorrected)]
        fill = logged[-1] if self.random.random() < 0.7 else self.random.choice(logged[self._oldest(logged) :])
        execution, currency = fill.execution, self.random.choice([fill.execution.currency, "USD"])
        cost = Commission(exec_id=execution.exec_id, amount=self._price(4) / 100, currency=currency)
        entry = CommissionRecorded(
            **self._head(fill.strategy, currency),
            execution=execution,
            commission=cost,
            previous=self.costs.get(execution.exec_id),
            intent_id=fill.intent_id,
        )
        self.costs[execution.exec_id] = cost
        row = {"family": execution.family, "revision": execution.revision, "amount": Fraction(cost.amount)}
        return self._log(entry, {**self._fact("charge", entry), **row, "currency": currency})

    def _adjust(self, book=None, quantity=None, stated=None):
        instrument, currency, multiplier, digits, decimals = self._contract(book)
        cost, realized = stated or (None, Decimal(0))
        entry = AdjustmentRecorded(
            **self._head(book[1] if book else self.random.choice(["trend", DISCRETIONARY]), currency),
            account="DU1",
            instrument=instrument,
            quantity=quantity or self._quantity(digits),
            price=self._price(decimals),
            currency=currency,
            multiplier=Decimal(multiplier),
            reason="random",
            cost=cost,
            realized=realized,
        )
        row = {"quantity": entry.quantity, "price": entry.price, "multiplier": entry.multiplier}
        row = {name: Fraction(value) for name, value in row.items()} | {"kind": "adjust", "intent": ""}
        row["rate"] = None if entry.rate is None else Fraction(entry.rate)
        row["stated"] = None if stated is None else (Fraction(cost), Fraction(realized))
        return self._log(entry, {**row, "book": ("DU1", entry.strategy, instrument), "time": entry.recorded})

    def _state(self):
        """As an assignment or an expiry does: quantity, cost and result are given."""
        result = self.random.choice([Decimal(0), self._price(2)])
        return self._adjust(stated=(self._price(2) * self.random.choice([1, -1]), result))

    def _split(self):
        held = self._held()
        if held is None:
            return self._fill()
        key, quantity = held
        ratio = self.random.choice([Decimal(7), Decimal(2), Decimal("1.5"), Decimal("0.1"), Decimal("0.125")])
        return self._adjust(key, quantity * (ratio - 1), (Decimal(0), Decimal(0)))

    def _again(self):
        return self.random.choice(self.entries)

    def _head(self, strategy, currency):
        known = self.random.random() < 0.9
        rate = Decimal(RATES[currency]) if known else None
        return {"seq": len(self.rows) + 1, "strategy": strategy, "recorded": self.clock + 1, "rate": rate}

    def _fact(self, kind, entry):
        execution = entry.execution
        return {
            "kind": kind,
            "book": (execution.account, entry.strategy, execution.instrument),
            "family": execution.family,
            "time": execution.time,
            "quantity": Fraction(execution.quantity) * (1 if execution.side == "BUY" else -1),
            "price": Fraction(execution.price),
            "multiplier": Fraction(execution.multiplier),
            "rate": None if entry.rate is None else Fraction(entry.rate),
            "intent": entry.intent_id,
        }

    def _log(self, entry, row):
        self.entries.append(entry)
        self.rows.append(row)
        return entry

    def _contract(self, book):
        if book:
            return next(contract for contract in CONTRACTS if contract[0] == book[2])
        return self.random.choice(self.contracts)

    def _price(self, decimals):
        return Decimal(self.random.randrange(1, 10 ** (decimals + 3))).scaleb(-decimals)

    def _quantity(self, digits):
        size = self.random.randrange(1, 400 * 10**digits)
        return Decimal(size).scaleb(-digits) * self.random.choice([1, 1, -1])

    def _held(self):
        """A book that is not flat by the executions reported so far, and what it holds."""
        net = {}
        for fill in self.fills:
            key = ("DU1", fill.strategy, fill.execution.instrument)
            net[key] = net.get(key, Decimal(0)) + fill.execution.signed_quantity
        held = [item for item in net.items() if item[1]]
        return self.random.choice(held) if held else None

    def _sized(self, execution, signed):
        return msgspec.structs.replace(execution, side=Side.of(signed), quantity=abs(signed))
