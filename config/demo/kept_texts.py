"""How long the demo's tenants keep texts and audit rows, what they hold, and a request that was answered."""

from cases.models import Case, Membership, RetentionRule, Tenant, User
from cases.models.people import system_actor
from cases.services import erasure, holds, periods
from cases.services.subjects import Subject
from cases.states import State
from cases.vocabulary import FourEyes, Role

from .doors import ask_a_second_person

TEN_YEARS, THREE_YEARS = 3_650, 1_096  # days
CAREFUL = "acme"  # keeps less only by two people


def decide_on_texts(tenant: Tenant, actor: User) -> None:
    """A period, a hold on a rejected case, and the receipt of a request under which nothing was held."""
    RetentionRule(tenant=tenant, case_days=TEN_YEARS).save_as(actor, "As long as claims can be brought.")
    case = Case.objects.real().filter(tenant=tenant, state=State.REJECTED).order_by("-id").first()
    if case is not None:
        holds.place(tenant, case=case, reason="Our lawyers were asked about this refusal.", actor=actor)
    subject = Subject(tenant, reference="never-a-customer")
    erasure.erase(subject, actor=actor, reason="Letter of a person of whom nothing is held.")
    if tenant.slug == CAREFUL:
        _keep_less(tenant)


def _keep_less(tenant: Tenant) -> None:
    """A period for audit rows that waits for a second person."""
    tenant.refresh_from_db()
    tenant.four_eyes = [FourEyes.RECORDS]
    tenant.save_as(system_actor(), "Agreed with compliance: less is kept only by two people")
    asker = (
        Membership.objects.filter(tenant=tenant, roles__contains=[Role.COMPLIANCE]).order_by("user__username").first()
    )
    rule = RetentionRule.objects.select_related("tenant").get(tenant=tenant)
    rule.audit_days = THREE_YEARS
    ask_a_second_person(lambda: periods.save_rule(rule, actor=asker.user, reason="As our works council agreed"))
