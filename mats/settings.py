"""Every setting of the daemon: one typed model, read from a TOML file, the environment and the command line.

Precedence, strongest first: command line, environment (`MATS_RISK__MAX_ORDER_NOTIONAL=50000`), file, default.
"""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import available_timezones

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as Unparsable

from mats.errors import SettingsError
from mats.model import Host
from mats.renamed_settings import JsonValue, with_present_names, with_present_variables
from mats.risk import Limits

ENV_PREFIX, ENV_DELIMITER = "MATS_", "__"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GatewaySettings(_Section):
    """Where the broker is. An empty `host` starts the paper gateway."""

    host: str = Field("", description="host of TWS or IB Gateway; empty = the built-in paper gateway")
    port: int = Field(4002, ge=1, le=65535, description="its API port (4002 and 7497 are paper, 4001 and 7496 live)")
    connect_timeout_seconds: float = Field(10.0, gt=0, le=120, description="for one connection attempt")
    snapshot_timeout_seconds: float = Field(20.0, gt=0, le=300, description="of silence in a snapshot until it fails")
    heartbeat_interval_seconds: float = Field(
        5.0, gt=0, le=60, description="between heartbeats; two without an answer and the connection is lost"
    )
    startup_timeout_seconds: float = Field(
        30.0, gt=0, le=600, description="without any progress until a first start gives up"
    )
    live_accounts: tuple[str, ...] = Field((), description="live accounts that may trade; paper ones (DU…) always may")
    time_zone: str = Field(
        "", description="IANA zone of its times, where the gateway writes none, an ambiguous or an unknown one"
    )

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name and name not in available_timezones():
            raise ValueError("it is no IANA name such as America/New_York")
        return name


class MarketDataSettings(_Section):
    """Bars and quotes."""

    delayed: bool = Field(False, description="whether delayed data are used where the account has no live ones")


class PaperGatewaySettings(_Section):
    """The built-in paper gateway."""

    seed: int = Field(1, ge=0, description="seed of its random market")
    replay: Path | None = Field(None, description="folder of bar files to replay in place of the random market")
    bar_seconds: float = Field(1.0, gt=0, description="wall seconds that one stored minute takes in a replay")
    instruments: Path | None = Field(None, description="TOML file with more instruments")
    accounts: tuple[str, ...] = Field(("DU1000001",), min_length=1, description="its accounts")


class _RiskSection(_Section):
    """Limits of every order; amounts in the account's base currency."""

    def limits(self) -> Limits:
        """The limits of pre-trade checks."""
        return Limits(**dict(self))


def _limit_fields() -> Mapping[str, Any]:
    """Each limit as a setting of the same name, type, default and description."""
    limits = ((limit, limit.type.__metadata__[0]) for limit in msgspec.structs.fields(Limits))
    return {
        limit.name: (limit.type, Field(limit.default, **(meta.extra or {"gt": 0}), description=meta.description))
        for limit, meta in limits
    }


if TYPE_CHECKING:
    RiskSettings = _RiskSection
else:
    RiskSettings = create_model("RiskSettings", __base__=_RiskSection, **_limit_fields())


class OrdersSettings(_Section):
    """What may be ordered; and orders whose end the broker does not say (docs/operations.md, "Unknown orders")."""

    proof_seconds: float = Field(
        60.0, ge=5, description="how long the broker's complete answers about an UNKNOWN order must agree to settle it"
    )
    unlisted: Literal["cancelled", "keep"] = Field(
        "cancelled", description="an order in none of its lists for that long: cancelled, or keep it UNKNOWN"
    )
    inactive: Literal["cancel", "keep"] = Field(
        "cancel", description="an order that stays parked for that long: cancel it, or keep it UNKNOWN"
    )
    fractional_shares: bool = Field(
        False, description="whether the account takes fractions of shares over the API; else shares are whole"
    )


class PortfolioSettings(_Section):
    """Books and their comparison with the broker's."""

    base_currency: str = Field("USD", min_length=3, max_length=3, description="currency of equity and limits")
    reconcile_interval_seconds: float = Field(60.0, gt=0, description="between comparisons with the broker")
    break_confirmation_seconds: float = Field(
        3.0, ge=0, description="how long a difference must last before it is booked to Discretionary"
    )
    allow_leverage: bool = Field(False, description="whether target weights may sum above 1")
    matching: Literal["fifo", "lifo"] = Field("fifo", description="which lots a trade closes first; docs/accounting.md")


class BacktestSettings(_Section):
    """What a backtest assumes unless its command line sets it."""

    capital: Decimal = Field(Decimal(100_000), gt=0, description="what a backtest starts with, in the base currency")
    fees: Literal["ib-fixed", "ib-tiered", "per-unit", "none"] = Field(
        "ib-fixed", description="schedule of commissions"
    )
    fee_per_unit: Decimal = Field(Decimal("0.005"), ge=0, description="commission a unit where fees is per-unit")
    spread_ticks: int = Field(1, ge=0, description="quoted spread where the bars have none")
    slippage_ticks: int = Field(0, ge=0, description="ticks that market and stop orders trade worse than the quote")
    max_volume_fraction: float = Field(0.1, ge=0, le=1, description="largest share of a bar's volume; 0 sets no bound")
    latency_seconds: float = Field(0.0, ge=0, description="from a decision to the exchange")
    borrow_rate: float = Field(0.0, ge=0, description="yearly cost of what is short, as a share of its value")
    limits: Literal["live", "none"] = Field("live", description="live: those of [risk]; none: orders are not limited")


