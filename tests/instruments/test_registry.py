"""The registry: one name a contract for good, terms that are learned, books of earlier versions."""

import csv
import json
import os
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from mats.instruments import (
    InstrumentRegistry,
    KnownInstrument,
    MemoryRecords,
    SeveralContracts,
    candidate_names,
    parse_instrument,
    the_one,
)
from mats.model import Instrument, SecType
from mats.store.instruments import InstrumentsFileError, prepare_instruments, read_instruments
from mats.store.journal import NOBODY, Journal, NameInUse

DATA = Path(os.environ.get("MATS_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
FUTURES = DATA / "contracts" / "futures.csv"
D = Decimal


def future(con_id, trading_class, multiplier, symbol="DAX", expiry="20261218", currency="EUR"):
    return Instrument(
        id="", symbol=symbol, sec_type=SecType.FUTURE, currency=currency, exchange="EUREX", expiry=expiry,
        trading_class=trading_class, multiplier=D(multiplier), con_id=con_id,
    )  # fmt: skip


FDAX, FDXM = future(650000001, "FDAX", 25), future(650000002, "FDXM", 5)
SI, SIL = (
    future(660000001, "SI", 5000, "SI", "20261229", "USD"),
    future(660000002, "SIL", 1000, "SI", "20261229", "USD"),
)


@pytest.fixture(params=["memory", "journal"])
def records(request, tmp_path):
    if request.param == "memory":
        yield MemoryRecords()
        return
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


def test_two_contracts_of_one_symbol_and_expiry_have_two_names(records):
    registry = InstrumentRegistry(records)
    assert [registry.register(c) for c in (FDAX, FDXM, SI, SIL)] == [
        "DAX:20261218:FDAX", "DAX:20261218:FDXM", "SI:20261229", "SI:20261229:SIL",
    ]  # fmt: skip


def test_the_first_of_equal_contracts_keeps_the_plain_name_for_good(records):
    first, second = future(1, "", 200, "EOE"), future(2, "", 20, "EOE")
    assert InstrumentRegistry(records).register(second) == "EOE:20261218"
    after = InstrumentRegistry(records)
    assert after.register(first) == "EOE:20261218#1"
    assert after.register(second) == "EOE:20261218"
    assert parse_instrument("EOE:20261218#1").con_id == 1


def test_details_complete_a_contract_and_leave_its_name(records):
    registry = InstrumentRegistry(records)
    name = registry.register(FDXM)
    assert registry.terms(FDXM.con_id) is None
    resolved = registry.complete(msgspec.structs.replace(FDXM, tick_size=D("0.5"), price_magnifier=D(100)))
    assert (resolved.id, resolved.unit_value) == (name, D("0.05"))
    again = InstrumentRegistry(records)
    assert again.terms(FDXM.con_id) == again.find(name) == resolved
    assert again.find("DAX:20261218") is None


def share(con_id=1, increment="0.0001"):
    stock = msgspec.structs.replace(parse_instrument("AAPL"), con_id=con_id)
    return msgspec.structs.replace(stock, size_increment=D(increment), min_size=D(increment))


def test_shares_are_whole_unless_the_account_takes_fractions(records):
    assert InstrumentRegistry(records).complete(share()).size_increment == 1
    assert InstrumentRegistry(records, fractional=True).complete(share()).size_increment == D("0.0001")


def test_a_refused_fraction_makes_a_share_whole_for_good(records):
    registry = InstrumentRegistry(records, fractional=True)
    registry.complete(share())
    registry.require_whole_units(1)
    for later in (registry, InstrumentRegistry(records, fractional=True)):
        whole = later.complete(share())
        assert (whole.size_increment, whole.min_size) == (1, 1)


def test_the_continuous_series_is_not_the_contract_in_front(records):
    registry = InstrumentRegistry(records)
    series = msgspec.structs.replace(future(5, "ES", 50, "ES"), sec_type=SecType.CONTINUOUS_FUTURE, id="ES:cont")
    assert registry.complete(series).id == "ES:cont"
    assert registry.register(future(5, "ES", 50, "ES")) == "ES:20261218"


# One contract of several


def test_a_name_that_fits_several_contracts_is_refused_with_what_to_write_for_each():
    with pytest.raises(SeveralContracts, match=r"DAX:20261218:FDAX \(.*multiplier 25.*\); DAX:20261218:FDXM \("):
        the_one("DAX:202612", [FDAX, FDXM], "20261101")
    with pytest.raises(SeveralContracts, match=r"SI:20261229:SI .*; SI:20261229:SIL "):
        the_one("SI:20261229", [SI, SIL], "20261101")


def test_expiries_count_from_the_nearest_that_has_not_passed():
    months = [future(n, "ES", 50, "ES", day) for n, day in enumerate(("20260918", "20261218", "20270319"), 1)]
    assert the_one("ES:front", months, "20260918").con_id == 1
    assert the_one("ES:front", months, "20260919").con_id == 2
    assert the_one("ES:2nd", months, "20260919").con_id == 3
    assert the_one("ES:3rd", months, "20260919") is None
    with pytest.raises(SeveralContracts, match=r"DAX:front:FDAX .*; DAX:front:FDXM "):
        the_one("DAX:front", [FDAX, FDXM], "20261101")


# Data directories of earlier versions


def in_use(name, con_id=0, multiplier="", currency=""):
    return NameInUse(name=name, con_id=con_id, multiplier=multiplier, currency=currency)


def test_a_contract_inherits_the_name_of_books_that_can_only_be_its_own(journal):
    journal.record_names_in_use([in_use("DAX:20261218", multiplier="5", currency="EUR")])
    registry = InstrumentRegistry(journal)
    assert registry.register(FDAX) == "DAX:20261218:FDAX"
    assert registry.register(FDXM) == "DAX:20261218"
    assert journal.names_in_use() == []


def test_a_name_that_was_ordered_by_contract_id_is_kept_for_that_contract(journal):
    journal.record_names_in_use([in_use("SI:20261229", con_id=SIL.con_id)])
    registry = InstrumentRegistry(journal)
    assert registry.register(SI) == "SI:20261229#660000001"
    assert registry.register(SIL) == "SI:20261229"


def test_a_name_of_mixed_books_is_nobodys(journal):
    journal.record_names_in_use([in_use("SI:20261229", con_id=NOBODY)])
    registry = InstrumentRegistry(journal)
    assert [registry.register(c) for c in (SI, SIL)] == ["SI:20261229#660000001", "SI:20261229:SIL"]


# The operator's file, and a journal that is new


def test_a_file_names_contracts_and_gives_their_terms(journal, tmp_path):
    file = tmp_path / "instruments.toml"
    file.write_text(
        '[[instrument]]\nid = "SILVER"\nsymbol = "SI"\nsec_type = "FUT"\nexpiry = "20261229"\ntrading_class = "SIL"\n'
        'con_id = 660000002\nmultiplier = "1000"\ncurrency = "USD"\n'
        '[[instrument]]\nid = "CL:20251220"\nmultiplier = "1000"\ncurrency = "USD"\n'
    )
    assert read_instruments(file)["CL:20251220"].multiplier == 1000
    assert prepare_instruments(journal, file, []) == []
    assert InstrumentRegistry(journal).register(SIL) == "SILVER"
    assert InstrumentRegistry(journal).find("SILVER").multiplier == 1000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("instrument = 5", "must consist of"),
        ("[[instrument]]\nmultiplier = 5", "has no id"),
        ('[[instrument]]\nid = "ES:202412"\nmultiplyer = 5', "multiplyer is no field"),
        ('[[instrument]]\nid = "ES:202412"\ncurrency = "USD"\nmultiplier = 0', "multiplier must be above zero"),
        ('[[instrument]]\nid = "ES:x"\nmultiplier = 5', "write a day"),
        ("[[instrument", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_entry(tmp_path, text, reason):
    (tmp_path / "instruments.toml").write_text(text)
    with pytest.raises(InstrumentsFileError, match=reason):
        read_instruments(tmp_path / "instruments.toml")


def test_a_file_cannot_rename_a_contract_that_has_books(journal, tmp_path):
    InstrumentRegistry(journal).register(SIL)
    file = tmp_path / "instruments.toml"
    file.write_text('[[instrument]]\nid = "SI:20261229"\ncon_id = 660000002\nmultiplier = 1000\ncurrency = "USD"\n')
    with pytest.raises(InstrumentsFileError, match="its books are kept as SI:20261229:SIL; write that id there"):
        prepare_instruments(journal, file, [])


def test_a_new_journal_takes_over_the_names_of_the_tables(journal, tmp_path):
    stored = [KnownInstrument(instrument=msgspec.structs.replace(FDXM, id="DAX:20261218"), complete=True)]
    prepare_instruments(journal, tmp_path / "none.toml", stored)
    assert InstrumentRegistry(journal).register(FDXM) == "DAX:20261218"
    assert InstrumentRegistry(journal).register(FDAX) == "DAX:20261218:FDAX"


# Real futures


def real_futures():
    with FUTURES.open() as file:
        return [
            Instrument(
                id="", symbol=row["symbol"], sec_type=SecType.FUTURE, currency=row["currency"],
                exchange=row["exchange"], expiry="20261218", multiplier=D(row["multiplier"]),
                price_magnifier=D(row["price_magnifier"]), con_id=number,
            )
            for number, row in enumerate(csv.DictReader(file), 1)
        ]  # fmt: skip


@pytest.mark.skipif(not FUTURES.is_file(), reason=f"{FUTURES} is not on this machine")
def test_real_futures_are_told_apart_valued_and_can_all_be_written(records):
    contracts = real_futures()
    registry = InstrumentRegistry(records)
    names = {registry.complete(contract).id: contract for contract in contracts}
    assert len(names) == len(contracts)
    for name, contract in names.items():
        assert registry.find(name).unit_value == contract.multiplier / contract.price_magnifier
        assert parse_instrument(name).symbol == contract.symbol
    for symbol in {contract.symbol for contract in contracts}:
        of_symbol = [contract for contract in contracts if contract.symbol == symbol]
        written = candidate_names(of_symbol)
        assert len(set(written.values())) == len(of_symbol)
        for contract in of_symbol:
            asked = parse_instrument(written[contract.con_id])
            fits = [
                other for other in of_symbol
                if asked.con_id in (0, other.con_id) and asked.exchange in ("", other.exchange)
                and asked.multiplier in (1, other.multiplier)
            ]  # fmt: skip
            assert fits == [contract], json.dumps(written)
