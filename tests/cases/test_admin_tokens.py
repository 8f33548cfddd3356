"""API tokens in the back office and from the shell: who may, how long, shown once, ended at once, on record."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken

from cases.models import Membership, User
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import people
from cases.vocabulary import Role
from tests.worlds import PASSWORD, World, make_world

pytestmark = pytest.mark.django_db

MINE = "/admin/cases/user/my-tokens/"
ADD_SERVICE = "/admin/cases/user/add-service/"
PLAIN = re.compile(r"cs_[0-9a-f]{64}")


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def tokens_of(user: User) -> str:
    return reverse("admin:cases_user_tokens", args=[user.pk])


def issued(response) -> str:
    """The one token that ``response`` shows in plain text."""
    (token,) = set(PLAIN.findall(response.content.decode()))
    return token


def opens(token: str) -> bool:
    return Client().get("/api/v1/cases/", headers={"Authorization": f"Token {token}"}).status_code == 200


def reasons(user: User) -> list[str]:
    rows = Membership.history.filter(user_id=user.pk).order_by("history_id")
    return [row.history_change_reason for row in rows if "API token" in row.history_change_reason]


@pytest.fixture
def world(db) -> World:
    return make_world("acme")


@pytest.fixture
def admin(world) -> User:
    return world.person("ines", Role.TENANT_ADMIN)


@pytest.fixture
def outsider(db) -> User:
    """Somebody who may do everything, in another tenant."""
    return make_world("other").person("oscar", Role.TENANT_ADMIN, Role.SUPERVISOR, Role.COMPLIANCE)


@pytest.fixture
def platform_admin(db) -> User:
    olga = User(username="olga", is_superuser=True, is_staff=True)
    olga.save()
    return olga


# --- one's own ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["reviewer", "supervisor", "compliance"])
def test_everybody_finds_their_own_tokens_in_the_header(world, who):
    client = sign_in(getattr(world, who))
    assert f'href="{MINE}"' in client.get("/admin/").content.decode()
    assert "You have no token" in client.get(MINE).content.decode()


def test_a_token_is_shown_once_and_works(world):
    client = sign_in(world.reviewer)
    response = client.post(MINE, {"days": 30})
    token = issued(response)
    assert response.status_code == 200, "no redirect: it would have to carry the token"
    assert "no-store" in response["Cache-Control"]
    assert opens(token)
    row = AuthToken.objects.get(user=world.reviewer)
    assert row.expiry - row.created == pytest.approx(timedelta(days=30), abs=timedelta(seconds=5))
    for page in (MINE, "/admin/"):
        text = client.get(page).content.decode()
        assert token not in text
    assert token[:15] in client.get(MINE).content.decode()
    assert token not in str(client.cookies) + str(dict(client.session))
    assert not list(get_messages(response.wsgi_request))


def test_ninety_days_are_offered_and_a_year_is_the_most(world):
    client = sign_in(world.reviewer)
    assert 'value="90"' in client.get(MINE).content.decode()
    for days in ("366", "0", "-1", "9" * 30, "x", ""):
        response = client.post(MINE, {"days": days})
        assert response.status_code == 200
        assert response.context["form"].errors, days
    assert not AuthToken.objects.exists()


def test_the_service_holds_the_longest_life_too(world):
    for life in (timedelta(days=365, seconds=1), timedelta(0)):
        with pytest.raises(people.TokenLife):
            people.issue_token(world.reviewer, actor=world.reviewer, life=life)


def test_revoking_asks_first_and_ends_the_token_at_once(world):
    client = sign_in(world.reviewer)
    kept, ended = issued(client.post(MINE, {"days": 90})), issued(client.post(MINE, {"days": 90}))
    url = f"{MINE}{ended[:15]}/revoke/"
    assert "cannot be undone" in client.get(url).content.decode()
    assert opens(ended)
    assert client.post(url)["Location"] == MINE
    assert (opens(ended), opens(kept)) == (False, True)
    assert client.post(url)["Location"] == MINE, "twice is no fault"


def test_a_token_of_somebody_else_is_not_found_under_ones_own(world):
    token = issued(sign_in(world.colleague).post(MINE, {"days": 90}))
    assert sign_in(world.reviewer).post(f"{MINE}{token[:15]}/revoke/").status_code == 302
    assert opens(token)


def test_a_form_from_elsewhere_issues_nothing(world):
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.reviewer, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(MINE, {"days": 90}).status_code == 403
    assert not AuthToken.objects.exists()


def test_an_ended_token_is_listed_as_such(world):
    AuthToken.objects.create(user=world.reviewer, expiry=timedelta(seconds=-1))
    assert "ended" in sign_in(world.reviewer).get(MINE).content.decode()


# --- somebody else's ------------------------------------------------------------------------------------------------


def test_a_tenant_admin_issues_and_revokes_a_service_accounts_token(world, admin):
    client, url = sign_in(admin), tokens_of(world.service)
    assert f'href="{url}"' in client.get(f"/admin/cases/user/{world.service.pk}/change/").content.decode()
    token = issued(client.post(url, {"days": 365}))
    assert opens(token)
    assert client.post(f"{url}{token[:15]}/revoke/")["Location"] == url
    assert not opens(token)


def test_who_issued_and_revoked_what_stands_in_the_append_only_history(world, admin):
    client = sign_in(admin)
    token = issued(client.post(tokens_of(world.service), {"days": 90}))
    client.post(f"{tokens_of(world.service)}{token[:15]}/revoke/")
    made, ended = reasons(world.service)
    assert made.startswith(f"API token {token[:15]}… issued, works until ")
    assert ended == f"API token {token[:15]}… revoked"
    rows = Membership.history.filter(history_change_reason__startswith="API token")
    assert {row.history_user_id for row in rows} == {admin.pk}
    assert all(token not in reason for reason in reasons(world.service))
    place = Membership.objects.get(user=world.service)
    assert "revoked" in client.get(f"/admin/cases/membership/{place.pk}/history/").content.decode()


@pytest.mark.parametrize("who", ["reviewer", "supervisor", "compliance"])
def test_nobody_else_sees_or_makes_another_accounts_tokens(world, who):
    token = people.issue_token(world.service, actor=system_actor())
    client, url = sign_in(getattr(world, who)), tokens_of(world.service)
    for answer in (client.get(url), client.post(url, {"days": 90}), client.post(f"{url}{token[:15]}/revoke/")):
        assert answer.status_code in (302, 403)
        assert token[:15] not in answer.content.decode()
    assert AuthToken.objects.count() == 1


@pytest.mark.parametrize("who", ["reviewer", "supervisor", "compliance"])
def test_the_services_ask_for_the_right_themselves(world, who):
    actor = getattr(world, who)
    token = people.issue_token(world.service, actor=system_actor())
    with pytest.raises(Denied):
        people.issue_token(world.service, actor=actor)
    with pytest.raises(Denied):
        people.revoke_token(world.service, token[:15], actor=actor)
    with pytest.raises(Denied):
        people.create_service_account(world.tenant, actor=actor, username="bot")


def test_an_outsider_cannot_tell_an_account_from_one_that_does_not_exist(world, outsider):
    token = people.issue_token(world.service, actor=system_actor())
    client, key = sign_in(outsider), token[:15]
    theirs, nobodys = str(world.service.pk), "01990a1b-2c3d-7e4f-8a9b-0c1d2e3f4a5b"
    for method in ("get", "post"):
        for rest in ("tokens/", f"tokens/{key}/revoke/"):
            answers = [getattr(client, method)(f"/admin/cases/user/{pk}/{rest}") for pk in (theirs, nobodys)]
            assert {answer.status_code for answer in answers} == {302}
            assert {answer["Location"] for answer in answers} == {"/admin/"}
            said = [str(message) for answer in answers for message in get_messages(answer.wsgi_request)]
            assert said[-2].replace(theirs, "") == said[-1].replace(nobodys, "")
    assert opens(token)


def test_a_token_for_an_account_of_two_tenants_is_made_by_neither_admin_alone(world, admin, outsider):
    other = outsider.memberships.get().tenant
    people.assign_roles(world.reviewer, other, [], actor=system_actor())
    for actor in (admin, outsider):
        assert sign_in(actor).post(tokens_of(world.reviewer), {"days": 90}).status_code == 403
        with pytest.raises(Denied):
            people.issue_token(world.reviewer, actor=actor, tenant=actor.memberships.get().tenant)
    assert issued(sign_in(world.reviewer).post(MINE, {"days": 90}))
    assert len(reasons(world.reviewer)) == 2, "it opens both, so both places say so"


def test_nobody_but_another_of_them_makes_a_platform_admins_token(world, admin, platform_admin):
    people.assign_roles(platform_admin, world.tenant, [Role.SUPERVISOR], actor=system_actor())
    assert sign_in(admin).post(tokens_of(platform_admin), {"days": 90}).status_code == 302
    with pytest.raises(Denied):
        people.issue_token(platform_admin, actor=admin, tenant=world.tenant)
    assert opens(issued(sign_in(platform_admin).post(MINE, {"days": 90})))


def test_a_service_account_makes_no_token_for_itself(world):
    with pytest.raises(Denied):
        people.issue_token(world.service, actor=world.service)


# --- accounts that ended ----------------------------------------------------------------------------------------------


def test_a_closed_accounts_token_opens_nothing_and_it_gets_no_new_one(world, admin):
    token = people.issue_token(world.service, actor=system_actor())
    User.objects.filter(pk=world.service.pk).update(is_active=False)
    assert not opens(token)
    client, url = sign_in(admin), tokens_of(world.service)
    assert "This account is closed" in client.get(url).content.decode()
    client.post(url, {"days": 90})
    assert AuthToken.objects.count() == 1
    assert client.post(f"{url}{token[:15]}/revoke/").status_code == 302
    assert not AuthToken.objects.exists(), "and what it has can still be revoked"


def test_the_token_of_a_member_who_left_finds_nothing(world):
    world.submit()
    token = people.issue_token(world.reviewer, actor=world.reviewer)
    Membership.objects.filter(user=world.reviewer).update(is_active=False)
    ask = {"headers": {"Authorization": f"Token {token}"}}
    assert Client().get("/api/v1/cases/", **ask).json()["results"] == []
    claim = Client().post("/api/v1/queues/claim/", {}, content_type="application/json", **ask)
    assert claim.status_code in (403, 404)
    assert Client().get("/api/v1/automation/", **ask).status_code in (403, 404)


# --- service accounts -------------------------------------------------------------------------------------------------


def test_a_service_account_is_made_in_one_form_and_its_token_comes_next(world, admin):
    client = sign_in(admin)
    assert f'href="{ADD_SERVICE}"' in client.get("/admin/cases/user/").content.decode()
    data = {"username": "shop-bot", "first_name": "Shop assistant", "tenant": str(world.tenant.pk)}
    response = client.post(ADD_SERVICE, data)
    bot = User.objects.get(username="shop-bot")
    assert response["Location"] == tokens_of(bot)
    assert (bot.kind, bot.is_staff, bot.is_superuser, bot.has_usable_password()) == ("service", False, False, False)
    assert [place.roles for place in bot.memberships.all()] == [["integration"]]
    token = issued(client.post(tokens_of(bot), {"days": 90}))
    payload = {"domain": "billing", "user_question": "Refund after 40 days?", "model_draft": "Yes."}
    ask = {"content_type": "application/json", "headers": {"Authorization": f"Token {token}"}}
    assert Client().post("/api/v1/cases/", payload, **ask).status_code == 201


@pytest.mark.parametrize("username", ["rita@acme", "with space", "", "x" * 151])
def test_a_name_that_is_taken_or_malformed_makes_no_account(world, admin, username):
    before = User.objects.count()
    response = sign_in(admin).post(ADD_SERVICE, {"username": username, "tenant": str(world.tenant.pk)})
    assert response.status_code == 200
    assert response.context["form"].errors["username"]
    assert User.objects.count() == before


def test_no_service_account_is_made_in_another_tenant(world, outsider):
    client = sign_in(outsider)
    assert "acme" not in client.get(ADD_SERVICE).content.decode().lower()
    response = client.post(ADD_SERVICE, {"username": "spy", "tenant": str(world.tenant.pk)})
    assert response.context["form"].errors["tenant"]
    assert not User.objects.filter(username="spy").exists()


@pytest.mark.parametrize("who", ["reviewer", "supervisor", "compliance"])
def test_only_who_may_change_people_makes_a_service_account(world, who):
    client = sign_in(getattr(world, who))
    assert client.get(ADD_SERVICE).status_code == 403
    assert client.post(ADD_SERVICE, {"username": "spy", "tenant": str(world.tenant.pk)}).status_code == 403
    assert not User.objects.filter(username="spy").exists()


def test_a_person_is_not_given_the_role_of_a_machine(world, admin):
    data = {"username": "nina", "tenant": str(world.tenant.pk), "roles": ["integration"], "usable_password": "true"}
    response = sign_in(admin).post(
        "/admin/cases/user/add/", data | {"password1": PASSWORD, "password2": PASSWORD, "kind": "service"}
    )
    assert response.status_code == 200
    with pytest.raises(ValidationError):
        people.create_service_account(world.tenant, actor=admin, username="rita@acme")


# --- the shell --------------------------------------------------------------------------------------------------------


def test_the_command_prints_a_working_token_alone_and_once(world):
    out, err = StringIO(), StringIO()
    call_command("token", "acme-service", "--days", "7", stdout=out, stderr=err)
    token = out.getvalue().strip()
    assert PLAIN.fullmatch(token)
    assert opens(token)
    assert "7 days" in err.getvalue()
    assert token not in err.getvalue()
    row = AuthToken.objects.get()
    assert row.expiry - row.created == pytest.approx(timedelta(days=7), abs=timedelta(seconds=5))
    assert Membership.history.get(history_change_reason__contains="API token").history_user_id == system_actor().pk


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "no account called nobody"),
        (["acme-service", "--days", "366"], "choose 1 to 365"),
        (["acme-service", "--days", "0"], "choose 1 to 365"),
        (["system"], "closed"),
    ],
)
def test_the_command_says_what_is_wrong(world, arguments, words):
    with pytest.raises(CommandError, match=words):
        call_command("token", *arguments, stdout=StringIO(), stderr=StringIO())
    assert not AuthToken.objects.exists()
