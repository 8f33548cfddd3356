"""Taking a case, deciding it, taking the decision back: each view parses, calls one service and shows its answer.

Every page works without JavaScript. A refused decision comes back with all that was typed, its status and the message
next to its field. Another tenant's case is the same 404 as one that does not exist.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from approvals.errors import StepUpRequired
from cases.admin import step_up
from cases.admin.saved_filters import SavedFilters
from cases.admin.scoped import ReadOnlyAdmin
from cases.clock import db_now
from cases.errors import CountersignError, NotPermitted
from cases.models import Case, DataView, Tenant
from cases.permissions import Denied, visible_to
from cases.rights import HeldRights, rights_of
from cases.services import second_factor
from cases.services.audit import keep_denial
from cases.services.data_views import keep_view
from cases.states import State
from cases.vocabulary import Verdict
from queues.models import Entry
from queues.services import claims
from queues.services.available import STOP_WAITING

from ..errors import ReviewInvalid
from ..models import Review, SecondLook
from ..page import Page, page_of, page_to_check, undo_left
from ..seeing import reviews_visible_to
from ..services import dwells, firsts, reviews, unsent, votes
from ..services.next_case import submit_and_next
from ..sides import Side
from . import in_place
from .agreement import agreement_page
from .asides import AsideForm, forms_of
from .choices import ActionForms
from .finding import find_view
from .first_form import FirstForm
from .forms import TEXT_BOUNDS, DecisionForm
from .habits import habits_page

DONE = {
    Verdict.ACCEPT: "Accepted",
    Verdict.EDIT: "Edited",
    Verdict.REJECT: "Rejected",
    Verdict.NEEDS_EDIT: "New draft asked for",
}
SECOND_RESULTS = {
    SecondLook.Result.UPHELD: "You both say the same; the decision stands",
    SecondLook.Result.OVERTURNED: "You differ; the case is reopened for a third person",
}
NOTHING_WAITS = "Nothing waits for you now. New cases appear on this page as they come in."


@admin.register(Review)
class ReviewAdmin(SavedFilters, ReadOnlyAdmin):
    """The reviews that a person may see, newest first; each leads to its case."""

    view_right = "view_review"
    list_display = ("created_at", "of_case", "reviewer", "what", "reason_code", "is_override", "edit_distance", "took")
    list_display_links = None
    list_filter = ("verdict", "is_override")
    list_select_related = ("case", "reviewer", "tenant")
    ordering = ("-created_at",)
    sortable_by = ("created_at",)

    @admin.display(description="Case")
    def of_case(self, review: Review) -> SafeString:
        return format_html('<a href="{}">{}</a>', work_url(review.case_id), review.case)

    @admin.display(description="Verdict")
    def what(self, review: Review) -> str:
        verdict = review.get_verdict_display()
        prefix = {Review.Kind.UNDO: "Undone", Review.Kind.VOTE: "Vote", Review.Kind.SECOND: "Second look"}
        return f"{prefix[review.kind]}: {verdict.lower()}" if review.kind in prefix else verdict

    @admin.display(description="Handling time")
    def took(self, review: Review) -> str:
        minutes, seconds = divmod(round(review.handling_seconds), 60)
        return f"{minutes}:{seconds:02} min"

    def get_urls(self) -> list[URLPattern]:
        """The list and the review page; a review has no page of its own besides its case's."""
        routes = (
            ("agreement/", self.agreement, "agreement"),
            ("habits/", self.habits, "habits"),
            ("next/", self.next_case, "next"),
            ("find/", self.find, "find"),
            ("work/<uuid:case_id>/", self.work, "work"),
            ("work/<uuid:case_id>/take/", self.take, "take"),
            ("work/<uuid:case_id>/decide/", self.decide, "decide"),
            ("work/<uuid:case_id>/first/", self.first, "first"),
            ("work/<uuid:case_id>/undo/", self.undo, "undo"),
            ("work/<uuid:case_id>/strike/<uuid:vote_id>/", self.strike, "strike"),
            ("work/<uuid:case_id>/aside/<slug:name>/", self.set_aside, "aside"),
            ("work/<uuid:case_id>/heartbeat/", self.heartbeat, "heartbeat"),
            ("work/<uuid:case_id>/keep/", self.keep, "keep"),
            ("work/<uuid:case_id>/dwell/", self.dwell, "dwell"),
        )
        own = [path(at, self.admin_site.admin_view(view), name=f"feedback_review_{name}") for at, view, name in routes]
        return [
            *own,
            *self.filter_urls(),
            path("", self.admin_site.admin_view(self.changelist_view), name="feedback_review_changelist"),
            path("<uuid:review_id>/", self.admin_site.admin_view(self.of_review), name="feedback_review_change"),
        ]

    def of_review(self, request: HttpRequest, review_id: UUID) -> HttpResponse:
        """Where the lists of the admin lead to: the case of a review."""
        review = self.get_queryset(request).filter(pk=review_id).first()
        if review is None:
            raise Http404("No such review.")
        return redirect(work_url(review.case_id))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        return reviews_visible_to(request.user, super().get_queryset(request))

    @method_decorator(require_GET)
    def agreement(self, request: HttpRequest) -> HttpResponse:
        """How far reviewers agree."""
        return agreement_page(request, self.admin_site)

    @method_decorator(require_GET)
    def habits(self, request: HttpRequest) -> HttpResponse:
        """How closely the person looks."""
        return habits_page(request, self.admin_site)

    @method_decorator(require_GET)
    def find(self, request: HttpRequest) -> HttpResponse:
        """The audit trail by case, person and window."""
        return find_view(request, self.admin_site.each_context(request))

    # --- taking a case --------------------------------------------------------------------------------------------

    @method_decorator(require_POST)
    def next_case(self, request: HttpRequest) -> HttpResponse:
        """Claim the next case and show it. ``queue`` narrows to one queue, ``tenant`` to one of several tenants."""
        tenant = None
        if slug := request.POST.get("tenant", "")[:50]:
            tenant = Tenant.objects.filter(slug=slug, memberships__user=request.user).first()
        return self._next(request, tenant, queue_slug=request.POST.get("queue", "")[:50])

    def _next(self, request: HttpRequest, tenant: Tenant | None, queue_slug: str = "") -> HttpResponse:
        try:
            entry = claims.claim_next(request.user, tenant=tenant, queue_slug=queue_slug)
        except NotPermitted as error:
            return self._go_on(request, None, error.message)
        return self._go_on(request, entry)

    def _go_on(self, request: HttpRequest, entry: Entry | None, why_none: str = "") -> HttpResponse:
        if entry is not None:
            at = work_url(entry.case_id)
            if in_place.is_asked(request):
                return in_place.carried(request, at, lambda: self._opened(request, entry.case_id))
            return redirect(at)
        if why_none:
            messages.error(request, why_none)
        else:
            messages.info(request, NOTHING_WAITS)
        return redirect("admin:index")

    @method_decorator(require_POST)
    def take(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        """Claim this very case."""
        case = case_or_404(request, case_id)
        try:
            claims.claim(case, request.user)
        except CountersignError as error:
            messages.error(request, error.message)
        return redirect(work_url(case.pk))

    @method_decorator(require_GET)
    def work(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        """The page: with the decision form for who holds the case, without it for everybody else who may see it."""
        return self._opened(request, case_id)

    def _opened(self, request: HttpRequest, case_id: UUID) -> TemplateResponse:
        page = page_or_404(request, case_id)
        actions = ActionForms(page.actions, kept=step_up.kept_choice(request))
        side = page.sides.named(request.GET.get("side", "")) if page.sides and page.is_decidable else None
        keep_view(
            request.user,
            page.case,
            DataView.What.REVIEW,
            at=page.now,
            is_holder=page.is_mine,
            with_customer="customer" in page.visible,
        )
        return self._show(request, page, DecisionForm(page, start=side and side.start), actions, start=side)

    # --- deciding it ----------------------------------------------------------------------------------------------

    @method_decorator(sensitive_post_parameters(*TEXT_BOUNDS))
    @method_decorator(require_POST)
    def decide(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        return in_place.readable(request, self._decided(request, case_id))

    def _decided(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        page = page_or_404(request, case_id, page_to_check)
        form, actions = DecisionForm(page, request.POST), ActionForms(page.actions, request.POST)
        if not actions.is_valid(request.POST.get("verdict", "")):
            form.add_error(None, "Look at what you chose for the action. Nothing was sent.")
        if not form.is_valid():
            form.page = page_or_404(request, case_id)
            return self._show(request, form.page, form, actions, status=400)
        takes_next = form.cleaned_data["take_next"]
        submit = submit_and_next if takes_next else reviews.submit
        try:
            done = submit(
                case_id,
                form.submission(),
                actor=request.user,
                generation=form.cleaned_data["generation"],
                displayed_digest=form.displayed_digest,
                choices=actions.choices(form.cleaned_data["notes"]),
                signed_in_at=second_factor.signed_in_at(request),
            )
        except StepUpRequired:
            reviews.keep_text(case_id, form.submission(), actor=request.user)
            return step_up.ask(request, work_url(case_id), actions.kept())
        except CountersignError as error:
            return self._refused(request, case_id, error)
        messages.success(request, decided_message(request, done.review if takes_next else done))
        if not takes_next:
            return redirect("admin:index")
        return self._go_on(request, done.entry, done.why_none)

    @method_decorator(sensitive_post_parameters("answer"))
    @method_decorator(require_POST)
    def first(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        """What the person would decide, before the draft is shown to them."""
        case = case_or_404(request, case_id)
        form = FirstForm(firsts.options_of(case), request.POST)
        if form.is_valid():
            try:
                firsts.give(case.pk, actor=request.user, generation=generation_in(request), **form.cleaned_data)
            except ReviewInvalid as error:
                form.add_error((error.pointer or "").removeprefix("/") or None, error.message)
            except CountersignError as error:
                if isinstance(error, Denied):
                    return self._refused(request, case_id, error)
                messages.error(request, error.message)
                return redirect(work_url(case_id))
            else:
                messages.success(request, "Kept. This is what the AI said; decide as you see fit now.")
                return redirect(work_url(case_id))
        page = page_or_404(request, case_id)
        forms = DecisionForm(page), ActionForms(page.actions)
        return self._show(request, page, *forms, status=400, first=form)

    @method_decorator(require_POST)
    def undo(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        """Take back one's own decision; the case stands before its reviewer again."""
        case = case_or_404(request, case_id)
        try:
            reviews.undo(case.pk, actor=request.user)
        except CountersignError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, "The decision is undone and nothing was sent. The case is yours again.")
        return redirect(work_url(case.pk))

    @method_decorator(require_POST)
    def strike(self, request: HttpRequest, case_id: UUID, vote_id: UUID) -> HttpResponse:
        """Take a vote out for cause, while the question is open."""
        case = case_or_404(request, case_id)
        if not Review.objects.filter(pk=vote_id, case=case).exists():
            raise Http404("No such vote.")
        try:
            votes.strike(vote_id, actor=request.user, reason=request.POST.get("reason", "")[:2000])
        except CountersignError as error:
            if isinstance(error, Denied):
                return self._refused(request, case_id, error)
            messages.error(request, error.message)
        else:
            messages.success(request, "The vote does not count any more. It stays on record with your reason.")
        return redirect(work_url(case.pk))

    # --- setting it aside, keeping it ----------------------------------------------------------------------------

    @method_decorator(require_POST)
    def set_aside(self, request: HttpRequest, case_id: UUID, name: str) -> HttpResponse:
        """Skip, snooze, escalate, decline or give it back, ask a colleague, or answer one: what ``entry_actions``
        offers."""
        page = page_or_404(request, case_id)
        action = next((action for action in page.entry_actions if action.name == name), None)
        form = AsideForm(page, action, request.POST) if action else None
        if form is None:
            messages.error(request, "The case has moved on, or this is not yours to do. Nothing was changed.")
            return redirect(work_url(case_id))
        if not form.is_valid():
            return self._show(request, page, DecisionForm(page), ActionForms(page.actions), status=400, aside=form)
        try:
            done = form.run(case_id, request.user, generation_in(request))
        except CountersignError as error:
            if error.status == 400:
                form.refuse(error)
                forms = DecisionForm(page), ActionForms(page.actions)
                return self._show(request, page, *forms, status=error.status, aside=form)
            messages.error(request, error.message)
            return redirect(work_url(case_id))
        messages.success(request, done)
        return redirect(work_url(case_id)) if name == STOP_WAITING.name else redirect("admin:index")

    @method_decorator(require_POST)
    def heartbeat(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        """Renew the lease: as JSON for the page's script, as the page with everything typed for the button."""
        case = case_or_404(request, case_id)
        wants_json = request.headers.get("Accept", "").startswith("application/json")
        try:
            until = claims.heartbeat(case.pk, request.user, generation_in(request))
        except CountersignError as error:
            if wants_json:
                return JsonResponse({"code": error.code, "detail": error.message}, status=error.status)
            return self._refused(request, case_id, error)
        page = page_or_404(request, case_id)
        if wants_json:
            return JsonResponse({"lease_expires_at": until.isoformat(), "until": page.clock(until)})
        form = DecisionForm(page, request.POST)
        form.forgive()
        return self._show(request, page, form, ActionForms(page.actions, request.POST))

    @method_decorator(sensitive_post_parameters(*TEXT_BOUNDS))
    @method_decorator(require_POST)
    def keep(self, request: HttpRequest, case_id: UUID) -> JsonResponse:
        """Save the unfinished review, for the page's script."""
        page = page_or_404(request, case_id, page_to_check)
        form = DecisionForm(page, request.POST)
        unfinished = form.unfinished()
        if unfinished is None:
            return JsonResponse({"detail": form.why_not_kept()}, status=400)
        try:
            kept = unsent.autosave(case_id, unfinished, actor=request.user, generation=generation_in(request))
        except CountersignError as error:
            return JsonResponse({"code": error.code, "detail": error.message}, status=error.status)
        return JsonResponse({"at": page.clock(kept.saved_at)})

    @method_decorator(require_POST)
    def dwell(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        """How the page was read, from its script; kept where the tenant records that, and never an error otherwise."""
        case = case_or_404(request, case_id)
        number = {name: _number(request.POST.get(name, "")) for name in ("seconds", "depth", "opened")}
        sent = dwells.Sent(is_long=request.POST.get("is_long") == "1", **number)
        dwells.keep(case, actor=request.user, generation=generation_in(request), sent=sent)
        return HttpResponse(status=204)

    # --- answers --------------------------------------------------------------------------------------------------

    def _refused(self, request: HttpRequest, case_id: UUID, error: CountersignError) -> HttpResponse:
        """The page as it is now, with what was typed and why it was refused."""
        if isinstance(error, Denied):
            keep_denial(error)
            context = {**self.admin_site.each_context(request), "title": error.title, "message": error.message}
            return TemplateResponse(request, "admin/feedback/denied.html", context, status=error.status)
        page = page_or_404(request, case_id)
        form = DecisionForm(page, request.POST)
        form.refuse(error)
        actions = ActionForms(page.actions, request.POST)
        return self._show(request, page, form, actions, status=error.status, was_stale=error.status == 412)

    def _show(
        self,
        request: HttpRequest,
        page: Page,
        form: DecisionForm,
        actions: ActionForms,
        *,
        status: int = 200,
        was_stale: bool = False,
        aside: AsideForm | None = None,
        first: FirstForm | None = None,
        start: Side | None = None,
    ) -> TemplateResponse:
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": f"Case {page.case}",
            "page": page,
            "form": form,
            "first": (first or FirstForm(page.first_options)) if page.asks_first else None,
            "asides": forms_of(page, aside),
            "start": start,
            "action_forms": actions,
            "may_open_actions": rights_of(request).allowed("view_action", page.case.tenant),
            "was_stale": was_stale,
            "has_results": page.has_results,
            "may_challenge": may_challenge(rights_of(request), page),
            "is_nav_sidebar_enabled": False,
        }
        return TemplateResponse(request, "admin/feedback/review.html", context, status=status)


def case_or_404(request: HttpRequest, case_id: UUID) -> Case:
    """The case, if the signed-in person may see it."""
    case = visible_to(request.user, Case.objects.select_related("tenant")).filter(pk=case_id).first()
    if case is None:
        raise Http404("No such case.")
    return case


def page_or_404(request: HttpRequest, case_id: UUID, read: Callable[..., Page | None] = page_of) -> Page:
    """The page of a case that the signed-in person may see."""
    page = read(request.user, case_id, rights_of(request))
    if page is None:
        raise Http404("No such case.")
    return page


def may_challenge(rights: HeldRights, page: Page) -> bool:
    """Whether to offer to make a challenge of this case; of one that is a challenge nobody makes another."""
    case = page.case
    decided = case.state in (State.APPROVED, State.REJECTED) and case.purpose == Case.Purpose.REAL
    return decided and rights.allowed("manage_challenges", case.tenant)


def work_url(case_id: UUID) -> str:
    return reverse("admin:feedback_review_work", args=[case_id])


def generation_in(request: HttpRequest) -> int:
    """The claim's generation; anything that is none is 0, which no claim ever has."""
    text = request.POST.get("generation", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0


def decided_message(request: HttpRequest, review: Review) -> SafeString:
    """What was decided, with the button that takes it back while that is possible."""
    left = undo_left(review, review.case, db_now())
    is_sample = review.verdict == Verdict.ACCEPT and review.case.state == State.AUTO_APPROVED
    done = "Confirmed" if is_sample else DONE[Verdict(review.verdict)]
    if review.kind == Review.Kind.VOTE:
        done = f"Your vote is counted ({done.lower()}); somebody else looks as well"
    if review.kind == Review.Kind.SECOND:
        done = f"Second look done ({done.lower()}). {SECOND_RESULTS[SecondLook.Result(review.second_look.result)]}"
    context = {"review": review, "done": done, "seconds": int(left.total_seconds()) if left else None}
    return render_to_string("admin/feedback/decided_message.html", context, request=request)
