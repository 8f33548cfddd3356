"""Action types in the back office: schema, executor, its secret and its version, and a preview tried."""

from collections.abc import Iterator

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from approvals.executors import NoExecutor
from approvals.models import ActionType
from approvals.services import types
from cases.ids import new_id
from cases.models import Denial, User
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.signing import new_secret
from cases.vocabulary import Role
from tests.cases.receiver import Receiver, answer
from tests.threads import failures, in_parallel
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db
TYPES = "/admin/approvals/actiontype/"
BUTTONS = ("new_secret", "remove_previous", "try")
SCHEMA = '{"type": "object", "properties": {"order_id": {"type": "string", "maxLength": 20}}, "required": ["order_id"]}'
RULES = {f"impact_rules-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
PREVIEW = b'{"binding": {"already_refunded": "0.00"}, "info": {"note": "<b>low</b>"}}'


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def world(db, settings) -> World:
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    settings.ACTION_EXECUTORS = {"refunds": "tests.approvals.test_python_executor.Good"}
    return make_world("acme")


@pytest.fixture
def boss(world) -> Client:
    return sign_in(world.person("ines", Role.TENANT_ADMIN))


@pytest.fixture
def outsider(db) -> Client:
    return sign_in(make_world("other").person("oscar", Role.TENANT_ADMIN, Role.SUPERVISOR, Role.COMPLIANCE))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(always=answer(200, PREVIEW, {"Content-Type": "application/json"})) as receiver:
        yield receiver


def make_type(world: World, url: str = "https://pay.example/acme", **fields) -> ActionType:
    kind = ActionType(tenant=world.tenant, name="issue_refund", title="Refund", schema={"type": "object"})
    kind.executor_kind, kind.executor, kind.executor_secret = "http", url, new_secret()
    for name, value in fields.items():
        setattr(kind, name, value)
    types.publish(kind, actor=system_actor(), reason="created")
    return kind


def entered(world: World, kind: ActionType | None = None, **changes: str) -> dict[str, str]:
    """What the page of an action type posts."""
    data = {"title": "Refund", "schema": SCHEMA, "is_active": "on", "executor_kind": "http", "reason": "r"} | RULES
    data |= {"executor": "https://pay.example/acme", "executor_timeout_seconds": "10"}
    if kind is None:
        data |= {"tenant": str(world.tenant.pk), "name": "issue_refund"}
    else:
        data["seen"] = str(kind.history.latest("history_id").pk)
    return data | changes


def url_of(button: str, key) -> str:
    return reverse(f"admin:approvals_actiontype_{button}", args=[key])


def errors_of(response) -> str:
    assert response.status_code == 200
    return str(response.context["adminform"].form.errors)


# --- what is saved --------------------------------------------------------------------------------------------------


def test_the_first_secret_is_in_one_answer_and_nowhere_else(world, boss):
    response = boss.post(f"{TYPES}add/", entered(world))
    kind = ActionType.objects.get()
    assert kind.executor_secret.startswith("whsec_") and kind.executor_secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    for page in ("", f"{kind.pk}/change/", f"{kind.pk}/history/", f"{kind.pk}/try/"):
        assert "whsec_" not in boss.get(f"{TYPES}{page}").content.decode()
    assert "whsec_" not in str(boss.cookies) + str(dict(boss.session))
    assert not hasattr(kind.history.first(), "executor_secret")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"executor": ""}, "names no host|must begin with https"),
        ({"executor": "https://169.254.169.254/x"}, "not public"),
        ({"executor": "https://me:pw@pay.example/"}, "user name or password"),
        ({"executor": "https://pay.example/x?y=1"}, "ends with its path"),
        ({"executor_kind": "manual"}, "leave the address empty"),
        ({"executor_kind": "python", "executor": "os.system"}, "Choose one of: refunds"),
        ({"executor_kind": "shell"}, "valid choice"),
        ({"executor_timeout_seconds": "31"}, "less than or equal to 30"),
        ({"schema": '{"type": "object", "type": "object"}'}, "twice"),
        ({"schema": '{"type": "array"}'}, "is an object|are an object"),
        ({"schema": '{"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}'}, "too many ways"),
        ({"schema": '{"type": "object", "properties": {"a": {"$ref": "https://x.example/"}}}'}, "leads elsewhere"),
    ],
)
def test_what_cannot_work_is_refused_at_its_field(world, boss, changes, words):
    found = errors_of(boss.post(f"{TYPES}add/", entered(world, **changes)))
    assert any(one in found for one in words.split("|")), found
    assert not ActionType.objects.exists()


