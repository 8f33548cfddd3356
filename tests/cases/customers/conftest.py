"""A tenant that writes to its customers, and a mail server of the tests."""

import pytest

from tests.cases.customers.telling import SMTP, furnished
from tests.cases.mailbox import Mailbox


@pytest.fixture
def world(db):
    return furnished()


@pytest.fixture
def mailbox(settings):
    with Mailbox() as box:
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", box.port
        settings.EMAIL_USE_TLS = False
        yield box
