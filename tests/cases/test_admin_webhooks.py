"""Webhooks in the back office: addresses, secrets, a test, what became of each sending, and another try."""

import json
from collections.abc import Iterator

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from cases.ids import new_id
from cases.models import CaseEvent, Delivery, Denial, User, WebhookEndpoint
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import deliveries, webhooks
from cases.signing import new_secret
from cases.vocabulary import Role
from tests.worlds import SURE, World, make_world

from . import receiver as receiving
from .receiver import Receiver

pytestmark = pytest.mark.django_db

ENDPOINTS = "/admin/cases/webhookendpoint/"
DELIVERIES = "/admin/cases/delivery/"
BUTTONS = ("test", "new_secret", "remove_previous", "resend")
State = Delivery.State


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def said(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def add_endpoint(world: World, url: str = "https://a.example/hook", **fields) -> WebhookEndpoint:
    endpoint = WebhookEndpoint(tenant=world.tenant, url=url, **{"secret": new_secret(), **fields})
    endpoint.save_as(system_actor(), "created")
    return endpoint


def page(endpoint: WebhookEndpoint) -> str:
    return f"{ENDPOINTS}{endpoint.pk}/change/"


def press(client: Client, button: str, endpoint_id) -> object:
    return client.post(reverse(f"admin:cases_webhookendpoint_{button}", args=[endpoint_id]))


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


@pytest.fixture
def world(db) -> World:
    return make_world("acme", undo_seconds=0, rules={"sampling_share": 0.0, "new_release_reviews": 0})


@pytest.fixture
def boss(world) -> Client:
    return sign_in(world.person("ines", Role.TENANT_ADMIN))


@pytest.fixture
def outsider(db) -> Client:
    """Somebody who may do everything, in another tenant."""
    return sign_in(make_world("other").person("oscar", Role.TENANT_ADMIN, Role.SUPERVISOR, Role.COMPLIANCE))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


# --- the address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://a.example/", "must begin with https"),
        ("https://me:secret@a.example/", "user name or password"),
        ("https://a.example:22/", "Port 22"),
        ("https://10.0.0.1/", "not public"),
        ("https://169.254.169.254/latest", "not public"),
        ("https://127.0.0.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("https://[::ffff:10.0.0.1]/", "not public"),
    ],
)
def test_a_wrong_address_shows_when_it_is_typed(world, boss, settings, url, words):
    settings.OUTBOUND_ALLOW_LOOPBACK = False
    data = {"tenant": str(world.tenant.pk), "url": url, "is_active": "on", "reason": "created"}
    response = boss.post(f"{ENDPOINTS}add/", data)
    assert response.status_code == 200
    assert words in str(response.context["adminform"].form.errors["url"])
    assert not WebhookEndpoint.objects.exists()


def test_loopback_is_an_address_where_the_setting_allows_it(settings):
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    webhooks.check_address("http://127.0.0.1:8001/hook")


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_the_first_secret_is_in_one_answer_and_in_no_cookie(world, boss):
    data = {"tenant": str(world.tenant.pk), "url": "https://a.example/hook", "is_active": "on", "reason": "created"}
    response = boss.post(f"{ENDPOINTS}add/", data)
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert "whsec_" not in str(boss.cookies) + str(dict(boss.session))
    for url in (page(endpoint), ENDPOINTS, f"{ENDPOINTS}{endpoint.pk}/history/"):
        assert "whsec_" not in text_of(boss, url)


def test_the_previous_secret_signs_along_until_it_is_removed(world, boss, receiver):
    endpoint = add_endpoint(world, receiver.url)
    old = endpoint.secret
    response = press(boss, "new_secret", endpoint.pk)
    endpoint.refresh_from_db()
    assert endpoint.secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert endpoint.previous_secret == old != endpoint.secret
    press(boss, "test", endpoint.pk)
    assert receiver.requests[-1].json(old, endpoint.secret)
    assert "Two secrets sign" in text_of(boss, page(endpoint))

    assert "Only the present secret" in said(press(boss, "remove_previous", endpoint.pk))
    press(boss, "test", endpoint.pk)
    assert not receiver.requests[-1].is_signed_with(old)
    assert receiver.requests[-1].is_signed_with(endpoint.secret)
    changes = endpoint.history.order_by("-history_id").values_list("history_change_reason", flat=True)
    assert list(changes)[:2] == ["previous signing secret removed", "new signing secret"]


# --- the test ---------------------------------------------------------------------------------------------------------


def test_a_test_is_a_real_signed_post_in_the_shape_of_every_event(world, boss, receiver):
    endpoint = add_endpoint(world, receiver.url, kinds=["case.decided"])
    text = press(boss, "test", endpoint.pk).content.decode()
    (request,) = receiver.requests
    body = request.json(endpoint.secret)
    assert (body["type"], body["data"]) == ("webhook.ping", {"tenant_id": "acme"})
    assert body["id"] == request.headers["webhook-id"]
    assert set(body) == {"type", "id", "timestamp", "data"}
    assert "The receiver took it" in text
    assert "<dd>200</dd>" in text
    assert " ms</dd>" in text


