"""Every behaviour that does not depend on the host is proved on all of them."""

from collections.abc import Callable, Iterator

import pytest

from mats.runtime import Runtime, ThreadRuntime, VirtualRuntime
from tests.patience import PATIENCE

KINDS: dict[str, Callable[[], Runtime]] = {
    "thread": ThreadRuntime,
    "virtual": VirtualRuntime,
    "seeded": lambda: VirtualRuntime(seed=11),
}


@pytest.fixture(params=KINDS)
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    made = KINDS[request.param]()
    yield made
    made.stop(PATIENCE)


@pytest.fixture
def threads() -> Iterator[ThreadRuntime]:
    made = ThreadRuntime()
    yield made
    made.stop(PATIENCE)


@pytest.fixture
def virtual() -> VirtualRuntime:
    return VirtualRuntime()