def test_a_change_of_what_would_run_raises_the_version_and_any_other_does_not(world, boss):
    kind = make_type(world, schema={"type": "object", "properties": {}})
    same = '{"properties": {}, "type": "object"}'
    versions = []
    for changes in (
        {"schema": same, "title": "Money back"},
        {"schema": same, "executor_timeout_seconds": "7"},
        {"schema": SCHEMA},
        {"executor": "https://pay.example/v2"},
        {"executor": "https://pay.example/v2", "honours_keys": "on"},
        {"executor_kind": "python", "executor": "refunds", "honours_keys": "on"},
    ):
        response = boss.post(f"{TYPES}{kind.pk}/change/", entered(world, kind, **changes))
        assert response.status_code == 302, errors_of(response)
        kind.refresh_from_db()
        versions.append(kind.executor_version)
    assert versions == [1, 1, 2, 3, 4, 5]
    assert kind.history.first().executor_version == 5


@pytest.mark.django_db(transaction=True)
def test_two_changes_at_once_raise_the_version_twice():
    world = make_world("acme")
    kind = make_type(world)

    def change(number: int):
        own = ActionType.objects.get(pk=kind.pk)
        own.executor = f"https://pay.example/{number}"
        return types.publish(own, actor=system_actor(), reason="moved")

    assert not failures(in_parallel([lambda n=n: change(n) for n in range(4)]))
    kind.refresh_from_db()
    assert kind.executor_version == 5


# --- the secret -----------------------------------------------------------------------------------------------------


def test_the_secret_before_signs_along_until_it_is_removed(world, boss, receiver):
    kind = make_type(world, receiver.url)
    old = kind.executor_secret
    response = boss.post(url_of("new_secret", kind.pk))
    kind.refresh_from_db()
    assert kind.executor_secret in response.content.decode() and kind.executor_previous_secret == old
    ask = {"params-rest": "{}"}
    boss.post(url_of("try", kind.pk), ask)
    assert receiver.requests[-1].json(old, kind.executor_secret)
    boss.post(url_of("remove_previous", kind.pk))
    boss.post(url_of("try", kind.pk), ask)
    assert not receiver.requests[-1].is_signed_with(old)
    kind.refresh_from_db()
    assert kind.executor_version == 1  # What would run is the same.


def test_an_ordinary_save_keeps_the_secret(world, boss):
    kind = make_type(world)
    boss.post(f"{TYPES}{kind.pk}/change/", entered(world, kind, title="Other"))
    assert ActionType.objects.get().executor_secret == kind.executor_secret


# --- a trial --------------------------------------------------------------------------------------------------------


