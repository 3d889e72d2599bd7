"""Parameters of a strategy, from a TOML table or the command line, converted strictly to their declared types."""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from mats.errors import StrategyError
from mats.model import StrategyName
from mats.runtime import text_of

P = TypeVar("P", bound=msgspec.Struct)


def convert_params(params_class: type[P], strategy: StrategyName, values: Mapping[str, Any]) -> P:
    """The typed parameters; raises StrategyError for an unknown or missing one, or one of the wrong type."""
    fields = {field.name: field for field in msgspec.structs.fields(params_class)}
    for name in values:
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise StrategyError(f"strategy {strategy} has no parameter {name!r}; it has {known}")
    for name, field in fields.items():
        if field.required and name not in values:
            raise StrategyError(f"strategy {strategy} needs the parameter {name!r}; add it to its params")
    converted = {name: _convert(strategy, name, value, fields[name].type) for name, value in values.items()}
    try:
        return params_class(**converted)
    except (ValueError, TypeError) as error:
        raise StrategyError(f"strategy {strategy}: its parameters are inconsistent: {text_of(error)}") from error


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Values of `name=value` texts: TOML values where they read as one (`5`, `0.5`, `true`, `["SPY"]`), else text."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise StrategyError(f"parameter {assignment!r} cannot be read; write name=value, for example fast=5")
        values[name.strip()] = _parse_value(text.strip())
    return values


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _convert(strategy: StrategyName, name: str, value: Any, expected: Any) -> Any:
    try:
        return msgspec.convert(value, expected, strict=True)
    except msgspec.ValidationError as error:
        expected_type = str(error).split(", got")[0].removeprefix("Expected ").split(" - at ")[0].replace("`", "")
        raise StrategyError(
            f"strategy {strategy}: parameter {name!r}: expected {expected_type}, got {type(value).__name__} {value!r}"
        ) from error
