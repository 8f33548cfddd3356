"""Cases end to end, drawn by a seed that is told, and the seals over it all."""

from collections.abc import Iterator
from itertools import chain

from django.db.models import Count, F, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.expressions import Exists, Func
from django.db.models.functions import Cast, Concat, TruncDate

from cases import audit_keys
from cases.models import AuditRemoval, Case, CaseEvent, HeadReceipt, Seal, SealVerification
from cases.seals import digest
from cases.states import State
from queues.models import Claim

from ..datasets.customers import CustomerFields, Scrubber
from ..models import Review
from ..timeline import timeline
from .tables import CHUNK, Rows, Section, Table, Window, within
from .working import events

EACH = 4  # cases of a kind
ERASED = "erased"


# --- sample cases -----------------------------------------------------------------------------------------------------


def samples(window: Window) -> Iterator[tuple[str, Case]]:
    """The same cases for the same seed, ``EACH`` of a kind; real ones whose outcome is final."""
    final = Case.objects.real().filter(
        tenant=window.tenant, final_at__lte=window.as_of, open_actions=0, **within(window, "opened_at")
    )
    overridden = Review.objects.corrections(window.as_of).filter(case=OuterRef("pk"))
    kinds = {
        "approved automatically": final.filter(state=State.AUTO_APPROVED),
        "approved as drafted": final.filter(state=State.APPROVED).exclude(Exists(overridden)),
        "overridden": final.filter(Exists(overridden)),
        "rejected": final.filter(state=State.REJECTED).exclude(Exists(overridden)),
    }
    for words, cases in kinds.items():
        for case in _drawn(cases, window.seed).with_text().select_related("current_draft__policy_version"):
            yield words, case


def _drawn(cases: QuerySet[Case], seed: str) -> QuerySet[Case]:
    """In the order of SHA-256 over the seed and the case's key, in text."""
    text = Concat(Value(seed), Cast(F("pk"), TextField()))
    lot = Func(Func(text, Value("UTF8"), function="convert_to"), function="sha256")
    keys = list(cases.order_by(lot).values_list("pk", flat=True)[:EACH])
    return Case.objects.filter(pk__in=keys).order_by("pk")


def sample_cases(window: Window) -> Rows:
    how = CustomerFields(window.tenant.export_customer)
    for words, case in samples(window):
        draft, asked = case.current_draft, case.content
        scrubber = Scrubber(asked.text.get("customer"), how)
        final = case.final_content.text if case.final_content_id else {}
        yield {
            "case_id": case.wire_id,
            "drawn_as": words,
            "opened_at": case.opened_at,
            "domain": case.domain,
            "risk": case.risk,
            "release": str(draft.release),
            "policy_version": draft.policy_version.number if draft.policy_version_id else None,
            "confidence": draft.confidence,
            "contributions": draft.contributions,
            "route": draft.route,
            "triggers": draft.triggers,
            "reason": draft.reason,
            "state": case.state,
            "decided_by": case.decided_by,
            "decided_at": case.decided_at,
            "customer": scrubber.fields(),
            "question": ERASED if asked.is_erased else scrubber.clean(asked.text.get("user_question", "")),
            "draft": ERASED if draft.content.is_erased else scrubber.clean(draft.content.text.get("model_draft", "")),
            "final_answer": scrubber.clean(final.get("final_answer", "")),
            "final_decision": case.final_decision,
        }


def sample_timeline(window: Window) -> Rows:
    how = CustomerFields(window.tenant.export_customer)
    for _, case in samples(window):
        scrubber = Scrubber(case.content.text.get("customer"), how)
        lines = timeline(
            CaseEvent.objects.filter(case=case, at__lt=window.as_of).select_related("actor", "note").order_by("pk"),
            Claim.objects.filter(case=case, claimed_at__lt=window.as_of).select_related("user").order_by("pk"),
            Review.objects.filter(case=case, created_at__lt=window.as_of).select_related("reviewer").order_by("pk"),
        )
        for line in lines:
            yield {
                "case_id": case.wire_id,
                "at": line.at,
                "what": line.what,
                "who": line.who,
                "detail": scrubber.clean(line.detail),
            }


def event_counts(window: Window) -> Rows:
    counted = events(window).order_by().values("kind").annotate(n=Count("pk")).order_by("kind")
    for row in counted:
        yield {"event": row["kind"], "means": CaseEvent.Kind(row["kind"]).label, "times": row["n"]}


# --- seals ------------------------------------------------------------------------------------------------------------


