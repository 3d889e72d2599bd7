"""The price of an option and its sensitivities: Black and Scholes (1973), European, without interest and dividends."""

import math
from datetime import UTC, datetime, time
from statistics import NormalDist

import msgspec
import numpy as np
import numpy.typing as npt

from mats.model import DAY, Instrument, Nanos, from_datetime

Floats = npt.NDArray[np.float64]

LAST_TRADE = time(20, 0, tzinfo=UTC)
"""The time of day at which options expire."""

YEAR: Nanos = 365 * DAY


class Greeks(msgspec.Struct, frozen=True):
    """The fair price of one unit and its sensitivities: to a point of the underlying (delta; gamma that of delta), to a
    percentage point of volatility (vega), to a day (theta)."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float


def expires(option: Instrument) -> Nanos:
    """The instant at which the option expires."""
    return from_datetime(datetime.combine(datetime.strptime(option.expiry, "%Y%m%d").date(), LAST_TRADE))  # noqa: DTZ007


def option_prices(option: Instrument, underlying: Floats, times: npt.NDArray[np.int64], volatility: float) -> Floats:
    """Fair prices for prices of the underlying at instants; after expiry, the intrinsic value."""
    years = np.maximum((expires(option) - times) / YEAR, 1e-9)
    deviation = volatility * np.sqrt(years)
    strike = float(option.strike)
    first = np.log(underlying / strike) / deviation + deviation / 2
    call = underlying * _cumulative(first) - strike * _cumulative(first - deviation)
    fair: Floats = np.maximum(call if option.right == "C" else call - underlying + strike, 0.0)
    return fair


def greeks(option: Instrument, underlying: float, now: Nanos, volatility: float) -> Greeks:
    """The fair price and its sensitivities at an instant."""
    years = max((expires(option) - now) / YEAR, 1e-9)
    deviation, strike, normal = volatility * math.sqrt(years), float(option.strike), NormalDist()
    first = math.log(underlying / strike) / deviation + deviation / 2
    density = normal.pdf(first)
    call = underlying * normal.cdf(first) - strike * normal.cdf(first - deviation)
    is_call = option.right == "C"
    return Greeks(
        price=call if is_call else call - underlying + strike,
        delta=normal.cdf(first) - (0.0 if is_call else 1.0),
        gamma=density / (underlying * deviation),
        vega=underlying * density * math.sqrt(years) / 100,
        theta=-underlying * density * volatility / (2 * math.sqrt(years)) / 365,
    )


def _cumulative(x: Floats) -> Floats:
    """The normal distribution to seven digits. Source: Abramowitz and Stegun, 26.2.17."""
    t = 1 / (1 + 0.2316419 * np.abs(x))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    upper = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * series
    tail: Floats = np.where(x >= 0, 1 - upper, upper)
    return tail
