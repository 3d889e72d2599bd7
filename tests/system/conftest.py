"""What is logged below a warning is nobody's concern here."""

import logging

import pytest
import structlog


@pytest.fixture(autouse=True, scope="session")
def only_warnings() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