def seals(window: Window) -> Rows:
    """Each header with what a look at it says: its digest, its signature, the seal before it."""
    keys = audit_keys.trusted_keys()
    before: bytes | None = None
    found = Seal.objects.filter(**within(window, "sealed_at")).order_by("number")
    for seal in found.defer("contents").iterator(chunk_size=CHUNK):
        header, known = bytes(seal.header), keys.get(seal.key_id)
        is_chained = before is None or bytes(seal.previous) == before
        is_whole = digest(header) == bytes(seal.digest)
        is_signed = known is not None and audit_keys.is_signed(known, header, seal.signature)
        before = bytes(seal.digest)
        yield {
            "seal": seal.number,
            "sealed_at": seal.sealed_at,
            "sha256": seal.hex,
            "key": seal.key_id,
            "is_signed": is_signed,
            "is_chained": is_chained and is_whole,
            "header": header.decode(),
            "signature": bytes(seal.signature).hex(),
        }


def seals_by_day(window: Window) -> Rows:
    found = Seal.objects.filter(**within(window, "sealed_at")).annotate(day=TruncDate("sealed_at"))
    for row in found.values("day").annotate(n=Count("pk")).order_by("day"):
        yield {"day": row["day"].isoformat(), "seals": row["n"]}


def verifications(window: Window) -> Rows:
    ended = SealVerification.objects.filter(ended_at__lte=window.as_of)
    inside = ended.filter(**within(window, "ended_at")).order_by("pk")
    after = ended.filter(ended_at__gte=window.until).order_by("pk")[:1]
    for row in chain(inside.iterator(chunk_size=CHUNK), after):
        yield {
            "started_at": row.started_at,
            "ended_at": row.ended_at,
            "result": "everything verified" if not row.findings else f"{len(row.findings)} findings",
            "findings": row.findings,
        }


def published_heads(window: Window) -> Rows:
    told = HeadReceipt.objects.filter(Q(tenant=window.tenant) | Q(tenant=None), **within(window, "at"))
    for row in told.select_related("seal").order_by("pk").iterator(chunk_size=CHUNK):
        yield {"seal": row.seal_id, "sha256": row.seal.hex, "at": row.at, "published_as": row.get_way_display()}


def removals(window: Window) -> Rows:
    found = AuditRemoval.objects.filter(tenant=window.tenant, **within(window, "at"))
    for row in found.order_by("pk").iterator(chunk_size=CHUNK):
        yield {
            "at": row.at,
            "rows": row.rows,
            "table": row.table,
            "seal": row.seal_id,
            "kept_for_days": row.period_days,
            "reason": row.reason,
        }


CASES = Section(
    "cases",
    "Sample cases, end to end",
    "A few cases of each kind from intake to outcome, drawn by a seed that was fixed before anybody saw them.",
    "It does not show what the other cases were like: a handful illustrates and does not measure.",
    (
        Table(
            "sample_cases",
            "The cases",
            (
                "case_id",
                "drawn_as",
                "opened_at",
                "domain",
                "risk",
                "release",
                "policy_version",
                "confidence",
                "contributions",
                "route",
                "triggers",
                "reason",
                "state",
                "decided_by",
                "decided_at",
                "customer",
                "question",
                "draft",
                "final_answer",
                "final_decision",
            ),
            sample_cases,
        ),
        Table("sample_timeline", "What happened to them", ("case_id", "at", "what", "who", "detail"), sample_timeline),
    ),
)
RECORDS = Section(
    "records",
    "What was recorded",
    "How many events of each kind the installation recorded by itself for this tenant.",
    "It does not show what happened outside of the product.",
    (Table("events", "Events", ("event", "means", "times"), event_counts),),
)
SEALS = Section(
    "seals",
    "Seals over the audit trail",
    "That the trail was sealed throughout the window, that each seal is signed and names the one before it, and what "
    "the installation found when it verified itself.",
    "It does not show that what was written was true when it was written; and only a head that you kept yourself "
    "proves that the chain was not made anew.",
    (
        Table("seals_by_day", "By day (UTC)", ("day", "seals"), seals_by_day),
        Table(
            "verifications",
            "Verifications of the whole chain",
            ("started_at", "ended_at", "result", "findings"),
            verifications,
        ),
        Table(
            "published_heads", "Heads that left the house", ("seal", "sha256", "at", "published_as"), published_heads
        ),
        Table(
            "removals",
            "Old rows that were removed, each signed for",
            ("at", "rows", "table", "seal", "kept_for_days", "reason"),
            removals,
        ),
        Table(
            "seals",
            "Each seal",
            ("seal", "sealed_at", "sha256", "key", "is_signed", "is_chained", "header", "signature"),
            seals,
        ),
    ),
)
