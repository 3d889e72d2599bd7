"""Settings: which source wins, what is refused, and the sentence that says so."""

from decimal import Decimal

import pytest

from mats.errors import SettingsError
from mats.renamed_settings import RENAMED
from mats.risk import Limits
from mats.settings import Settings, load_settings, merged


@pytest.fixture
def settings_file(tmp_path, monkeypatch):
    """Writes a settings file; no setting of the machine's environment reaches the tests."""
    for name in ("MATS_RISK__MAX_ORDER_NOTIONAL", "MATS_DATA_DIR", "MATS_GATEWAY", "MATS_PAPER_GATEWAY__ACCOUNTS"):
        monkeypatch.delenv(name, raising=False)

    def write(text=""):
        path = tmp_path / "mats.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def fault(path, overrides=None):
    with pytest.raises(SettingsError) as caught:
        load_settings(path, overrides or {})
    text = str(caught.value)
    assert "\n" not in text.strip()
    return text


def test_an_empty_file_leaves_every_default(settings_file, tmp_path):
    loaded = load_settings(settings_file(), {})
    assert loaded.risk == Settings().risk
    assert loaded.gateway == Settings().gateway
    assert loaded.strategies.folder == tmp_path / "strategies"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(settings_file, monkeypatch):
    path = settings_file("[risk]\nmax_order_notional = 1\nmax_order_quantity = 2\n")
    assert load_settings(path, {}).risk.max_order_notional == 1
    monkeypatch.setenv("MATS_RISK__MAX_ORDER_NOTIONAL", "50000")
    from_environment = load_settings(path, {}).risk
    assert (from_environment.max_order_notional, from_environment.max_order_quantity) == (Decimal(50000), 2)
    assert load_settings(path, {"risk": {"max_order_notional": "3"}}).risk.max_order_notional == 3


def test_amounts_are_exact(settings_file):
    path = settings_file('[risk]\nmax_order_notional = "0.1"\n')
    assert load_settings(path, {}).risk.max_order_notional == Decimal("0.1")


def test_paths_of_strategies_are_relative_to_the_file_unless_absolute(settings_file, tmp_path):
    path = settings_file('[strategies]\nseed_file = "mine.toml"\nfolder = "/elsewhere"\n')
    loaded = load_settings(path, {}).strategies
    assert loaded.seed_file == tmp_path / "mine.toml"
    assert str(loaded.folder) == "/elsewhere"


def test_a_list_in_the_environment_is_json(settings_file, monkeypatch):
    monkeypatch.setenv("MATS_PAPER_GATEWAY__ACCOUNTS", '["DU1", "DU2"]')
    assert load_settings(settings_file(), {}).paper_gateway.accounts == ("DU1", "DU2")
    monkeypatch.setenv("MATS_PAPER_GATEWAY__ACCOUNTS", "DU1")
    assert "write lists and tables as JSON" in fault(settings_file())


@pytest.mark.parametrize(
    ("text", "name"),
    [("color = 1\n", "color"), ("[risk]\nmax_order = 1\n", "risk.max_order")],
)
def test_an_unknown_name_is_refused_at_any_depth(settings_file, text, name):
    assert f"setting {name} (" in fault(settings_file(text))


def test_an_unknown_name_in_the_environment_is_refused(settings_file, monkeypatch):
    monkeypatch.setenv("MATS_RISK__MAX_ORDR", "5")
    assert "setting risk.max_ordr (environment) is unknown" in fault(settings_file())


def variable(setting):
    return f"MATS_{setting.replace('.', '__').upper()}"


def at(setting, value=1):
    """The setting as nested tables."""
    section, _, name = setting.rpartition(".")
    return {section: {name: value}} if section else {setting: {"seed": value}}