def test_a_test_stores_nothing(world, boss, receiver):
    endpoint = add_endpoint(world, receiver.url)
    before = CaseEvent.objects.count(), endpoint.history.count()
    press(boss, "test", endpoint.pk)
    assert (CaseEvent.objects.count(), endpoint.history.count()) == before
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (receiving.answer(500), "The receiver answered 500."),
        (receiving.redirect("http://127.0.0.1/"), "The receiver answered 302."),
        (receiving.raw(b"no http at all"), "not HTTP"),
    ],
)
def test_a_test_that_fails_says_why(world, boss, receiver, behaviour, words):
    receiver.always = behaviour
    text = press(boss, "test", add_endpoint(world, receiver.url).pk).content.decode()
    assert words in text
    assert "did not arrive" in text


def test_what_the_receiver_answers_is_not_echoed(world, boss, receiver):
    receiver.always = receiving.answer(500, b"<script>inner secrets</script>")
    assert "inner secrets" not in press(boss, "test", add_endpoint(world, receiver.url).pk).content.decode()


def test_a_test_to_an_inner_address_is_refused_before_anything_is_sent(world, boss, receiver, settings):
    settings.OUTBOUND_ALLOW_LOOPBACK = False
    text = press(boss, "test", add_endpoint(world, f"https://localhost:{receiver.port}/").pk).content.decode()
    assert "not public" in text
    assert receiver.requests == []


def test_a_test_switches_nothing_off(world, boss, receiver):
    receiver.always = receiving.answer(410)
    endpoint = add_endpoint(world, receiver.url)
    assert "To a test it does not" in press(boss, "test", endpoint.pk).content.decode()
    assert WebhookEndpoint.objects.get().is_active


def test_a_secret_that_cannot_sign_is_told_and_not_a_fault(world, boss, receiver):
    endpoint = add_endpoint(world, receiver.url, secret="whsec_x")
    assert "make a new one" in press(boss, "test", endpoint.pk).content.decode()
    assert receiver.requests == []


@pytest.mark.django_db(transaction=True)
def test_the_buttons_work_outside_a_transaction_as_in_production(receiver):
    world = make_world("acme")
    boss = sign_in(world.person("ines", Role.TENANT_ADMIN))
    endpoint = add_endpoint(world, receiver.url)
    world.submit()
    delivery = Delivery.objects.filter(endpoint=endpoint).first()
    for button in BUTTONS:
        assert press(boss, button, endpoint.pk).status_code in (200, 302), button
    Delivery.objects.filter(pk=delivery.pk).update(state=State.DEAD)
    assert boss.post(f"{DELIVERIES}{delivery.pk}/resend/").status_code == 302
    delivery.refresh_from_db()
    assert delivery.state == State.PENDING


# --- switched off -----------------------------------------------------------------------------------------------------


def test_an_endpoint_that_its_receiver_switched_off_says_so(world, boss, receiver):
    receiver.always = receiving.answer(410)
    endpoint = add_endpoint(world, receiver.url)
    world.submit()
    deliveries.sweep(seconds=5)
    endpoint.refresh_from_db()
    assert not endpoint.is_active
    for url in (page(endpoint), ENDPOINTS):
        assert "the receiver answered 410 Gone" in text_of(boss, url)
    press(boss, "new_secret", endpoint.pk)
    found = webhooks.with_switch_off(WebhookEndpoint.objects.all()).get()
    assert found.off_reason == "the receiver answered 410 Gone", "a later change does not hide it"
    assert found.off_by == system_actor().pk


def test_an_endpoint_that_is_on_again_has_no_reason_to_be_off(world):
    endpoint = add_endpoint(world)
    for is_active, reason in ((False, "moving house"), (True, "moved"), (False, "closed for good")):
        endpoint.is_active = is_active
        endpoint.save_as(system_actor(), reason)
        found = webhooks.with_switch_off(WebhookEndpoint.objects.all()).get()
        assert found.off_reason == (None if is_active else reason)


# --- deliveries -------------------------------------------------------------------------------------------------------


def delivery_of(world: World, **changes) -> Delivery:
    add_endpoint(world)
    world.submit(resume_token="thread-42")
    delivery = Delivery.objects.get(event__kind="case.opened")
    Delivery.objects.filter(pk=delivery.pk).update(**changes)
    return delivery


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Not tried yet"),
        ({"attempts": 3, "last_error": "The receiver answered 500.", "last_status": 500}, "3 of 13 attempts failed"),
        ({"is_held": True}, "actions have ended"),
        ({"state": State.DEAD, "attempts": 13}, "Given up after 13 of 13"),
        ({"state": State.DELIVERED, "attempts": 1}, "The receiver has it"),
        ({"state": State.CANCELLED}, "never sent"),
    ],
)
def test_a_delivery_says_how_it_stands_and_what_comes_next(world, boss, changes, words):
    text = text_of(boss, f"{DELIVERIES}{delivery_of(world, **changes).pk}/change/")
    assert words in text
    assert changes.get("last_error", "") in text


