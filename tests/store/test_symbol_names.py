"""Names reach the disk without ever meeting each other there."""

import pytest

from mats.store.tables.connection import lmdb_uri, safe_uri
from mats.store.tables.symbol_names import check_distinct, library_part, symbol_name


@pytest.mark.parametrize(("name", "part"), [("TREND", "TREND"), ("BRK.B", "BRK_B"), ("a b/c", "a_b_c"), ("ü", "_")])
def test_a_library_has_no_dot_and_no_slash(name, part):
    assert library_part(name) == part


def test_an_empty_library_name_is_refused():
    with pytest.raises(ValueError, match="empty name"):
        library_part("")


@pytest.mark.parametrize("name", ["DU1234567", "BRK B", "ES:20241220", "SPY   241220C00450000", "a" * 200])
def test_instruments_and_accounts_are_symbols_as_they_are(name):
    assert symbol_name(name) == name


@pytest.mark.parametrize("name", ["", "a*b", "a<", ">", "ü", "a\n", "a" * 201])
def test_what_the_store_cannot_hold_is_refused(name):
    with pytest.raises(ValueError, match="cannot be a symbol"):
        symbol_name(name)


@pytest.mark.parametrize("pair", [("A.B", "A_B"), ("trend", "TREND")])
def test_two_strategies_never_share_a_library(pair):
    with pytest.raises(ValueError, match="would share the library"):
        check_distinct(pair)
    check_distinct([pair[0], "OTHER", pair[0]])


def test_an_address_is_logged_without_its_secrets(tmp_path):
    shown = safe_uri("s3://user:pw@host:bucket?access=AKIA&secret=abc&region=eu&aws_auth=true")
    assert shown == "s3://***@host:bucket?access=***&secret=***&region=eu&aws_auth=true"
    assert safe_uri(lmdb_uri(tmp_path)) == lmdb_uri(tmp_path)
