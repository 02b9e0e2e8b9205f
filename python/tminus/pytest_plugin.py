"""Fixtures that pytest finds by itself where tminus is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import Broker


@pytest.fixture
def rocketmq_broker() -> Iterator[Broker]:
    """A loopback broker on the machine's clock."""
    from .testing import Broker

    with Broker() as broker:
        yield broker


@pytest.fixture
def rocketmq_virtual_broker() -> Iterator[Broker]:
    """A loopback broker whose clock stands still until `advance`."""
    from .testing import Broker

    with Broker(virtual_clock=True) as broker:
        yield broker
