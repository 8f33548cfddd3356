"""Tenants, accounts and their tokens; ``members`` has the memberships and the role groups behind them."""

from datetime import timedelta

import structlog
from django.db import transaction
from knox.models import AuthToken

from ..clock import db_now
from ..errors import CountersignError, IllegalState, NotPermitted
from ..history import current_request
from ..models import Membership, Tenant, User
from ..models.people import system_actor
from ..permissions import require, require_platform
from ..vocabulary import Role
from .members import add_member, role_group
from .members import assign_roles as assign_roles  # Offered here too, with what else makes people.

log = structlog.get_logger(__name__)

TOKEN_LIFE = timedelta(days=90)
LONGEST_TOKEN_LIFE = timedelta(days=365)


class NotYourToken(NotPermitted):
    """Whoever holds a person's token acts as that person: signs as them, too."""

    code = "not_your_token"


class AccountClosed(IllegalState):
    code = "account_closed"
    title = "This account is closed"


class TokenLife(CountersignError):
    code = "token_life"
    title = "A token cannot live as long as this"


def ensure_system_actor(**kwargs) -> None:
    """After each migrate: the row that everything automatic is recorded under."""
    system = system_actor()
    User.objects.get_or_create(
        pk=system.pk,
        defaults={
            "username": system.username,
            "first_name": system.first_name,
            "kind": system.kind,
            "is_active": False,
            "password": "!",
        },
    )


@transaction.atomic
def create_tenant(*, actor: User, slug: str, name: str, **settings) -> Tenant:
    """A tenant with its role groups. Automation stays off until somebody resumes it; it needs a policy and queues.

    For platform admins: raises ``Denied`` for anybody else, and Django's ``ValidationError``.
    """
    require_platform(actor, "add_tenant")
    tenant = Tenant(slug=slug, name=name, **settings)
    tenant.full_clean()
    tenant.save_as(actor, "tenant created")
    for role in Role:
        role_group(tenant, role)
    return tenant


@transaction.atomic
def create_service_account(tenant: Tenant, *, actor: User, username: str, name: str = "") -> User:
    """A machine's account: the role Integration, no password, and so no way in but a token.

    Where the tenant wants two people for roles, it comes without it, and the role waits. Raises ``Denied``, and
    Django's ``ValidationError`` for a name that is taken or malformed.
    """
    require(actor, "change_people", tenant)
    account = User(username=username, first_name=name, kind=User.AccountKind.SERVICE)
    account.set_unusable_password()
    account.full_clean()
    account.save()
    place = Membership(user=account, tenant=tenant, roles=[Role.INTEGRATION.value])
    add_member(place, actor=actor, reason="service account created")
    return account


@transaction.atomic
def issue_token(user: User, *, actor: User, tenant: Tenant | None = None, life: timedelta = TOKEN_LIFE) -> str:
    """A new API token; its plain text is returned once and only its digest is kept.

    A person's is made by that person alone, and by who has the server's shell: with it one acts as them, and two people
    would be one. A service account's opens every tenant that it belongs to, so that whoever makes one may change people
    in all of them, and in ``tenant`` where one is named. Raises ``Denied``, ``NotYourToken``, ``AccountClosed``,
    ``TokenLife``.
    """
    _require_account(actor, user, tenant)
    if user.is_person and actor.pk != user.pk and not actor.is_system:
        raise NotYourToken(f"Only {user} makes their own tokens, on the page My tokens. None was made.")
    if not user.is_active:
        raise AccountClosed("This account is closed: its tokens do not work, and it gets no new one.")
    if not timedelta(0) < life <= LONGEST_TOKEN_LIFE:
        raise TokenLife(f"A token lives at most {LONGEST_TOKEN_LIFE.days} days. None was made.")
    row, token = AuthToken.objects.create(user=user, expiry=life)
    _trace(user, actor, f"API token {row.token_key}… issued, works until {row.expiry:%Y-%m-%d %H:%M} UTC")
    return token


@transaction.atomic
def revoke_token(user: User, token_key: str, *, actor: User) -> None:
    """End the token of ``user`` that begins with ``token_key``, at once; one that is gone already is no error.

    One's own, or of an account whose people one may change. Raises ``Denied``.
    """
    _require_account(actor, user, None)
    _, deleted = AuthToken.objects.filter(user=user, token_key=token_key).delete()
    if deleted:
        _trace(user, actor, f"API token {token_key}… revoked")


def _require_account(actor: User, user: User, tenant: Tenant | None) -> None:
    if actor.pk == user.pk and user.is_person:
        return
    places = set(Tenant.objects.filter(memberships__user=user))
    if user.is_superuser or not places:
        require_platform(actor, "change_people")
    for place in places | ({tenant} if tenant else set()):
        require(actor, "change_people", place)


def _trace(user: User, actor: User, what: str) -> None:
    """Stand ``what`` in the history of each place that the account has; its token opens them all.

    A platform admin without a membership has no history of their own: the log keeps the line, as for everybody.
    """
    places = Membership.objects.select_for_update(no_key=True).filter(user=user).order_by("pk")
    Membership.history.bulk_history_create(
        places,
        update=True,
        default_user=actor,
        default_change_reason=what,
        default_date=db_now(),
        custom_historical_attrs={"request_id": current_request()},
    )
    log.info("account_token", account=str(user.pk), actor=str(actor.pk), what=what)
