"""Models of a venue: fees, margin, slippage, latency, stock loan."""

from mats.venue.models.fees import FeeModel, FixedFees, NoFees, PerUnitFees, TieredFees
from mats.venue.models.latency import LatencyModel, NoLatency
from mats.venue.models.margin import IntradayMargin, MarginModel
from mats.venue.models.selection import VenueModels, choose_models
from mats.venue.models.slippage import NoSlippage, SlippageModel

__all__ = [
    "FeeModel",
    "FixedFees",
    "IntradayMargin",
    "LatencyModel",
    "MarginModel",
    "NoFees",
    "NoLatency",
    "NoSlippage",
    "PerUnitFees",
    "SlippageModel",
    "TieredFees",
    "VenueModels",
    "choose_models",
]
