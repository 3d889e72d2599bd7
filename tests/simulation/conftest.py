"""What the simulations share: silence, and a folder whose flushes cost nothing."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.simulation.world import folder_in_memory


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Logs of a simulated hour are read by nobody."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_in_memory() as path:
        yield path
