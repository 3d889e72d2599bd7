"""The terms of a backtest's instruments are known or refused, never guessed."""

from decimal import Decimal

import msgspec
import pytest

from mats.backtest.bar_sources import DataSource
from mats.backtest.terms import Terms
from mats.errors import DataError
from mats.instruments import KnownInstrument, parse_instrument
from mats.store.tables import Store
from mats.store.tables.connection import lmdb_uri

D = Decimal


def test_an_expiry_that_is_not_listed_has_the_terms_of_its_product():
    es = Terms((), "").of("ES:20241220")
    assert (es.multiplier, es.currency, es.tick_size, es.expiry) == (D(50), "USD", D("0.25"), "20241220")


@pytest.mark.parametrize("name", ["FDAX:20250321", "AAPL1 240119C00100000", "XYZ:20250321:100:C", "SAP@IBIS"])
def test_terms_that_nobody_states_are_refused_with_what_to_write(name):
    with pytest.raises(DataError, match=r"not known, and are not guessed; write them into .*\[\[instrument\]\] id = "):
        Terms((), "").of(name)


def test_a_listing_has_its_ticks_by_price_level():
    toyota = Terms((), "").of("7203.JPY")
    assert [toyota.tick_at(D(price)) for price in (999, 1000, 2999, 3000)] == [D("0.1"), D("0.5"), D("0.5"), D(1)]


def test_a_file_may_state_ticks_by_price_level(tmp_path):
    file = tmp_path / "instruments.toml"
    entry = '[[instrument]]\nid = "AMS.EUR"\ntick_size = "0.001"\nprice_increments = {}\n'
    file.write_text(entry.format('[["0", "0.001"], ["10", "0.005"]]'))
    assert [Terms((file,), "").of("AMS.EUR").tick_at(D(price)) for price in (9, 10)] == [D("0.001"), D("0.005")]
    for wrong in ('[["10", "0.005"], ["0", "0.001"]]', '[["0", "0"]]'):
        file.write_text(entry.format(wrong))
        with pytest.raises(DataError, match="price_increments"):
            Terms((file,), "")


def test_ticks_by_price_level_are_known_from_the_store_as_they_were_resolved(tmp_path):
    uri, levels = lmdb_uri(tmp_path / "arctic"), ((D(0), D("0.001")), (D(10), D("0.005")))
    known = msgspec.structs.replace(parse_instrument("AMS.EUR@AEB"), con_id=7, price_increments=levels)
    store = Store(uri)
    store.write_instruments([KnownInstrument(instrument=known, complete=True)], 1)
    store.close()
    assert Terms((), uri).of(known.id).price_increments == levels


def test_a_name_may_state_them():
    assert Terms((), "").of("FDAX.EUR:20250321*25").unit_value == 25


def test_the_file_beside_the_bars_wins_over_the_operators(tmp_path):
    beside, own = tmp_path / "bars" / "instruments.toml", tmp_path / "own.toml"
    beside.parent.mkdir()
    text = '[[instrument]]\nid = "{}"\nmultiplier = {}\ncurrency = "EUR"\nprice_magnifier = 100\n'
    beside.write_text(text.format("FDAX:20250321", 25))
    own.write_text(text.format("FDAX:20250321", 5) + text.format("FDXM:20250321", 5))
    source = DataSource(place=str(beside.parent), terms=str(own))
    terms = Terms(source.term_files(), "")
    assert terms.of("FDAX:20250321").unit_value == D("0.25")
    assert terms.of("FDXM:20250321").unit_value == D("0.05")
    assert DataSource(terms=str(own)).term_files() == (own,)


def test_what_a_daemon_has_resolved_is_known_from_its_store(tmp_path):
    uri = lmdb_uri(tmp_path / "arctic")
    dax = msgspec.structs.replace(
        parse_instrument("QQX:20250321:QQXM"), con_id=7, multiplier=D(5), currency="EUR", price_magnifier=D(1)
    )
    other = msgspec.structs.replace(dax, id="QQX:20250321:QQXS", con_id=8)
    store = Store(uri)
    store.write_instruments(
        [KnownInstrument(instrument=dax, complete=True), KnownInstrument(instrument=other, complete=False)], 1
    )
    store.close()
    assert Terms((), uri).of("QQX:20250321:QQXM") == dax
    with pytest.raises(DataError, match="not known"):
        Terms((), uri).of("QQX:20250321:QQXS")
