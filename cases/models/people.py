"""Who acts: people, service accounts and the system itself."""

from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.crypto import salted_hmac
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from ..history import Tracked, tracked
from ..ids import new_id
from ..vocabulary import Role
from .tenants import Tenant

SYSTEM_ID = UUID("00000000-0000-7000-8000-000000000001")


class User(AbstractUser):
    """One identity, whoever or whatever holds it."""

    class AccountKind(models.TextChoices):
        PERSON = "person", "Person"
        SERVICE = "service", "Service account"
        SYSTEM = "system", "System"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=7, choices=AccountKind, default=AccountKind.PERSON)
    oidc_subject = models.CharField(
        max_length=255,
        null=True,
        blank=True,
        unique=True,
        help_text="One person, one identity at the sign-in provider.",
    )
    session_epoch = models.PositiveIntegerField(
        default=0, editable=False, help_text="Part of every session's seal: a higher one ends them all."
    )

    class Meta(AbstractUser.Meta):
        default_permissions = ()

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's, of the password, and the epoch: so that all sessions of one person can be ended without a list."""
        sealed = f"{self.password}:{self.session_epoch}"
        return salted_hmac("cases.models.people.session", sealed, secret=secret, algorithm="sha256").hexdigest()

    @property
    def is_person(self) -> bool:
        return self.kind == self.AccountKind.PERSON

    @property
    def is_service(self) -> bool:
        return self.kind == self.AccountKind.SERVICE

    @property
    def is_system(self) -> bool:
        return self.pk == SYSTEM_ID


def system_actor() -> User:
    """The actor of everything that nobody asked for just now; its row is made after each migrate. No query."""
    user = User(
        id=SYSTEM_ID, username="system", first_name="Countersign", kind=User.AccountKind.SYSTEM, is_active=False
    )
    user._state.adding = False
    return user


class MembershipQuerySet(models.QuerySet):
    def away(self, at) -> "MembershipQuerySet":
        """Of those who are away at ``at``, an instant or a database function; an absence without an end goes on."""
        return self.filter(models.Q(away_until=None) | models.Q(away_until__gt=at), away_from__lte=at, is_active=True)


class Membership(Tracked):
    """A user's place in a tenant. ``roles`` name its role groups; ``services.members`` keeps them in step."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="memberships")
    roles = ArrayField(models.CharField(max_length=20, choices=Role), default=list, blank=True)
    is_active = models.BooleanField(default=True)
    away_from = models.DateTimeField(null=True, blank=True)
    away_until = models.DateTimeField(null=True, blank=True)
    delegate = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Stands in while this person is away.",
    )

    history = tracked()
    objects = MembershipQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("user", "tenant"), name="one_membership_per_tenant"),
            models.CheckConstraint(
                condition=models.Q(away_until=None) | models.Q(away_from__lt=models.F("away_until")),
                name="away_ends_after_it_began",
            ),
            models.CheckConstraint(
                condition=~models.Q(delegate=models.F("user")), name="nobody_delegates_to_themselves"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} at {self.tenant}"

    def is_away(self, at) -> bool:
        if self.away_from is None or at < self.away_from:
            return False
        return self.away_until is None or at < self.away_until


class TenantUserPermission(UserObjectPermissionBase):
    """guardian's direct rows: a right of one user over one tenant."""

    content_object = models.ForeignKey(Tenant, on_delete=models.CASCADE)


class TenantGroupPermission(GroupObjectPermissionBase):
    """guardian's direct rows: a right of one role group over one tenant."""

    content_object = models.ForeignKey(Tenant, on_delete=models.CASCADE)
