"""How the demo's people came in, and what waits for a second person, so that neither page is empty."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.db import transaction

from approvals.models import ApprovalAuthority
from approvals.services import authorities
from cases.clock import pretend_now
from cases.models import AccessEvent, ChangeRequest, Membership, Tenant, User
from cases.models.people import system_actor
from cases.services import changes
from cases.vocabulary import FourEyes, Role

TENANT = "skylark"  # asks for a second person where authority over money changes
MORNING = timedelta(hours=7, minutes=40)
Kind = AccessEvent.Kind


def furnish(tenants: Mapping[str, Tenant], administrator: User, now: datetime) -> None:
    """A change that was refused, one that waits, and a working week at the door."""
    tenant = tenants[TENANT]
    tenant.four_eyes = [FourEyes.AUTHORITY]
    tenant.save_as(system_actor(), "Agreed with compliance: authority over money changes by two people")
    asker, supervisor = _first(tenant, Role.TENANT_ADMIN), _first(tenant, Role.SUPERVISOR)
    limits = ApprovalAuthority.objects.filter(tenant=tenant, max_amount__gt=0).order_by("max_amount")
    with pretend_now(now - timedelta(days=9)):
        asked = ask_a_second_person(
            lambda: authorities.grant(limits.last(), supervisor, actor=asker, reason="Quicker at weekends")
        )
    with pretend_now(now - timedelta(days=8, hours=22)):
        changes.refuse(asked.pk, actor=administrator, reason="Two approvers are on call at weekends")
    with pretend_now(now - timedelta(hours=3)):
        ask_a_second_person(
            lambda: authorities.grant(limits.first(), supervisor, actor=asker, reason="Covers the summer holidays")
        )
    _week(tenants.values(), asker, now)


def ask_a_second_person(change: Callable[[], object]) -> ChangeRequest:
    """As a page does it: what the change needs is asked for once the change itself is rolled back."""
    try:
        with transaction.atomic():
            change()
    except changes.SecondNeeded as needed:
        return changes.ask(needed.wish)
    raise AssertionError("This tenant asks for a second person.")


def _first(tenant: Tenant, role: Role) -> User:
    places = Membership.objects.filter(tenant=tenant, roles__contains=[role]).select_related("user")
    return places.order_by("user__username").first().user


def _week(tenants, admin: User, now: datetime) -> None:
    """Everybody signed in on each of the last mornings; one of them locked themselves out once."""
    events = []
    for place in Membership.objects.filter(tenant__in=tenants, user__kind="person").select_related("user"):
        seat = int(place.user.pk) % 200 + 10
        for day in range(5, 0, -1):
            at = now - timedelta(days=day) + MORNING / 8 * (seat % 8)
            events.append(
                AccessEvent(
                    user=place.user,
                    actor=place.user,
                    kind=Kind.SIGNED_IN,
                    at=at,
                    way="password",
                    address=f"203.0.113.{seat}",
                )
            )
    late = _first(Tenant.objects.get(slug=TENANT), Role.REVIEWER)
    at = now - timedelta(days=2)
    address = "198.51.100.23"
    events += [
        AccessEvent(user=late, actor=system_actor(), kind=Kind.FAILED, at=at - timedelta(seconds=n), address=address)
        for n in (95, 61, 20)
    ]
    events += [
        AccessEvent(user=late, actor=system_actor(), kind=Kind.LOCKED, at=at, address=address),
        AccessEvent(
            user=late,
            actor=admin,
            kind=Kind.UNLOCKED,
            at=at + timedelta(minutes=6),
            reason="Rang from the desk: new keyboard, wrong layout",
            address=address,
        ),
    ]
    AccessEvent.objects.bulk_create(sorted(events, key=lambda event: event.at))
