"""A tenant whose events go to a receiver of the tests."""

from collections.abc import Iterator
from typing import Any

import pytest

from cases.models import Tenant, WebhookEndpoint
from cases.models.people import system_actor
from cases.services import events
from cases.services.people import create_tenant, ensure_system_actor
from tests.cases.deliveries.sending import add_endpoint
from tests.cases.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def world(settings: Any) -> Iterator[None]:
    """The database without the rooms above: nobody is told of an event but its receivers."""
    settings.CASE_EVENT_HANDLERS = []
    events._handlers.cache_clear()
    ensure_system_actor()
    yield
    events._handlers.cache_clear()


@pytest.fixture
def tenant(world: None) -> Tenant:
    return create_tenant(actor=system_actor(), slug="acme", name="Acme")


@pytest.fixture
def endpoint(tenant: Tenant, receiver: Receiver) -> WebhookEndpoint:
    return add_endpoint(tenant, receiver.url)
