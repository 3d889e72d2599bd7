"""Books equal the broker's positions contract by contract, whatever symbols and expiries the contracts share.

MATS_HISTORIES=10000 for the long run.
"""

import os
import random
from collections import defaultdict
from decimal import Decimal

import pytest

from mats.instruments import InstrumentRegistry, MemoryRecords
from mats.ledger.books import Books
from mats.ledger.reconciliation.comparison import aggregate, compare
from mats.model import BrokerPosition, Execution, FillRecorded, Instrument, SecType, Side

HISTORIES = int(os.environ.get("MATS_HISTORIES", "300"))
ACCOUNT = "DU1"
SYMBOLS = {"DAX": "EUR", "SI": "USD", "FTMIB": "EUR", "EOE": "EUR"}
CLASSES = {
    "DAX": ("FDAX", "FDXM", "FDXS", ""),
    "SI": ("SI", "SIL"),
    "FTMIB": ("FIB", "MINI"),
    "EOE": ("FTI", "FTI", ""),
}


def contracts_of(rng):
    """Futures and shares of few symbols and expiries: many of them are named alike by all but their contract id."""
    made = []
    for con_id in rng.sample(range(1, 10**9), rng.randint(2, 8)):
        symbol = rng.choice([*SYMBOLS, "SAP"])
        share = symbol == "SAP"
        made.append(
            Instrument(
                id="",
                symbol=symbol,
                sec_type=SecType.STOCK if share else SecType.FUTURE,
                currency=SYMBOLS.get(symbol, "EUR"),
                trading_class="" if share else rng.choice(CLASSES[symbol]),
                expiry="" if share else rng.choice(["20261218", "20270319"]),
                multiplier=Decimal(1 if share else rng.choice([1, 5, 25, 200, 1000, 5000])),
                con_id=con_id,
            )
        )
    return made


class Account:
    """A broker that knows contracts by their ids, and the log of what it reported."""

    def __init__(self, rng):
        self.rng, self.contracts = rng, contracts_of(rng)
        self.records = MemoryRecords()
        self.registry = InstrumentRegistry(self.records)
        self.entries, self.held = [], defaultdict(Decimal)

    def trade(self):
        contract = self.rng.choice(self.contracts)
        side = self.rng.choice([Side.BUY, Side.SELL])
        seq = len(self.entries) + 1
        execution = Execution(
            account=ACCOUNT,
            exec_id=f"e{seq}.01",
            instrument=self.registry.register(contract),
            side=side,
            quantity=Decimal(self.rng.randint(1, 5)),
            price=Decimal(self.rng.randint(1, 10**6)) / 100,
            time=seq,
            currency=contract.currency,
            multiplier=contract.multiplier,
            con_id=contract.con_id,
        )
        strategy = self.rng.choice(["spread", "trend", "Discretionary"])
        self.entries.append(
            FillRecorded(seq=seq, strategy=strategy, intent_id="", execution=execution, recorded=seq, rate=Decimal(1))
        )
        self.held[contract.con_id] += execution.signed_quantity

    def restart(self):
        """Whoever names contracts ends; the records stay."""
        self.registry = InstrumentRegistry(self.records)

    def positions(self):
        rows = [(contract, self.held[contract.con_id]) for contract in self.contracts]
        self.rng.shuffle(rows)
        return [
            BrokerPosition(
                account=ACCOUNT,
                instrument=self.registry.register(contract),
                quantity=quantity,
                average_cost=Decimal(1),
                currency=contract.currency,
                multiplier=contract.multiplier,
                con_id=contract.con_id,
            )
            for contract, quantity in rows
        ]


@pytest.mark.parametrize("part", range(10))
def test_g3_books_equal_the_brokers_positions_per_contract(part):
    for seed in range(part, HISTORIES, 10):
        rng = random.Random(seed)
        account = Account(rng)
        for _ in range(rng.randint(1, 40)):
            account.trade()
            if rng.random() < 0.1:
                account.restart()
        books = Books(lambda *_: [])
        for entry in account.entries:
            books.apply(entry)
        snapshot = aggregate(account.positions())
        positions = {(row.account, row.instrument): row for row in snapshot}
        assert len(positions) == len(account.contracts), seed
        assert compare(books, positions, (ACCOUNT,), 0) == (), seed
        for row in snapshot:
            assert books.net(ACCOUNT, row.instrument) == account.held[row.con_id], (seed, row)
        for book in books:
            executed = [e.execution for e in account.entries if (e.strategy, e.execution.instrument) == book.key[1:]]
            assert len({execution.con_id for execution in executed}) == 1, seed
            paid = sum(e.signed_quantity * e.price * e.multiplier for e in executed)
            assert book.cost - book.realized == paid, (seed, book.key)
