"""What the store relies on in ArcticDB; if it fails, read mats/store/tables/table_writer.py before upgrading."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from arcticdb import Arctic, LibraryOptions
from arcticdb.exceptions import ArcticException

from mats.store.tables.connection import connect
from mats.store.tables.time_index import time_index


@pytest.fixture(scope="module")
def library(store_uri):
    return connect(store_uri).get_library("contract", create_if_missing=True)


@pytest.fixture
def symbol(request):
    return request.node.name.split("[")[0]


def rows(*times, **columns):
    return pd.DataFrame({"number": [float(t) for t in times], **columns}, index=time_index(list(times)))


def stored(library, symbol):
    return library.read(symbol).data.index.asi8.tolist()


def test_append_at_an_equal_time_makes_duplicates_so_slots_must_be_unique(library, symbol):
    library.write(symbol, rows(1, 2))
    library.append(symbol, rows(2))
    assert stored(library, symbol) == [1, 2, 2]


def test_append_before_the_end_is_refused_and_writes_nothing(library, symbol):
    library.write(symbol, rows(1, 5))
    with pytest.raises(ArcticException):
        library.append(symbol, rows(4, 6))
    assert stored(library, symbol) == [1, 5]


def test_an_unsorted_frame_is_refused(library, symbol):
    library.write(symbol, rows(1))
    with pytest.raises(ArcticException):
        library.append(symbol, rows(3, 2))


def test_update_deletes_what_it_does_not_mention_between_its_ends(library, symbol):
    library.write(symbol, rows(1, 2, 3, 4, 5))
    library.update(symbol, rows(2, 5))
    assert stored(library, symbol) == [1, 2, 5]


def test_update_with_a_date_range_inserts_inside_and_past_the_end_and_deletes_the_rest_of_the_range(library, symbol):
    library.write(symbol, rows(1, 2, 5))
    span = (pd.Timestamp(2, tz="UTC"), pd.Timestamp(9, tz="UTC"))
    library.update(symbol, rows(3, 5, 7), date_range=span, metadata={"seq": 4})
    assert stored(library, symbol) == [1, 3, 5, 7]
    assert library.read_metadata(symbol).metadata == {"seq": 4}


def test_append_forgets_metadata_that_it_is_not_given(library, symbol):
    library.write(symbol, rows(1), metadata={"seq": 1})
    library.append(symbol, rows(2))
    assert library.read_metadata(symbol).metadata is None


def test_compaction_keeps_rows_and_metadata(library, symbol):
    library.write(symbol, rows(1), metadata={"seq": 1})
    for n in range(2, 30):
        library.append(symbol, rows(n), metadata={"seq": n})
    library.compact_data(symbol, prune_previous_versions=True)
    assert stored(library, symbol) == list(range(1, 30))
    assert library.read_metadata(symbol).metadata == {"seq": 29}
    assert len(library.list_versions(symbol)) == 1


def test_a_range_can_be_emptied_and_filled_again(library, symbol):
    library.write(symbol, rows(1, 2))
    library.delete_data_in_range(symbol, (pd.Timestamp(1, tz="UTC"), pd.Timestamp(2, tz="UTC")))
    assert library.get_description(symbol).row_count == 0
    library.append(symbol, rows(1), metadata={"seq": 1})
    assert stored(library, symbol) == [1]


def test_write_replaces_a_symbol_without_a_word(library, symbol):
    library.write(symbol, rows(1, 2))
    library.write(symbol, rows(9))
    assert stored(library, symbol) == [9]


def test_integers_do_not_go_into_a_float_column(library, symbol):
    library.write(symbol, rows(1))
    with pytest.raises(ArcticException):
        library.append(symbol, rows(2).astype({"number": np.int64}))
    assert stored(library, symbol) == [1]


def test_decimals_are_refused(library, symbol):
    with pytest.raises(ArcticException):
        library.write(symbol, rows(1, exact=[Decimal("1.10")]))


def test_a_naive_frame_takes_the_zone_away_from_the_whole_symbol(library, symbol):
    library.write(symbol, rows(1))
    library.append(symbol, rows(2).tz_localize(None))
    assert library.read(symbol).data.index.tz is None


def test_text_may_be_missing_from_the_first_row_on(library, symbol):
    library.write(symbol, rows(1, note=np.array([None], dtype=object)))
    library.append(symbol, rows(2, 3, note=["ü", ""]))
    assert library.read(symbol).data["note"].tolist() == [None, "ü", ""]


def test_missing_times_stay_missing_and_lose_no_nanosecond(library, symbol):
    times = np.array([1_700_000_000_000_000_001, np.iinfo(np.int64).min]).view("datetime64[ns]")
    library.write(symbol, rows(1, 2, at_utc=times))
    assert library.read(symbol).data["at_utc"].to_numpy().view("int64").tolist() == times.view("int64").tolist()


def test_a_dot_in_a_library_name_is_a_slash_on_the_disk(tmp_path):
    arctic = Arctic(f"lmdb://{tmp_path}?map_size=64MB")
    arctic.create_library("positions/BRK.B").write("dotted", rows(1))
    assert (tmp_path / "positions" / "BRK" / "B" / "data.mdb").exists()


def test_a_dict_of_frames_is_one_symbol_with_nested_metadata(store_uri):
    options = LibraryOptions(recursive_normalizers=True)
    library = connect(store_uri).get_library("dicts", create_if_missing=True, library_options=options)
    library.write("run", {"curve": rows(1, 2), "trades": rows()}, metadata={"sharpe": 1.5, "by_year": {"2024": None}})
    item = library.read("run")
    assert item.data["curve"].index.asi8.tolist() == [1, 2]
    assert item.metadata == {"sharpe": 1.5, "by_year": {"2024": None}}
