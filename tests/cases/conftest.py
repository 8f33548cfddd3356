"""What the tests of notices to staff and to customers share."""

import pytest

from tests.cases.mailbox import SMTP, Mailbox


@pytest.fixture
def mailbox(settings):
    with Mailbox() as box:
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", box.port
        settings.EMAIL_USE_TLS = False
        yield box
