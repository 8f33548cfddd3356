"""What became of the demo's corrections: most of them labelled, one disputed, and exports on their way.

After the world is there for all to see: an export holds what has been committed.
"""

from collections.abc import Iterable

from cases.models import Tenant, User
from cases.nudges import nudge
from cases.permissions import allowed
from config.demo.tenants import Plan
from feedback.kinds import Kind
from feedback.labels import Label, suggest
from feedback.models import Review
from feedback.services import exports, labels

EVERY = 4  # Every fourth is left for the visitor.
NOTE = "The rule held for the sale alone."
WISHES = ((Kind.OVERRIDES, "jsonl"), (Kind.PREFERENCE_PAIRS, "trl_prompt_chosen_rejected"), (Kind.GOLDEN_EVALS, "csv"))
WEEKLY = "feedback.tasks.export_overrides"


def hand_over(plans: Iterable[Plan]) -> None:
    """Label what was corrected, and ask for exports; a worker makes the files."""
    for plan in plans:
        tenant = Tenant.objects.get(slug=plan.slug)
        usernames = [person.username for person in plan.people]
        people = list(User.objects.filter(username__in=usernames).order_by("username"))
        labellers = [user for user in people if allowed(user, "label_review", tenant)]
        if labellers:
            _label(tenant, labellers)
        for exporter in [user for user in people if allowed(user, "export_data", tenant)][:1]:
            for kind, format in WISHES:
                exports.request(tenant, kind=kind, format=format, actor=exporter)
    nudge(WEEKLY)


def _label(tenant: Tenant, labellers: list[User]) -> None:
    first, second = labellers[0], labellers[-1]
    rows = Review.objects.corrections().filter(tenant=tenant).select_related("content").order_by("pk")
    for number, review in enumerate(rows):
        if number % EVERY == EVERY - 1:
            continue
        suggestion = suggest(review.content.text)
        chosen = suggestion.label if suggestion else Label.MODEL_ERROR
        if number == 1 and first != second:  # Two who see it differently.
            labels.label(review.pk, Label.TEMPORARY_POLICY, actor=second, note=NOTE)
        labels.label(review.pk, chosen, actor=first)
