"""What only tests and simulations switch on: probes, crash points, traces."""

from mats.runtime.testing import chaos
from mats.runtime.testing.chaos import ChaosPlan
from mats.runtime.testing.probe import PATIENCE, Probe
from mats.runtime.testing.trace import Step, Trace

__all__ = [
    "PATIENCE",
    "ChaosPlan",
    "Probe",
    "Step",
    "Trace",
    "chaos",
]