def test_a_delivery_shows_its_body_without_what_is_told_to_the_caller_only(world, boss):
    delivery = delivery_of(world)
    context = boss.get(f"{DELIVERIES}{delivery.pk}/change/").context
    body = json.loads(context["body"])
    assert (body["type"], body["id"]) == ("case.opened", delivery.event.wire_id)
    assert body["data"]["case_id"] == delivery.event.case.wire_id
    assert "thread-42" not in context["body"]


def test_the_body_of_an_outcome_is_shown(world, boss):
    add_endpoint(world)
    world.submit(signals=SURE)
    delivery = Delivery.objects.get(event__kind="case.auto_approved")
    body = json.loads(boss.get(f"{DELIVERIES}{delivery.pk}/change/").context["body"])
    assert body["data"]["outcome"]["verdict"] == "accept"


def test_text_in_a_body_is_shown_and_never_run(world, boss):
    add_endpoint(world)
    world.submit(signals=SURE, model_draft="<script>alert(1)</script>\u202egnp.exe")
    delivery = Delivery.objects.get(event__kind="case.auto_approved")
    text = text_of(boss, f"{DELIVERIES}{delivery.pk}/change/")
    assert "<script>alert" not in text
    assert "U+202E" in text


def test_the_list_is_filtered_by_state_and_by_endpoint(world, boss):
    near, far = add_endpoint(world), add_endpoint(world, "https://b.example/hook")
    world.submit()
    Delivery.objects.filter(endpoint=far).update(state=State.DEAD)
    for query in ("state__exact=dead", f"endpoint={far.pk}"):
        shown = boss.get(f"{DELIVERIES}?{query}").context["cl"].result_list
        assert {delivery.endpoint_id for delivery in shown} == {far.pk}, query
    assert f"endpoint={near.pk}" in text_of(boss, page(near))


def test_all_that_was_given_up_is_sent_again_at_once(world, boss, receiver):
    receiver.always = receiving.answer(200)
    endpoint = add_endpoint(world, receiver.url)
    for _ in range(3):
        world.submit()
    Delivery.objects.update(state=State.DEAD, attempts=13)
    other = add_endpoint(world, "https://b.example/hook")
    kept = Delivery.objects.create(
        event=CaseEvent.objects.first(), endpoint=other, state=State.DEAD, next_attempt_at="2020-01-01T00:00:00Z"
    )
    assert "Send all again" in text_of(boss, page(endpoint))
    assert "3 will be sent again" in said(press(boss, "resend", endpoint.pk))
    deliveries.sweep(seconds=5)
    assert len(receiver.requests) == 3
    assert set(Delivery.objects.filter(endpoint=endpoint).values_list("state", flat=True)) == {State.DELIVERED}
    kept.refresh_from_db()
    assert kept.state == State.DEAD


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("button", BUTTONS)
def test_who_only_looks_presses_no_button_and_the_attempt_is_kept(world, receiver, button):
    endpoint = add_endpoint(world, receiver.url)
    cleo = sign_in(world.compliance)
    text = text_of(cleo, page(endpoint))
    assert "Send a test" not in text
    assert "Make a new secret" not in text
    assert press(cleo, button, endpoint.pk).status_code == 403
    assert Denial.objects.get().permission == "change_webhook"
    assert receiver.requests == []
    assert WebhookEndpoint.objects.get().secret == endpoint.secret


@pytest.mark.parametrize("button", BUTTONS)
def test_a_reviewer_and_an_outsider_find_no_endpoint(world, outsider, receiver, button):
    endpoint = add_endpoint(world, receiver.url)
    for client in (sign_in(world.reviewer), outsider):
        theirs, nobodys = press(client, button, endpoint.pk), press(client, button, new_id())
        assert (
            (theirs.status_code, theirs["Location"]) == (nobodys.status_code, nobodys["Location"]) == (302, "/admin/")
        )
    assert receiver.requests == []
    assert WebhookEndpoint.objects.get().secret == endpoint.secret


@pytest.mark.parametrize("service", [webhooks.send_test, webhooks.rotate_secret, webhooks.resend_given_up])
def test_the_services_ask_for_the_right_themselves(world, receiver, service):
    endpoint = add_endpoint(world, receiver.url)
    with pytest.raises(Denied):
        service(endpoint.pk, actor=world.compliance)
    assert receiver.requests == []


def test_an_outsider_finds_neither_the_delivery_nor_the_endpoint_to_filter_by(world, outsider):
    delivery = delivery_of(world, state=State.DEAD)
    assert "a.example" not in text_of(outsider, f"{DELIVERIES}?endpoint={delivery.endpoint_id}")
    for pk in (delivery.pk, new_id()):
        assert outsider.get(f"{DELIVERIES}{pk}/change/").status_code == 302
        assert outsider.post(f"{DELIVERIES}{pk}/resend/").status_code == 302
    delivery.refresh_from_db()
    assert delivery.state == State.DEAD


@pytest.mark.parametrize("button", BUTTONS)
def test_a_look_presses_no_button(world, boss, receiver, button):
    endpoint = add_endpoint(world, receiver.url)
    assert boss.get(reverse(f"admin:cases_webhookendpoint_{button}", args=[endpoint.pk])).status_code == 403
    assert receiver.requests == []
