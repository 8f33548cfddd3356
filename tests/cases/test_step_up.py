"""Proving again who one is: by password, by a second factor where there is one, and with a bound on guessing."""

import time

import pytest
from axes.models import AccessAttempt
from django.test import Client
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from cases.models import User
from cases.services.second_factor import SIGNED_IN, secret_text
from tests.worlds import PASSWORD, World, make_world

pytestmark = pytest.mark.django_db

CONFIRM, MANAGE = "/admin/step-up/", "/admin/second-factor/"
HOME = "/admin/"


@pytest.fixture
def world() -> World:
    return make_world("acme")


def signed_in(user: User) -> Client:
    client = Client()
    client.post(reverse("admin:login"), {"username": user.username, "password": PASSWORD})
    return client


def code_of(device: TOTPDevice, steps: int = 0) -> str:
    """The code of now, or of ``steps`` periods later."""
    return f"{totp(device.bin_key, t0=-steps * device.step):06d}"


def enrolled(client: Client, user: User) -> TOTPDevice:
    client.post(MANAGE, {"add": "1", "password": PASSWORD})
    device = TOTPDevice.objects.get(user=user)
    client.post(MANAGE, {"prove": "1", "code": code_of(device)})
    device.refresh_from_db()
    assert device.confirmed
    return device


def test_signing_in_counts_and_confirming_counts_anew(world):
    client = signed_in(world.reviewer)
    first = client.session[SIGNED_IN]
    key = client.session.session_key
    assert client.post(CONFIRM, {"password": PASSWORD}).status_code == 302
    assert client.session[SIGNED_IN] > first
    assert client.session.session_key != key


def test_a_wrong_password_confirms_nothing_and_counts_as_a_failed_sign_in(world):
    client = signed_in(world.reviewer)
    first = client.session[SIGNED_IN]
    response = client.post(CONFIRM, {"password": "wrong"})
    assert response.status_code == 403
    assert "That is not right" in response.content.decode()
    assert client.session[SIGNED_IN] == first
    assert AccessAttempt.objects.get(username=world.reviewer.username).failures_since_start == 1


def test_guessing_locks_even_the_right_password_out(world, settings):
    client = signed_in(world.reviewer)
    first = client.session[SIGNED_IN]
    for _ in range(settings.AXES_FAILURE_LIMIT):
        client.post(CONFIRM, {"password": "wrong"})
    response = client.post(CONFIRM, {"password": PASSWORD})
    assert response.status_code in (403, 429)
    assert client.session[SIGNED_IN] == first


def test_it_leads_back_to_pages_of_this_site_only(world):
    client = signed_in(world.reviewer)
    for asked, expected in (
        ("/admin/cases/case/", "/admin/cases/case/"),
        ("https://evil.example/", HOME),
        ("//e", HOME),
    ):
        response = client.post(f"{CONFIRM}?next={asked}", {"password": PASSWORD})
        assert response["Location"] == expected


def test_nobody_gets_to_the_pages_without_signing_in(world):
    for at in (CONFIRM, MANAGE):
        assert Client().get(at)["Location"].startswith("/admin/login/")
    assert Client().post(CONFIRM, {"password": PASSWORD}).status_code == 302


def test_a_second_factor_is_added_by_password_and_proven_by_a_code(world):
    client = signed_in(world.reviewer)
    client.post(MANAGE, {"add": "1", "password": "wrong"})
    assert not TOTPDevice.objects.exists()
    client.post(MANAGE, {"add": "1", "password": PASSWORD})
    device = TOTPDevice.objects.get()
    page = client.get(MANAGE).content.decode()
    assert secret_text(device) in page
    assert "otpauth://totp/" in page
    client.post(MANAGE, {"prove": "1", "code": "000000" if code_of(device) != "000000" else "000001"})
    assert not TOTPDevice.objects.get().confirmed
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    client.post(MANAGE, {"prove": "1", "code": code_of(device)})
    assert TOTPDevice.objects.get().confirmed
    assert secret_text(device) not in client.get(MANAGE).content.decode(), (
        "the secret is shown before it is in use only"
    )


def test_who_has_a_second_factor_confirms_with_both_and_a_sign_in_alone_is_not_enough(world):
    device = enrolled(signed_in(world.reviewer), world.reviewer)
    client = signed_in(world.reviewer)
    assert SIGNED_IN not in client.session
    assert client.get(HOME).status_code == 302, "the password alone signs nobody in"
    client.force_login(world.reviewer, backend="django.contrib.auth.backends.ModelBackend")
    assert SIGNED_IN not in client.session
    assert client.post(CONFIRM, {"password": PASSWORD}).status_code == 403
    assert client.post(CONFIRM, {"password": PASSWORD, "code": code_of(device)}).status_code == 403, "used already"
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    response = client.post(CONFIRM, {"password": PASSWORD, "code": code_of(device, steps=1)})
    assert response.status_code == 302, time.time()
    assert SIGNED_IN in client.session
    assert AccessAttempt.objects.get(username=world.reviewer.username).failures_since_start == 1


def test_it_is_taken_away_by_password_and_code(world):
    client = signed_in(world.reviewer)
    device = enrolled(client, world.reviewer)
    client.post(MANAGE, {"remove": "1", "password": PASSWORD, "code": "abc"})
    assert TOTPDevice.objects.exists()
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    client.post(MANAGE, {"remove": "1", "password": PASSWORD, "code": code_of(device, steps=1)})
    assert not TOTPDevice.objects.exists()


def test_ones_own_page_shows_nothing_of_anybody_else(world):
    device = enrolled(signed_in(world.reviewer), world.reviewer)
    other = signed_in(make_world("other").reviewer)
    page = other.get(MANAGE).content.decode()
    assert "You have none" in page
    assert secret_text(device) not in page
    other.post(MANAGE, {"remove": "1", "password": PASSWORD, "code": code_of(device, steps=1)})
    assert TOTPDevice.objects.filter(user=world.reviewer).exists()
