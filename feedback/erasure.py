"""What feedback holds of cases besides their texts: files of exports, and challenges that were made of them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Q

from cases.clock import db_now
from cases.models import CaseEvent, Content, User
from cases.services.erasure import Part, Scope
from cases.states import OPEN

from .models import (
    Challenge,
    Dwell,
    EvidencePack,
    Export,
    ExportedOverride,
    PlantedChallenge,
    Push,
    Review,
    WeeklyExport,
)
from .services import evidence_runs
from .services.export_files import storage
from .services.export_runs import begin_again, selection_of
from .services.exports import locked as locked_export
from .services.weekly_files import rewrite
from .states import ACTIVE, ExportState, WeeklyState

EXPORTS = 2_000  # the newest of a tenant that are looked at; their files are kept far shorter


def found(scope: Scope) -> Part:
    """Files that hold the texts are removed, or written again without them; those that somebody fetched are named."""
    reviews = list(Review.objects.filter(case__in=scope.case_ids).values_list("pk", flat=True))
    exports = list(_exports_with(scope, reviews)) if reviews else []
    weeks = list(WeeklyExport.objects.filter(pk__in=_weeks_with(reviews)).order_by("pk"))
    packs = list(_packs_with(scope))
    challenges = list(Challenge.objects.filter(source__in=scope.case_ids).exclude(body={}))
    planted = PlantedChallenge.objects.filter(challenge__source__in=scope.case_ids)
    ended = planted.exclude(case__state__in=OPEN).values("case")
    stored = [export.pk for export in exports if export.state in (ExportState.READY, *ACTIVE)]
    now = db_now()
    return Part(
        counts={
            "exports": len(stored),
            "weekly_exports": len(weeks),
            "evidence_packs": sum(pack.is_active or pack.state == ExportState.READY for pack in packs),
            "challenges": len(challenges),
        },
        texts=list(Content.objects.filter(case_id__in=ended, erased_at=None).values_list("pk", flat=True)),
        is_on_its_way=any(week.leased_until and week.leased_until > now for week in weeks)
        or Push.objects.filter(export__in=exports, state=Push.State.WAITING, leased_until__gt=now).exists(),
        to_act_on=[*_fetched(scope, [*exports, *weeks, *packs]), *_pushed(exports), *_given(planted.count())],
        carry_out=partial(_carry_out, scope, stored, weeks, packs, challenges),
    )


def _exports_with(scope: Scope, reviews: Sequence[UUID]) -> Iterator[Export]:
    """Data sets in which one of ``reviews`` is a row, as the selection says that made them."""
    exports = Export.objects.filter(tenant=scope.tenant).exclude(state__in=(ExportState.FAILED, ExportState.CANCELLED))
    for export in exports.select_related("tenant", "dataset").order_by("-id")[:EXPORTS]:
        if selection_of(export).reviews().filter(pk__in=reviews).exists():
            yield export


def _weeks_with(reviews: Sequence[UUID]) -> set[UUID]:
    told = ExportedOverride.objects.filter(review__in=reviews)
    corrected = told.filter(later_labels__isnull=False)
    return {*told.values_list("export", flat=True), *corrected.values_list("later_labels__export", flat=True)}


def _packs_with(scope: Scope) -> Iterator[EvidencePack]:
    """Evidence packs that tell of one of the cases, and those that are being made, which may."""
    if not scope.case_ids:
        return
    packs = EvidencePack.objects.filter(tenant=scope.tenant)
    told = Q(state__in=(ExportState.READY, ExportState.EXPIRED), sampled__overlap=list(scope.case_ids))
    unknown = Q(state=ExportState.READY, sampled=None) | Q(state__in=ACTIVE)
    yield from packs.filter(told | unknown).order_by("-id")[:EXPORTS]


def _fetched(scope: Scope, files: Sequence[Export | WeeklyExport | EvidencePack]) -> Iterator[dict[str, Any]]:
    ids = [one.wire_id for one in files]
    events = CaseEvent.objects.filter(tenant=scope.tenant, kind=CaseEvent.Kind.EXPORT_DOWNLOADED, subject__in=ids)
    for subject, by, at in events.order_by("pk").values_list("subject", "actor__username", "at"):
        yield {"what": "downloaded", "export": subject, "by": by, "at": at.isoformat()}


def _pushed(exports: Sequence[Export]) -> Iterator[dict[str, Any]]:
    for push in Push.objects.filter(export__in=exports, lines_sent__gt=0).select_related("target", "export"):
        at = push.finished_at or push.requested_at
        yield {"what": "pushed", "export": push.export.wire_id, "to": push.target.name, "at": at.isoformat()}


def _given(count: int) -> Iterator[dict[str, Any]]:
    if count:
        yield {"what": "challenges", "cases": count, "note": "disguised copies that were given to reviewers"}


def _carry_out(
    scope: Scope,
    exports: Sequence[UUID],
    weeks: Sequence[WeeklyExport],
    packs: Sequence[EvidencePack],
    challenges: Sequence[Challenge],
    actor: User,
    at: datetime,
) -> None:
    Dwell.objects.filter(case__in=scope.case_ids).delete()
    for challenge in challenges:
        challenge.body, challenge.slots, challenge.right_answer = {}, {}, ""
        challenge.must_contain, challenge.must_not_contain, challenge.is_active = [], [], False
        challenge.save_as(actor, "the case it was made of was erased")
    for export_id in exports:
        export = locked_export(export_id)
        if export.state == ExportState.READY:
            storage().delete(export.file_key)
            export.expire()
            export.save()
        elif export.state in ACTIVE:
            begin_again(export)
    for pack in packs:
        evidence_runs.remove(pack.pk, scope.case_ids)
    rows = WeeklyExport.objects.select_for_update(of=("self",), no_key=True).select_related("tenant")
    for week in rows.filter(pk__in=[week.pk for week in weeks], state=WeeklyState.READY).order_by("pk"):
        rewrite(week)
