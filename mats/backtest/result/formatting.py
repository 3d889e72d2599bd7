"""Numbers as a report writes them: thousands separated, a minus sign, a dash for what is not defined."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from mats.model import Currency, Nanos, to_datetime

UNDEFINED = "–"
STRONG = 0.10
"""A month with this return has the full shade."""


class Value(msgspec.Struct, frozen=True):
    """A number as text, and the sign it is colored by; `shade` is the color behind it, if any."""

    text: str
    sign: int = 0
    shade: str = ""


class TableRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a table; `signed` values are colored."""

    label: str
    values: tuple[Value, ...]
    signed: bool = False
    sum: bool = False


class Figure(msgspec.Struct, frozen=True):
    """A key figure: its key among the metrics, its label, and its format."""

    key: str
    label: str
    write: Callable[[float], str]
    signed: bool = False


def amount(value: float) -> str:
    return _minus(f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.2f}")


def percent(value: float) -> str:
    return _minus(f"{value:.2%}")


def share(value: float) -> str:
    return _minus(f"{value:.1%}")


def ratio(value: float) -> str:
    return _minus(f"{value:,.2f}")


def whole(value: float) -> str:
    return _minus(f"{value:,.0f}")


def days(value: float) -> str:
    """A span of time, from days, in the most readable unit."""
    if 0 < value < 1 / 24:
        return f"{value * 1440:,.1f} minutes"
    if 0 < value < 1:
        return f"{value * 24:,.1f} hours"
    return f"{value:,.1f} days" if value < 10 else f"{value:,.0f} days"


def day(instant: Nanos) -> str:
    return to_datetime(instant).strftime("%Y-%m-%d")


def minute(instant: Nanos) -> str:
    return to_datetime(instant).strftime("%Y-%m-%d %H:%M")


def value(number: float | None, write: Callable[[float], str]) -> Value:
    """The number written; a dash for None."""
    return Value(UNDEFINED) if number is None else Value(write(number), (number > 0) - (number < 0))


def month(number: float | None) -> Value:
    """A month's return, on a background that is stronger for larger returns."""
    if number is None:
        return Value("")
    color = "gain" if number > 0 else "loss"
    strength = round(min(abs(number) / STRONG, 1) * 34)
    shade = f"color-mix(in srgb, var(--{color}) {strength}%, transparent)" if strength else ""
    return Value(percent(number), (number > 0) - (number < 0), shade)


def table(figures: Sequence[Figure], columns: Sequence[Mapping[str, float | None]]) -> tuple[TableRow, ...]:
    """A row for each figure that any of the columns has."""
    return tuple(
        TableRow(
            label=figure.label,
            values=tuple(value(column.get(figure.key), figure.write) for column in columns),
            signed=figure.signed,
        )
        for figure in figures
        if any(figure.key in column for column in columns)
    )


def _minus(text: str) -> str:
    """A minus sign; none before what is written as zero."""
    return text.replace("-", "" if not text.strip("-0.,%") else "−")


def currency_amount(number: float, currency: Currency) -> str:
    return f"{amount(number)} {currency}"
