"""How long the demo's tenants keep texts, what they hold, and a request that was answered."""

from cases.models import Case, RetentionRule, Tenant, User
from cases.services import erasure, holds
from cases.services.subjects import Subject
from cases.states import State

TEN_YEARS = 3_650  # days


def decide_on_texts(tenant: Tenant, actor: User) -> None:
    """A period, a hold on a rejected case, and the receipt of a request under which nothing was held."""
    RetentionRule(tenant=tenant, case_days=TEN_YEARS).save_as(actor, "As long as claims can be brought.")
    case = Case.objects.real().filter(tenant=tenant, state=State.REJECTED).order_by("-id").first()
    if case is not None:
        holds.place(tenant, case=case, reason="Our lawyers were asked about this refusal.", actor=actor)
    subject = Subject(tenant, reference="never-a-customer")
    erasure.erase(subject, actor=actor, reason="Letter of a person of whom nothing is held.")
