"""Getting in: the second step, backup codes, who must have a second factor, lockout, and how long a session lasts."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from axes.models import AccessAttempt
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from cases.admin.sessions import CLOCK
from cases.client_address import client_address
from cases.models import AccessEvent, BackupCode, User
from cases.services import access
from cases.services.second_factor import HELD, USED
from tests.cases.test_step_up import MANAGE, code_of, enrolled, signed_in
from tests.worlds import PASSWORD, World, make_world

pytestmark = pytest.mark.django_db

HOME, LOGIN, STEP, MINE = "/admin/", "/admin/login/", "/admin/second-step/", "/admin/cases/user/my-account/"
Kind = AccessEvent.Kind


@pytest.fixture(autouse=True)
def few_tries(settings) -> None:
    settings.AXES_FAILURE_LIMIT = 3


@pytest.fixture
def world() -> World:
    return make_world("acme")


@pytest.fixture
def device(world) -> TOTPDevice:
    return enrolled(signed_in(world.reviewer), world.reviewer)


def kinds_of(user: User) -> list[str]:
    return list(AccessEvent.objects.filter(user=user).order_by("id").values_list("kind", flat=True))


def calm() -> None:
    """Let the device forget its own pause after a wrong code."""
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)


def access_page(user: User) -> str:
    return reverse("admin:cases_user_access", args=[user.pk])


# --- the second step --------------------------------------------------------------------------------------------------


def test_who_has_a_second_factor_gets_in_by_password_and_code_and_not_by_one_of_them(world, device):
    client = Client()
    response = client.post(LOGIN, {"username": world.reviewer.username, "password": PASSWORD, "next": "/admin/health/"})
    assert response["Location"] == STEP
    assert client.get(HOME)["Location"].startswith(LOGIN)
    calm()
    assert client.post(STEP, {"code": "000000" if code_of(device, 1) != "000000" else "1" * 6}).status_code == 403
    assert client.get(HOME)["Location"].startswith(LOGIN)
    calm()
    assert client.post(STEP, {"code": code_of(device, 1)})["Location"] == "/admin/health/"
    assert client.get(HOME).status_code == 200
    assert AccessEvent.objects.filter(kind=Kind.SIGNED_IN).latest("id").way == "password, code"


def test_a_code_without_the_first_step_is_nothing(world, device):
    assert Client().post(STEP, {"code": code_of(device, 1)})["Location"] == LOGIN


def test_the_first_step_is_forgotten_after_five_minutes_and_after_a_new_password(world, device):
    for forget in ("late", "password"):
        client = signed_in(world.reviewer)
        session = client.session
        if forget == "late":
            session[HELD] = session[HELD] | {"at": "2020-01-01T00:00:00+00:00"}
            session.save()
        else:
            world.reviewer.set_password("another correct horse")
            world.reviewer.save()
        assert client.post(STEP, {"code": code_of(device, 1)})["Location"] == LOGIN, forget


def test_wrong_codes_lock_out_as_wrong_passwords_do(world, device, settings):
    client = signed_in(world.reviewer)
    for _ in range(settings.AXES_FAILURE_LIMIT):
        last = client.post(STEP, {"code": "abcdef"})
    assert last.status_code == 429
    calm()
    client = Client()
    assert client.post(LOGIN, {"username": world.reviewer.username, "password": PASSWORD}).status_code == 429
    assert kinds_of(world.reviewer).count(Kind.LOCKED) == 1


def test_a_backup_code_signs_in_once_and_is_kept_as_a_digest(world):
    client = signed_in(world.reviewer)
    client.post(MANAGE, {"add": "1", "password": PASSWORD})
    page = client.post(MANAGE, {"prove": "1", "code": code_of(TOTPDevice.objects.get())}).content.decode()
    codes = re.findall(r"<li>([a-z2-7]{5}-[a-z2-7]{5})</li>", page)
    assert len(set(codes)) == BackupCode.objects.count() == 10
    assert not BackupCode.objects.filter(digest__contains=codes[0].replace("-", "")).exists()
    assert codes[0] not in client.get(MANAGE).content.decode()
    first, second = signed_in(world.reviewer), signed_in(world.reviewer)
    assert first.post(STEP, {"code": f" {codes[0].upper()} "})["Location"] == HOME
    assert second.post(STEP, {"code": codes[0]}).status_code == 403
    assert BackupCode.objects.filter(used_at=None).count() == 9
    assert Kind.CODE_USED in kinds_of(world.reviewer)


def test_a_backup_code_of_somebody_else_is_worth_nothing(world, device):
    other = signed_in(world.colleague)
    other.post(MANAGE, {"add": "1", "password": PASSWORD})
    proven = TOTPDevice.objects.get(user=world.colleague)
    page = other.post(MANAGE, {"prove": "1", "code": code_of(proven)}).content.decode()
    code = re.search(r"<li>([a-z2-7]{5}-[a-z2-7]{5})</li>", page)[1]
    assert signed_in(world.reviewer).post(STEP, {"code": code}).status_code == 403


def test_enrolling_draws_the_secret_as_an_image_within_the_page(world):
    client = signed_in(world.reviewer)
    client.post(MANAGE, {"add": "1", "password": PASSWORD})
    page = client.get(MANAGE).content.decode()
    assert "<svg" in page
    assert "style=" not in page.split("<svg", 1)[1].split("</svg>")[0]


# --- who must have one ------------------------------------------------------------------------------------------------


def test_a_role_that_the_tenant_names_adds_a_second_factor_before_anything_else(world):
    world.tenant.second_factor_roles = ["reviewer"]
    world.tenant.save_as(world.supervisor, "stricter")
    client = signed_in(world.reviewer)
    for path in (HOME, "/admin/cases/case/", MINE):
        assert client.get(path)["Location"] == MANAGE, path
    assert signed_in(world.supervisor).get(HOME).status_code == 200, "another role"
    client.post(MANAGE, {"add": "1", "password": PASSWORD})
    client.post(MANAGE, {"prove": "1", "code": code_of(TOTPDevice.objects.get())})
    assert client.get(HOME).status_code == 200


def test_a_session_from_before_the_rule_is_asked_for_the_code(world, device):
    client = Client()
    client.force_login(world.reviewer, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(HOME).status_code == 200
    world.tenant.second_factor_roles = ["reviewer"]
    world.tenant.save_as(world.supervisor, "stricter")
    assert client.get(HOME)["Location"].startswith("/admin/step-up/?next=")
    calm()
    assert client.post("/admin/step-up/", {"password": PASSWORD, "code": code_of(device, 1)}).status_code == 302
    assert client.session[USED]
    assert client.get(HOME).status_code == 200


def test_an_installation_may_ask_everybody(world, settings):
    settings.SECOND_FACTOR_REQUIRED = True
    root = User(username="olga", is_superuser=True, is_staff=True)
    root.set_password(PASSWORD)
    root.save()
    for user in (root, world.supervisor):
        assert signed_in(user).get(HOME)["Location"] == MANAGE


# --- lockout ----------------------------------------------------------------------------------------------------------


def test_a_locked_name_and_an_unknown_one_read_the_same(world, settings):
    answers = []
    for name in (world.reviewer.username, "nobody-at-all"):
        client = Client()
        for _ in range(settings.AXES_FAILURE_LIMIT - 1):
            answer = client.post(LOGIN, {"username": name, "password": "wrong"})
            assert answer.status_code == 200
        assert "correct username and password" in answer.content.decode()
        answers.append(client.post(LOGIN, {"username": name, "password": "wrong"}))
    assert [answer.status_code for answer in answers] == [429, 429]
    assert answers[0].content == answers[1].content
    assert b"15 minutes" in answers[0].content


def test_a_lock_is_of_one_address_and_an_admin_takes_it_away_with_a_reason(world, settings):
    settings.TRUSTED_PROXIES = 1
    tara, client = world.person("tara", "tenant_admin"), Client()
    guesser = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7"}
    wrong = {"username": world.reviewer.username, "password": "wrong"}
    for _ in range(settings.AXES_FAILURE_LIMIT):
        last = client.post(LOGIN, wrong, headers=guesser)
    assert last.status_code == 429
    assert access.locks_of(world.reviewer).get().ip_address == "203.0.113.7"
    right = wrong | {"password": PASSWORD}
    assert client.post(LOGIN, right, headers={"X-Forwarded-For": "198.51.100.1"}).status_code == 302
    client = Client()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        client.post(LOGIN, wrong, headers=guesser)
    page = signed_in(tara)
    assert "Locked out" in page.get(access_page(world.reviewer)).content.decode()
    page.post(access_page(world.reviewer), {"unlock": "1", "reason": " "})
    assert AccessAttempt.objects.exists()
    page.post(access_page(world.reviewer), {"unlock": "1", "reason": "called me"})
    assert client.post(LOGIN, right, headers=guesser).status_code == 302
    event = AccessEvent.objects.get(kind=Kind.UNLOCKED)
    assert (event.user, event.actor, event.reason) == (world.reviewer, tara, "called me")


@pytest.mark.parametrize(
    ("proxies", "header", "expected"),
    [
        (0, "203.0.113.7", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        (2, "6.6.6.6, 203.0.113.7, 10.0.0.9", "203.0.113.7"),
        (2, "203.0.113.7", "10.0.0.1"),
        (1, "<script>", None),
    ],
)
def test_an_address_is_what_our_own_proxies_say(rf, settings, proxies, header, expected):
    settings.TRUSTED_PROXIES = proxies
    request = rf.get("/", REMOTE_ADDR="10.0.0.1", **({"HTTP_X_FORWARDED_FOR": header} if header else {}))
    assert client_address(request) == expected


# --- reset ------------------------------------------------------------------------------------------------------------


def test_an_admin_resets_a_lost_second_factor_with_a_reason_and_ends_the_sessions(world, device):
    tara = world.person("tara", "tenant_admin")
    lost = Client()
    lost.force_login(world.reviewer, backend="django.contrib.auth.backends.ModelBackend")
    assert lost.get(HOME).status_code == 200
    admin = signed_in(tara)
    admin.post(access_page(world.reviewer), {"reset": "1"})
    assert TOTPDevice.objects.exists(), "without a reason nothing happens"
    admin.post(access_page(world.reviewer), {"reset": "1", "reason": "phone stolen"})
    assert not TOTPDevice.objects.exists()
    assert not BackupCode.objects.exists()
    assert lost.get(HOME).status_code == 302
    assert signed_in(world.reviewer).get(HOME).status_code == 200
    assert AccessEvent.objects.get(kind=Kind.FACTOR_RESET).reason == "phone stolen"


def test_nobody_resets_their_own_second_factor(world):
    tara = world.person("tara", "tenant_admin")
    client = signed_in(tara)
    enrolled(client, tara)
    client.post(access_page(tara), {"reset": "1", "reason": "lazy"})
    assert TOTPDevice.objects.filter(user=tara).exists()


def test_only_who_may_change_a_person_everywhere_sees_and_helps_them(world):
    outsider = make_world("other").person("oscar", "tenant_admin")
    missing = signed_in(outsider).get(access_page(User()))
    theirs = signed_in(outsider).get(access_page(world.reviewer))
    assert (theirs.status_code, theirs["Location"]) == (missing.status_code, missing["Location"])
    signed_in(outsider).post(access_page(world.reviewer), {"end": "1", "reason": "mine"})
    assert signed_in(world.supervisor).get(access_page(world.reviewer)).status_code == 403
    world.reviewer.refresh_from_db()
    assert world.reviewer.session_epoch == 0


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_signing_out_everywhere_ends_every_other_session_and_keeps_this_one(world):
    here, there = signed_in(world.reviewer), signed_in(world.reviewer)
    assert here.post(f"{MINE}sign-out-everywhere/").status_code == 302
    assert here.get(HOME).status_code == 200
    assert there.get(HOME).status_code == 302
    assert kinds_of(world.reviewer) == [Kind.SIGNED_IN, Kind.SIGNED_IN, Kind.SESSIONS_ENDED]


@pytest.mark.parametrize(("key", "limit"), [("seen", timedelta(minutes=60)), ("began", timedelta(hours=12))])
def test_a_session_ends_when_it_is_idle_and_when_it_is_old(world, key, limit):
    client = signed_in(world.reviewer)
    assert client.get(HOME).status_code == 200
    for late, expected in ((timedelta(seconds=-30), 200), (timedelta(seconds=1), 302)):
        session = client.session
        clock = session[CLOCK]
        session[CLOCK] = clock | {key: int(clock[key] - (limit + late).total_seconds())}
        if key == "seen" and late < timedelta(0):
            assert client.get(HOME).status_code == 200
        session.save()
        assert client.get(HOME).status_code == expected, (key, late)
        if expected == 200:
            session = client.session
            session[CLOCK] = clock
            session.save()
    assert "You were signed out" in client.get(LOGIN).content.decode()
    assert AccessEvent.objects.get(kind=Kind.SIGNED_OUT).reason


def test_ones_own_page_tells_of_ones_own_door_and_of_nobody_elses(world, device):
    client = signed_in(world.colleague)
    page = client.get(MINE).content.decode()
    assert "No second factor." in page
    assert "Signed in" in page
    assert world.reviewer.username not in page
    assert Client().get(MINE)["Location"].startswith(LOGIN)


def test_the_record_of_the_door_is_not_rewritten(world):
    signed_in(world.reviewer)
    for change in (lambda rows: rows.update(reason="x"), lambda rows: rows.delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change(AccessEvent.objects.all())


def test_the_shell_unlocks_too(world):
    AccessAttempt.objects.create(username=world.reviewer.username, failures_since_start=3, ip_address="203.0.113.7")
    out = StringIO()
    call_command("unlock", world.reviewer.username, reason="called the desk", stdout=out)
    assert "from 1 address are" in out.getvalue()
    assert not AccessAttempt.objects.exists()
    with pytest.raises(CommandError, match="no person"):
        call_command("unlock", "nobody", reason="x")


def test_compliance_reads_the_doors_of_its_own_people_only(world):
    other = make_world("other")
    signed_in(other.reviewer)
    signed_in(world.reviewer)
    page = signed_in(world.compliance).get(reverse("admin:cases_accessevent_changelist")).content.decode()
    assert world.reviewer.username in page or str(world.reviewer) in page
    event = AccessEvent.objects.get(user=other.reviewer)
    theirs = signed_in(world.compliance).get(reverse("admin:cases_accessevent_change", args=[event.pk]))
    nobodys = signed_in(world.compliance).get(reverse("admin:cases_accessevent_change", args=[987654321]))
    assert theirs["Location"] == nobodys["Location"]
    assert signed_in(world.reviewer).get(reverse("admin:cases_accessevent_changelist")).status_code == 403
