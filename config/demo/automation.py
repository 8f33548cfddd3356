"""What a demo tenant watches and tries beside its automation, and what its customers read."""

from datetime import datetime, time

from django.db.models import F, Q

from cases.models import (
    BreakerRule,
    Case,
    CustomerNotice,
    CustomerNoticeSettings,
    CustomerTemplate,
    InterimTemplate,
    Policy,
    Tenant,
    User,
)
from cases.services import breakers, opt_outs
from feedback.models import ShadowPolicy
from feedback.services import shadows

REASON = "demo world"
WANTS_NO_MORE = ("acme", "cust_7004")  # a tenant and one of its customers

INTERIM = {
    "acme": (
        ("billing", "", "Thank you for writing. A colleague is checking your order and its payment right now."),
        ("billing", "de", "Danke für Ihre Nachricht. Eine Kollegin prüft gerade Ihre Bestellung und die Zahlung."),
        ("", "", "Thank you for writing. A person is looking at your question."),
    ),
    "wellspring": (("", "", "Thank you for your message. A person is reading it. In an emergency call 112 or 911."),),
}
ANSWERED = "Hello,\n\n{answer}\n\n{company}, about {reference}\n\nNo more of these: {opt_out}"
TEXTS = (
    ("received", "", "We have your message", "Hello,\n\n{promise}\n\n{company}\n\nNo more of these: {opt_out}", ""),
    (
        "decided",
        "",
        "Your answer from {company}",
        ANSWERED,
        "Hello,\n\nwe looked at your request and cannot do what you asked for. Write back and a person explains why."
        "\n\n{company}\n\nNo more of these: {opt_out}",
    ),
    (
        "decided",
        "de",
        "Ihre Antwort von {company}",
        "Guten Tag,\n\n{answer}\n\n{company}, zu {reference}\n\nKeine weiteren Nachrichten: {opt_out}",
        "",
    ),
    ("delayed", "", "It takes longer", "Hello,\n\n{promise}\n\n{company}\n\nNo more of these: {opt_out}", ""),
)
WHOLE = {"by_domain": False, "by_release": False, "baseline_cases": 20}  # A demo has few cases to learn from.
BREAKERS = {
    "acme": (
        {"name": "Corrections", "watches": "overrides"} | WHOLE,
        {"name": "Refused refunds", "watches": "denials", "domain": "billing", "decision": "deny", "action": "trip"},
    ),
    "skylark": ({"name": "Tools", "watches": "tool_failures", "shift": 0.15} | WHOLE,),
    "wellspring": ({"name": "Straight through", "watches": "automatic", "looks": "both"} | WHOLE,),
}


def dress(tenant: Tenant, actor: User) -> None:
    """Before its first case: interim answers for all, and for one tenant letters and a bolder policy in the shadow."""
    for domain, locale, text in INTERIM.get(tenant.slug, ()):
        InterimTemplate(tenant=tenant, domain=domain, locale=locale, text=text).save_as(actor, REASON)
    if tenant.slug == "acme":
        _letters(tenant, actor)
        _shadow(tenant, actor)


def watch(tenant: Tenant, actor: User) -> None:
    """After its past, of which breakers learn what is usual; and one customer has had enough letters."""
    for fields in BREAKERS.get(tenant.slug, ()):
        breakers.save_rule(BreakerRule(tenant=tenant, **fields), actor=actor, reason=REASON)
    slug, reference = WANTS_NO_MORE
    if tenant.slug == slug:
        case = next(
            case
            for case in Case.objects.filter(tenant=tenant).select_related("content").order_by("opened_at")
            if (case.content.text.get("customer") or {}).get("reference") == reference
        )
        opt_outs.store(opt_outs.link_for(case).rstrip("/").rpartition("/")[2], wants_notices=False)


def letters_went_out(now: datetime) -> None:
    """What was due in the past was read in the past: no letter goes out when a demo starts."""
    over = Q(case__open_actions=0, case__final_at__lte=now) | ~Q(occasion="decided")
    waiting = CustomerNotice.objects.filter(over, state=CustomerNotice.State.WAITING, next_attempt_at__lte=now)
    keys = list(waiting.values_list("pk", flat=True))
    CustomerNotice.objects.filter(pk__in=keys).update(
        state=CustomerNotice.State.SENT, attempts=1, sent_at=F("next_attempt_at")
    )


def _letters(tenant: Tenant, actor: User) -> None:
    rules = CustomerNoticeSettings(tenant=tenant, is_on=True, quiet_from=time(21), quiet_until=time(7))
    rules.save_as(actor, REASON)
    for occasion, locale, subject, text, without in TEXTS:
        letter = CustomerTemplate(
            tenant=tenant, occasion=occasion, locale=locale, subject=subject, text=text, text_without_answer=without
        )
        letter.full_clean()
        letter.save_as(actor, REASON)


def _shadow(tenant: Tenant, actor: User) -> None:
    policy = Policy.objects.get(tenant=tenant, domain="")
    document = policy.document() | {"auto_approve_above": 0.9, "quick_review_from": 0.6}
    shadows.start(
        ShadowPolicy(tenant=tenant, policy=policy, name="What if 0.90 were enough?", document=document),
        actor=actor,
        reason="To see what a lower threshold would let through",
    )