class StoreSettings(_Section):
    """ArcticDB. An empty `uri` keeps it in the data directory (LMDB)."""

    uri: str = Field("", description="empty, or s3://… / s3s://… ; credentials from the environment")
    journal_retention_days: float = Field(30.0, gt=0, description="how long the journal keeps entries that are stored")
    keep_bars: bool = Field(True, description="store the five-second bars of instruments that strategies follow")
    outage_tolerance_seconds: float = Field(
        30.0, ge=0, description="how long the store may be away before new risk waits"
    )
    outage_tolerance_entries: int = Field(
        1000, ge=1, description="how many entries may wait for it before new risk does"
    )


class InstrumentsSettings(_Section):
    """Names and terms of contracts that the operator gives; docs/instruments.md."""

    file: Path = Field(Path("instruments.toml"), description="relative to the settings file; it may be missing")


class StrategiesSettings(_Section):
    """Where strategies come from: the table `general/strategies`, seeded from `seed_file` on the first start."""

    seed_file: Path = Field(Path("strategies.toml"), description="relative to the settings file")
    folder: Path = Field(Path("strategies"), description="the operator's strategy files; relative to the settings file")
    host: Host = Field("process", description="where a strategy runs that does not say: process or thread")


class Settings(BaseSettings):
    """The whole configuration. Unknown names are refused, at any depth."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER
    )

    data_dir: Path = Field(Path("data"), description="journal, ArcticDB, paper account, logs")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error")
    gateway: GatewaySettings = GatewaySettings()
    paper_gateway: PaperGatewaySettings = PaperGatewaySettings()
    market_data: MarketDataSettings = MarketDataSettings()
    risk: RiskSettings = RiskSettings()
    orders: OrdersSettings = OrdersSettings()
    portfolio: PortfolioSettings = PortfolioSettings()
    store: StoreSettings = StoreSettings()
    strategies: StrategiesSettings = StrategiesSettings()
    instruments: InstrumentsSettings = InstrumentsSettings()
    backtest: BacktestSettings = BacktestSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # `load_settings` lays file, environment and command line over one another


def load_settings(path: Path, overrides: dict[str, JsonValue]) -> Settings:
    """The settings of the file at `path`, with `overrides` (nested, as the file is) laid over it.

    Relative paths of strategies and instruments are made relative to the file's folder. Raises `SettingsError`.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"settings file {path} does not exist; name one that does with --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"settings file {path} cannot be read ({error}); fix it or name another with --config"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {path} is not valid TOML: {error}; correct that line") from None
    content = with_present_names(content, str(path))
    layers = {"command line": overrides, "environment": _environment(), str(path): content}
    try:
        settings = Settings.model_validate(merged(merged(content, layers["environment"]), overrides))
    except ValidationError as error:
        raise SettingsError(_first_error(error, layers)) from None
    folder = path.resolve().parent
    strategies = settings.strategies.model_copy(
        update={"seed_file": folder / settings.strategies.seed_file, "folder": folder / settings.strategies.folder}
    )
    instruments = settings.instruments.model_copy(update={"file": folder / settings.instruments.file})
    return settings.model_copy(update={"strategies": strategies, "instruments": instruments})


def settings_of(config: Path | None, **given: object) -> Settings:
    """The options `given` on a command line, over the file that it names or the shipped one. Raises `SettingsError`."""
    return load_settings(config or default_config(), command_line(**given))


def default_config() -> Path:
    """The settings that ship with the program."""
    root = Path(__file__).resolve().parents[1]
    return next((p for p in (root / "config/mats.toml", root / "mats/config/mats.toml") if p.is_file()), root)


def command_line(**given: object) -> dict[str, JsonValue]:
    """Options of the command line in the shape of the settings file; None was not given. Paths become strings."""
    settings: dict[str, JsonValue] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            section = command_line(**value)
            settings |= {name: section} if section else {}
        elif value is not None:
            settings[name] = value if isinstance(value, bool | int | float) else str(value)
    return settings


def merged(base: dict[str, JsonValue], over: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """`base` with every leaf of `over` laid over it."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _environment() -> dict[str, JsonValue]:
    source = EnvSettingsSource(Settings)
    source.env_vars = with_present_variables(source.env_vars, ENV_PREFIX.lower(), ENV_DELIMITER)
    try:
        content = source()
    except Unparsable as error:
        raise SettingsError(
            f"an environment variable MATS_… cannot be read: {error}; write lists and tables as JSON, "
            """for example MATS_PAPER_GATEWAY__ACCOUNTS='["DU1000001"]'"""
        ) from None
    return with_present_names(content, "the environment")


def _first_error(error: ValidationError, layers: dict[str, dict[str, JsonValue]]) -> str:
    """The first error; `layers` are the sources of settings, strongest first."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    source = next((source for source, layer in layers.items() if _has(layer, first["loc"])), "default")
    if first["type"] == "extra_forbidden":
        return (
            f"setting {name} ({source}) is unknown; remove it or correct its name (docs/operations.md lists them all)"
        )
    value = str(first["input"])[:80]
    return f"setting {name} = {value} ({source}) cannot be used: {first['msg'].lower()}; correct it"


def _has(layer: JsonValue, path: tuple[int | str, ...]) -> bool:
    """Whether the layer sets what is at `path`; a list is set as a whole."""
    for part in path:
        if not isinstance(layer, dict):
            return True
        if part not in layer:
            return False
        layer = layer[str(part)]
    return True
