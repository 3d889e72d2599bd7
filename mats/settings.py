"""Every setting of the daemon: one typed model, read from a TOML file, the environment and the command line.

Precedence, strongest first: command line, environment (`MATS_RISK__MAX_ORDER_NOTIONAL=50000`), file, default.
"""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as Unparsable

from mats.errors import UserError

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]


class SettingsError(UserError):
    """A setting that cannot be used; the text is one sentence with the setting, its value and the mend."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GatewaySettings(_Section):
    """Where the broker is. An empty `host` starts the embedded paper gateway."""

    host: str = Field("", description="host of TWS or IB Gateway; empty = the embedded paper gateway")
    port: int = Field(4002, ge=1, le=65535, description="its API port (4002 and 7497 are paper, 4001 and 7496 live)")
    connect_timeout: float = Field(10.0, gt=0, le=120, description="seconds for one connection attempt")
    replay_timeout: float = Field(20.0, gt=0, le=300, description="seconds for the broker's complete answer")
    heartbeat: float = Field(5.0, gt=0, le=60, description="seconds between heartbeats; two silent ones lose the link")
    startup_timeout: float = Field(30.0, gt=0, le=600, description="seconds until a first start gives up")
    live_accounts: tuple[str, ...] = Field((), description="live accounts that may trade; paper ones (DU…) always may")


class PaperGatewaySettings(_Section):
    """The paper gateway that ships with the system."""

    seed: int = Field(1, ge=0, description="seed of its random market")
    replay: Path | None = Field(None, description="folder of bar files to replay in place of the random market")
    bar_seconds: float = Field(1.0, gt=0, description="wall seconds that one stored minute takes in a replay")
    instruments: Path | None = Field(None, description="TOML file with more instruments")
    accounts: tuple[str, ...] = Field(("DU1000001",), min_length=1, description="its accounts")


class RiskSettings(_Section):
    """Limits of every order; amounts in the account's base currency."""

    max_order_quantity: Decimal = Field(Decimal(100_000), gt=0, description="units in one order")
    max_order_notional: Decimal = Field(Decimal(500_000), gt=0, description="value of one order")
    max_position_notional: Decimal = Field(Decimal(1_000_000), gt=0, description="value of one strategy's position")
    max_account_notional: Decimal = Field(Decimal(5_000_000), gt=0, description="value of an account's net position")
    max_orders_per_minute: int = Field(120, gt=0, description="orders of one strategy in a minute")
    stale_after: float = Field(30.0, gt=0, description="seconds without data after which no new risk is taken")
    rate_stale_after: float = Field(86_400.0, gt=0, description="seconds after which an exchange rate is not known")


class PortfolioSettings(_Section):
    """Books and their comparison with the broker's."""

    base_currency: str = Field("USD", min_length=3, max_length=3, description="currency of equity and limits")
    reconcile_every: float = Field(60.0, gt=0, description="seconds between comparisons with the broker")
    grace: float = Field(3.0, ge=0, description="seconds a difference must last before it is booked to Discretionary")
    allow_leverage: bool = Field(False, description="whether target weights may sum above 1")
    matching: Literal["fifo", "lifo"] = Field("fifo", description="which lots a trade closes first; docs/accounting.md")


class BacktestSettings(_Section):
    """What a backtest assumes unless its command says otherwise."""

    capital: Decimal = Field(Decimal(100_000), gt=0, description="what a backtest starts with, in the base currency")
    fees: Literal["ib-fixed", "ib-tiered", "per-unit", "none"] = Field(
        "ib-fixed", description="schedule of commissions"
    )
    fee_per_unit: Decimal = Field(Decimal("0.005"), ge=0, description="commission a unit where fees is per-unit")
    spread_ticks: int = Field(1, ge=0, description="quoted spread where the bars have none")
    slippage_ticks: int = Field(0, ge=0, description="ticks that market and stop orders trade worse than the quote")
    participation: float = Field(0.1, ge=0, le=1, description="largest share of a bar's volume; 0 sets no bound")
    latency: float = Field(0.0, ge=0, description="seconds from a decision to the exchange")
    borrow_rate: float = Field(0.0, ge=0, description="yearly cost of what is short, as a share of its value")
    limits: Literal["live", "none"] = Field("live", description="live: those of [risk]; none: orders are not limited")


