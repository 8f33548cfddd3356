"""The tests' till stands ready for whoever names it."""

import pytest

from .till import Till


@pytest.fixture(autouse=True)
def till(settings):
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    Till.clear()
    return Till
