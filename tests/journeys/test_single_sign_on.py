"""Signing in at an identity provider: who gets in, who does not, and what it counts for."""

import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from cases.models import AccessEvent, User
from cases.services.second_factor import SIGNED_IN, USED
from config import sign_on_settings
from tests.cases.test_step_up import code_of, enrolled, signed_in
from tests.journeys.identity_provider import Provider, identity_provider
from tests.journeys.test_house import PRODUCTION, run, said
from tests.worlds import PASSWORD, World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.journeys.sign_on_urls")]

HOME, LOGIN, START = "/admin/", "/admin/login/", "/oidc/authenticate/"


@pytest.fixture(scope="module")
def listening() -> Iterator[Provider]:
    with identity_provider() as provider:
        yield provider


@pytest.fixture
def provider(listening, settings) -> Provider:
    listening.claims, listening.profile, listening.signs_with = {"sub": "sub-rita"}, {}, listening.key
    listening.asked.clear()
    for name, value in sign_on_settings.read(listening.environment(), insecure_http=True).items():
        setattr(settings, name, value)
    backends = settings.AUTHENTICATION_BACKENDS
    settings.AUTHENTICATION_BACKENDS = [backends[0], "config.sign_on.IdentityBackend", *backends[1:]]
    return listening


@pytest.fixture
def world(provider) -> World:
    world = make_world("acme")
    world.reviewer.oidc_subject = "sub-rita"
    world.reviewer.set_unusable_password()
    world.reviewer.save()
    return world


def visit(client: Client, path: str = f"{START}?next=/admin/") -> HttpResponse:
    """Go to the provider as a browser does, and come back with what it says; the callback's answer."""
    away = client.get(path)
    back = requests.get(away["Location"], allow_redirects=False, timeout=10).headers["Location"]
    parts = urlsplit(back)
    return client.get(f"{parts.path}?{parts.query}")


def is_in(client: Client) -> bool:
    return client.get(HOME).status_code == 200


def test_a_person_signs_in_by_the_subject_that_is_theirs(world):
    client = Client()
    assert START in client.get(LOGIN).content.decode()
    assert visit(client)["Location"] == HOME
    assert is_in(client)
    event = AccessEvent.objects.get()
    assert (event.user, event.kind, event.way) == (world.reviewer, "signed_in", "identity provider")