def value_of(settings, name):
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_former_name_is_read_and_told(settings_file, monkeypatch, caplog, old, new):
    section, _, name = old.rpartition(".")
    path = settings_file(f"[{section}]\n{name} = 1\n" if section else f"[{old}]\nseed = 1\n")
    tail = "" if section else ".seed"
    assert value_of(load_settings(path, {}), new + tail) == 1
    assert caplog.messages == [f"in {path}, {old} is now {new}; the former name is still read, but rename it"]
    caplog.clear()
    monkeypatch.setenv(variable(old + tail), "1")
    assert value_of(load_settings(settings_file(), {}), new + tail) == 1
    assert [message.endswith("the former name is still read, but rename it") for message in caplog.messages] == [True]


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_setting_by_both_of_its_names_is_refused(settings_file, monkeypatch, old, new):
    section, _, name = old.rpartition(".")
    if section:
        path = settings_file(f"[{section}]\n{name} = 1\n{new.rpartition('.')[2]} = 1\n")
    else:
        path = settings_file(f"[{old}]\nseed = 1\n[{new}]\nseed = 1\n")
    assert fault(path) == f"in {path}, {old} is the former name of {new}, which is set too; remove the former"
    tail = "" if section else ".seed"
    monkeypatch.setenv(variable(old + tail), "1")
    monkeypatch.setenv(variable(new + tail), "1")
    assert "is the former name of" in fault(settings_file())


@pytest.mark.parametrize("new", [new for new in RENAMED.values() if "." in new])
def test_a_present_name_is_taken(settings_file, new):
    section, name = new.split(".")
    assert getattr(getattr(load_settings(settings_file(), at(new)), section), name) == 1


def test_a_former_name_in_a_section_of_the_environment_is_read(settings_file, monkeypatch):
    monkeypatch.setenv("MATS_RISK", '{"stale_after": 5}')
    assert load_settings(settings_file(), {}).risk.max_price_age_seconds == 5


def test_limits_of_orders_are_those_of_the_settings(settings_file):
    path = settings_file("[risk]\nmax_order_notional = 7\nmax_price_age_seconds = 2\nmax_rate_age_seconds = 3\n")
    limits = load_settings(path, {}).risk.limits()
    assert (limits.max_order_notional, limits.max_price_age_seconds, limits.max_rate_age_seconds) == (7, 2.0, 3.0)
    assert Settings().risk.limits() == Limits()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("[gateway]\nport = 0\n", "gateway.port", "0"),
        ("[gateway]\nport = 'x'\n", "gateway.port", "x"),
        ("[risk]\nmax_order_notional = -5\n", "risk.max_order_notional", "-5"),
        ("[paper_gateway]\naccounts = []\n", "paper_gateway.accounts", "[]"),
        ("[portfolio]\nbase_currency = 'DOLLAR'\n", "portfolio.base_currency", "DOLLAR"),
        ("log_level = 'loud'\n", "log_level", "loud"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_source(settings_file, text, name, value):
    path = settings_file(text)
    said = fault(path)
    assert said.startswith(f"setting {name} = {value} ({path}) cannot be used: ")
    assert said.endswith("; correct it")


def test_a_fault_of_the_command_line_is_not_blamed_on_the_file(settings_file):
    assert "(command line)" in fault(settings_file("[gateway]\nport = 4002\n"), {"gateway": {"port": 70000}})


def test_a_file_that_is_missing_or_malformed_is_named_with_how_to_fix_it(settings_file, tmp_path):
    missing = tmp_path / "none.toml"
    assert fault(missing) == f"settings file {missing} does not exist; name one that does with --config"
    assert "is not valid TOML" in fault(settings_file("[risk\n"))
    assert "cannot be read" in fault(tmp_path)


def test_settings_cannot_be_changed_once_loaded(settings_file):
    with pytest.raises(ValueError, match="frozen"):
        load_settings(settings_file(), {}).gateway.port = 1


def test_laying_over_keeps_what_is_not_named_and_touches_neither_source():
    base, over = {"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}, "c": {"z": 6}}
    assert merged(base, over) == {"a": {"x": 1, "y": 5}, "b": 3, "c": {"z": 6}}
    assert base == {"a": {"x": 1, "y": 2}, "b": 3}
    assert merged({"a": 1}, {"a": {"x": 2}}) == {"a": {"x": 2}}