class StoreSettings(_Section):
    """ArcticDB. An empty `uri` keeps it in the data directory (LMDB)."""

    uri: str = Field("", description="empty, or s3://… / s3s://… ; credentials from the environment")
    keep_days: float = Field(30.0, gt=0, description="days that the journal keeps entries which the store has")


class StrategiesSettings(_Section):
    """Where strategies come from: the table `general/strategies`, seeded from `seed_file` on the first start."""

    seed_file: Path = Field(Path("strategies.toml"), description="relative to the settings file")
    folder: Path = Field(Path("strategies"), description="the operator's strategy files; relative to the settings file")


class Settings(BaseSettings):
    """The whole configuration. Unknown names are refused, at any depth."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix="MATS_", env_nested_delimiter="__")

    data_dir: Path = Field(Path("data"), description="journal, ArcticDB, paper account, logs")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error")
    gateway: GatewaySettings = GatewaySettings()
    embedded: PaperGatewaySettings = PaperGatewaySettings()
    risk: RiskSettings = RiskSettings()
    portfolio: PortfolioSettings = PortfolioSettings()
    store: StoreSettings = StoreSettings()
    strategies: StrategiesSettings = StrategiesSettings()
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

    Relative paths of strategies are made relative to the file's folder. Raises `SettingsError`.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"settings file {path} does not exist; name one that does with --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"settings file {path} cannot be read ({error}); mend it or name another with --config"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {path} is not valid TOML: {error}; correct that line") from None
    layers = {"command line": overrides, "environment": _environment(), str(path): content}
    try:
        settings = Settings.model_validate(merged(merged(content, layers["environment"]), overrides))
    except ValidationError as error:
        raise SettingsError(_first_fault(error, layers)) from None
    folder = path.resolve().parent
    strategies = settings.strategies.model_copy(
        update={"seed_file": folder / settings.strategies.seed_file, "folder": folder / settings.strategies.folder}
    )
    return settings.model_copy(update={"strategies": strategies})


def settings_of(config: Path | None, **given: object) -> Settings:
    """What is `given` on a command line, over the file that it names or the shipped one. Raises `SettingsError`."""
    return load_settings(config or default_config(), command_line(**given))


def default_config() -> Path:
    """The settings that ship with the program."""
    root = Path(__file__).resolve().parents[1]
    return next((p for p in (root / "config/mats.toml", root / "mats/config/mats.toml") if p.is_file()), root)


def command_line(**given: object) -> dict[str, JsonValue]:
    """What the command line said, as the settings file would say it; None was not said. Paths become texts."""
    said: dict[str, JsonValue] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            below = command_line(**value)
            said |= {name: below} if below else {}
        elif value is not None:
            said[name] = value if isinstance(value, bool | int | float) else str(value)
    return said


def merged(base: dict[str, JsonValue], over: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """`base` with every leaf of `over` laid over it."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _environment() -> dict[str, JsonValue]:
    try:
        return EnvSettingsSource(Settings)()
    except Unparsable as error:
        raise SettingsError(
            f"an environment variable MATS_… cannot be read: {error}; write lists and tables as JSON, "
            """for example MATS_EMBEDDED__ACCOUNTS='["DU1000001"]'"""
        ) from None


def _first_fault(error: ValidationError, layers: dict[str, dict[str, JsonValue]]) -> str:
    """The first fault; `layers` are the sources of settings, strongest first."""
    fault = error.errors()[0]
    name = ".".join(str(part) for part in fault["loc"])
    source = next((source for source, layer in layers.items() if _holds(layer, fault["loc"])), "default")
    if fault["type"] == "extra_forbidden":
        return (
            f"setting {name} ({source}) is unknown; remove it or correct its name (docs/operations.md lists them all)"
        )
    value = str(fault["input"])[:80]
    return f"setting {name} = {value} ({source}) cannot be used: {fault['msg'].lower()}; correct it"


def _holds(layer: JsonValue, place: tuple[int | str, ...]) -> bool:
    """Whether the layer sets what is at `place`; a list is set as a whole."""
    for part in place:
        if not isinstance(layer, dict):
            return True
        if part not in layer:
            return False
        layer = layer[str(part)]
    return True