@pytest.mark.parametrize(
    "wrong",
    [
        {"sub": "sub-of-nobody"},
        {"sub": None},
        {"iss": "https://another.example"},
        {"aud": "another-client"},
        {"nonce": "another"},
        {"exp": 1},
        {"exp": None},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(world, provider, wrong):
    provider.claims |= wrong
    client = Client()
    response = visit(client)
    assert response["Location"] == LOGIN
    assert not is_in(client)
    assert "You were not signed in" in client.get(LOGIN).content.decode()


def test_a_token_under_another_key_lets_nobody_in(world, provider):
    provider.signs_with = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    client = Client()
    assert visit(client)["Location"] == LOGIN
    assert not is_in(client)


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(world):
    client, other = Client(), Client()
    away = client.get(START)
    parts = urlsplit(requests.get(away["Location"], allow_redirects=False, timeout=10).headers["Location"])
    back = f"{parts.path}?{parts.query}"
    assert other.get(back)["Location"] == LOGIN
    assert client.get(back).status_code == 302
    assert is_in(client)
    assert Client().get(back)["Location"] == LOGIN
    assert client.get("/oidc/callback/?error=access_denied")["Location"] == LOGIN
    assert is_in(client), "a stranger's link signs nobody out"


@pytest.mark.parametrize("closed", ["account", "membership", "service"])
def test_who_has_left_and_what_is_no_person_stays_outside(world, closed):
    match closed:
        case "account":
            User.objects.filter(pk=world.reviewer.pk).update(is_active=False)
        case "membership":
            world.reviewer.memberships.update(is_active=False)
        case "service":
            User.objects.filter(pk=world.reviewer.pk).update(kind="service")
    client = Client()
    visit(client)
    assert not is_in(client)


def test_one_identity_is_one_person(world):
    world.colleague.oidc_subject = "sub-rita"
    with pytest.raises(IntegrityError), transaction.atomic():
        world.colleague.save()


def test_an_address_links_only_where_the_installation_says_so_and_the_provider_verified_it(world, provider, settings):
    provider.claims = {"sub": "sub-carl"}
    provider.profile = {"email": "Carl@acme.example", "email_verified": True}
    User.objects.filter(pk=world.colleague.pk).update(email="carl@acme.example")
    assert visit(Client())["Location"] == LOGIN
    settings.OIDC_LINK_BY_EMAIL = True
    provider.profile["email_verified"] = False
    assert visit(Client())["Location"] == LOGIN
    provider.profile["email_verified"] = True
    twin = make_world("other").reviewer
    User.objects.filter(pk=twin.pk).update(email="carl@acme.example")
    assert visit(Client())["Location"] == LOGIN, "two accounts have this address"
    User.objects.filter(pk=twin.pk).update(email="")
    assert visit(Client())["Location"] == HOME
    world.colleague.refresh_from_db()
    assert world.colleague.oidc_subject == "sub-carl"
    assert AccessEvent.objects.filter(user=world.colleague, kind="identity_linked").exists()
    User.objects.filter(pk=world.reviewer.pk).update(email="rita@acme.example")
    provider.claims, provider.profile = {"sub": "sub-new"}, {"email": "rita@acme.example", "email_verified": True}
    assert visit(Client())["Location"] == LOGIN, "who is linked is not linked again"


def test_a_second_factor_here_is_asked_for_unless_the_provider_vouches_for_one(world, provider, settings):
    world.reviewer.set_password(PASSWORD)
    world.reviewer.save()
    device = enrolled(signed_in(world.reviewer), world.reviewer)
    client = Client()
    assert visit(client)["Location"] == "/admin/second-step/"
    assert not is_in(client)
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert client.post("/admin/second-step/", {"code": code_of(device, 1)})["Location"] == HOME
    assert is_in(client)
    settings.OIDC_SECOND_FACTOR = frozenset({"mfa"})
    provider.claims |= {"amr": ["pwd", "mfa"]}
    client = Client()
    assert visit(client)["Location"] == HOME
    assert client.session[USED]


def test_who_has_no_password_here_confirms_at_the_provider_before_what_is_grave(world, provider):
    client = Client()
    provider.claims |= {"auth_time": int(time.time()) - 7200}
    visit(client)
    before = client.session[SIGNED_IN]
    page = client.get("/admin/step-up/?next=/admin/health/").content.decode()
    assert "Confirm at your identity provider" in page
    assert client.post("/admin/step-up/", {}).status_code == 403
    provider.claims |= {"auth_time": int(time.time())}
    assert visit(client, f"{START}?next=/admin/health/&again=1")["Location"] == "/admin/health/"
    assert provider.asked[-1]["prompt"] == "login"
    assert client.session[SIGNED_IN] > before


def test_another_site_is_no_place_to_come_back_to(world):
    assert visit(Client(), f"{START}?next=https://evil.example/")["Location"] == HOME


def test_local_passwords_can_be_switched_off(world, settings):
    settings.LOCAL_PASSWORDS = False
    client = Client()
    assert 'name="password"' not in client.get(LOGIN).content.decode()
    client.post(LOGIN, {"username": world.supervisor.username, "password": PASSWORD})
    assert not is_in(client)
    visit(client)
    assert is_in(client)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"OIDC_ISSUER": "https://id.example.org"}, "OIDC_AUTHORIZATION_ENDPOINT is not set"),
        ({"OIDC_ISSUER": "x", "OIDC_AUTHORIZATION_ENDPOINT": "http://id.example.org/a"}, "not an HTTPS address"),
        ({"LOCAL_PASSWORDS_OFF": "1"}, "lets nobody in"),
    ],
    ids=["missing", "plain HTTP", "no way in"],
)
def test_a_wrong_setting_stops_the_start_with_one_clear_sentence(given, sentence):
    done = run(sys.executable, "manage.py", "migrate", "--plan", **PRODUCTION | given)
    assert done.returncode != 0
    assert sentence in said(done)
    assert "Traceback" not in said(done)
