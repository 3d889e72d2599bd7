"""Parses the times of a bar file: ISO 8601 or counts since 1970, with a zone or in a given one."""

import re
import warnings
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from pytz.exceptions import InvalidTimeError

from mats.errors import DataError
from mats.model.bar_columns import Instants

_EPOCHS = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000), (np.inf, 1))
"""A number below the bound counts units of this many nanoseconds since 1970; the bounds are in 1973 and 5138."""

_ZONED = r"(?:Z|[+-]\d\d(?::?\d\d)?)$"
_ENDS_ZONED = re.compile(_ZONED, re.MULTILINE)
_DATE = r"(?:\d{8}|\d{4}-\d\d-\d\d)(?:[T ]00:?00(?::?00(?:\.0+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?"


def parse_times(values: pd.Series, zone: str | None, place: str) -> Instants:
    """Nanoseconds UTC. `zone` is the zone of times without one.

    Where all times are midnights of their own zone they are dates: the bar of a day is known when that day of UTC is
    over, which is after the close of every exchange. Texts are ISO 8601, numbers are counts since 1970 in seconds,
    milliseconds, microseconds or nanoseconds, or dates like 20131004. A value that is missing or cannot be read
    raises DataError with its row, as a naive time does where `zone` is None.
    """
    if pd.api.types.is_numeric_dtype(values):
        _refuse(values, values.isna(), place, "has no time", "fill or remove it")
        if values.between(19_000_101, 21_001_231).all() and (values % 1 == 0).all():
            return _parsed(values.astype("int64").astype(str), None, place)
        largest = float(values.abs().max()) if len(values) else 0.0
        unit = next(unit for bound, unit in _EPOCHS if largest < bound)
        counted: Instants = (values * unit).round().to_numpy(dtype=np.int64)
        return counted
    if pd.api.types.is_datetime64_any_dtype(values):
        _refuse(values, values.isna(), place, "has no time", "fill or remove it")
        return _nanos(_localized(values, zone, place))
    times = _parse_uniform(values)
    if times is not None and (times.dt.tz is not None or zone is not None):
        return _nanos(_localized(times, zone, place))
    return _parsed(values.astype(str).str.strip(), zone, place)


def _parse_uniform(texts: pd.Series) -> pd.Series | None:
    """The times of texts that all have the same offset, or none; None for a mixture."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # several offsets: those are read one by one
        times = pd.to_datetime(texts, format="ISO8601", errors="coerce")
    if not pd.api.types.is_datetime64_any_dtype(times) or times.isna().any():
        return None
    zoned = len(_ENDS_ZONED.findall("\n".join(map(str, texts))))
    return times if zoned == (0 if times.dt.tz is None else len(texts)) else None


def _parsed(texts: pd.Series, zone: str | None, place: str) -> Instants:
    if texts.str.fullmatch(_DATE).all():
        texts = texts.str.replace("-", "").str[:8]
    times = pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601")
    example = "write it like 2013-10-04T13:30:00Z"
    _refuse(texts, times.isna(), place, "has a time that cannot be read", example)
    if texts.str.fullmatch(r"\d{8}").all():
        return _nanos(times)
    zoned = texts.str.contains(_ZONED)
    if zoned.all():
        return _nanos(times)
    _refuse(texts, zoned & (zone is not None), place, "has a time with a zone among others without", example)
    _refuse(texts, ~zoned & (zone is None), place, "has a time without zone", "say which with --zone, e.g. UTC")
    return _nanos(_localized(times.dt.tz_localize(None), zone, place))


def _localized(times: pd.Series, zone: str | None, place: str) -> pd.Series:
    if (times == times.dt.normalize()).all():
        days: pd.Series = times.dt.tz_localize(None).dt.tz_localize("UTC")
        return days
    if times.dt.tz is not None:
        return times
    if zone is None:
        raise DataError(f"{place} has times without zone ({times.iloc[0]}); say which with --zone, e.g. UTC")
    try:
        local: pd.Series = times.dt.tz_localize(ZoneInfo(zone), ambiguous="infer", nonexistent="raise")
    except (ZoneInfoNotFoundError, InvalidTimeError, ValueError) as error:
        raise DataError(
            f"{place} has times that cannot be read in zone {zone!r} ({error}); name the zone they were written in"
        ) from error
    return local


def _nanos(times: pd.Series) -> Instants:
    converted: Instants = times.dt.as_unit("ns").to_numpy(dtype="datetime64[ns]").view(np.int64)
    return converted


def _refuse(values: pd.Series, wrong: pd.Series, place: str, fault: str, fix: str) -> None:
    """Name the first row for which `wrong` holds, counted from 1 without the header."""
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise DataError(f"{place}, row {row + 1} {fault} ({values.iloc[row]}); {fix}")