def test_a_trial_shows_what_the_executor_says_and_stores_nothing(world, boss, receiver):
    kind = make_type(world, receiver.url, schema={"type": "object", "properties": {"order_id": {"type": "string"}}})
    page = url_of("try", kind.pk)
    assert "Order id" in boss.get(page).content.decode() and not receiver.requests
    text = boss.post(page, {"params-order_id": "o_1", "amount": "42.00", "currency": "usd"}).content.decode()
    assert "Already refunded" in text and "&lt;b&gt;low" in text and "<b>low" not in text
    sent = receiver.requests[0].json(kind.executor_secret)
    assert sent == {
        "action_id": sent["action_id"],
        "revision": 1,
        "action": "issue_refund",
        "tenant": "acme",
        "customer_id": None,
        "executor": sent["executor"],
        "params": {"order_id": "o_1"},
        "amount": "42.00",
        "currency": "USD",
    }
    assert not world.tenant.actions.exists()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"amount": "42.00"}, "together"),
        ({"amount": "-1", "currency": "USD"}, "above 0"),
        ({"amount": "NaN", "currency": "USD"}, "above 0"),
        ({"amount": "1.005", "currency": "USD"}, "no more digits than USD"),
        ({"amount": "1", "currency": "XXX"}, "ISO 4217"),
        ({"params-rest": '{"a": NaN}'}, "NaN"),
    ],
)
def test_a_trial_with_a_wrong_entry_asks_nobody(world, boss, receiver, typed, words):
    kind = make_type(world, receiver.url)
    assert words in boss.post(url_of("try", kind.pk), typed).content.decode()
    assert not receiver.requests


def test_a_trial_without_an_answer_says_why(world, boss, receiver):
    receiver.always = answer(500, b"<script>alert(1)</script>")
    kind = make_type(world, receiver.url)
    text = boss.post(url_of("try", kind.pk), {"params-rest": "{}"}).content.decode()
    assert "There is no preview" in text and "500" in text and "alert(1)" not in text


def test_a_type_without_an_executor_says_so(world, boss):
    kind = make_type(world, "", executor_kind="manual", executor_secret="")
    assert "carried out by hand" in boss.post(url_of("try", kind.pk), {"params-rest": "{}"}).content.decode()
    with pytest.raises(NoExecutor):
        types.try_preview(kind.pk, params={}, amount=None, currency=None, actor=system_actor())


# --- who may --------------------------------------------------------------------------------------------------------


def test_an_outsider_cannot_tell_another_tenants_type_from_one_that_does_not_exist(world, outsider, receiver):
    kind = make_type(world, receiver.url)
    before = (kind.executor_secret, kind.executor_previous_secret)
    for button in BUTTONS:
        answers = []
        for key in (kind.pk, new_id()):
            response = outsider.post(url_of(button, key), {"params-rest": "{}"})
            said = [str(message).replace(str(key), "KEY") for message in get_messages(response.wsgi_request)]
            answers.append((response.status_code, response.get("Location"), said[-1:]))
        assert answers[0] == answers[1] and answers[0][0] == 302, button
    kind.refresh_from_db()
    assert (kind.executor_secret, kind.executor_previous_secret) == before
    assert not receiver.requests


def test_who_may_only_look_gets_no_trial_and_no_secret(world, receiver):
    kind = make_type(world, receiver.url)
    approver = world.person("emil", Role.APPROVER)
    client = sign_in(approver)
    text = client.get(f"{TYPES}{kind.pk}/change/").content.decode()
    assert "Try a preview" not in text and "new-secret" not in text
    for button in BUTTONS:
        client.post(url_of(button, kind.pk), {"params-rest": "{}"})
    assert client.get(url_of("try", kind.pk)).status_code == 403
    assert not receiver.requests and Denial.objects.count() >= 2
    for service in (types.rotate_secret, types.remove_previous_secret):
        with pytest.raises(Denied):
            service(kind.pk, actor=approver)


def test_buttons_are_posts(world, boss):
    kind = make_type(world)
    for button in ("new_secret", "remove_previous"):
        assert boss.get(url_of(button, kind.pk)).status_code == 403


def test_a_page_that_is_out_of_date_overwrites_nothing(world, boss):
    kind = make_type(world)
    data = entered(world, kind)
    types.rotate_secret(kind.pk, actor=system_actor())
    assert "saved this at" in str(boss.post(f"{TYPES}{kind.pk}/change/", data).context["errors"])
