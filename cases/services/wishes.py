"""What is asked of a second person about policies, where the tenant wants four eyes on them."""

from ..models import Policy, User
from ..rules import Rules
from ..vocabulary import FourEyes
from .changes import Second, SecondNeeded, Wish, needed

CONDITION = ("name", "position", "trigger", "expression", "is_active")


def wish_of(policy: Policy, *, actor: User, reason: str) -> Wish:
    """What publishing ``policy`` would bring. Its conditions are read as the caller's transaction holds them."""
    document, is_new = policy.document(), policy._state.adding
    Rules.from_document(document)  # Nobody is asked to confirm what could not be put in force.
    last = None if is_new else policy.versions.order_by("-number").first()
    return Wish(
        kind="policy",
        tenant=policy.tenant,
        right="change_policy",
        subject=policy,
        document={
            "domain": policy.domain,
            "fields": {name: value for name, value in document.items() if name != "conditions"},
            "conditions": None if is_new else list(policy.conditions.values(*CONDITION)),
        },
        actor=actor,
        reason=reason,
        before=last.document if last else {},
        after=document,
        is_new=is_new,
    )


def require_second(policy: Policy, *, actor: User, reason: str, second: Second | None) -> None:
    """Raise ``SecondNeeded`` where the tenant asks for four eyes on policies."""
    if needed(policy.tenant, FourEyes.POLICY, actor, second):
        raise SecondNeeded(wish_of(policy, actor=actor, reason=reason))
