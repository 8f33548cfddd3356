"""A tenant that writes to its customers."""

import pytest

from tests.cases.customers.telling import furnished


@pytest.fixture
def world(db):
    return furnished()
