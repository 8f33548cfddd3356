"""Loading the demo world: tenants, people, and the last days lived through at speed.

Nothing is written past the services: every case is parsed as the API parses it, judged by its tenant's policy, routed,
claimed and decided by people who are fit for it, each at its own instant (``cases.clock.pretend_now``).
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from django.db import transaction
from django.db.models import F
from knox.models import AuthToken

from approvals.services.lifetimes import sweep_ended_cases
from cases.clock import db_now, pretend_now
from cases.errors import CountersignError
from cases.history import Tracked
from cases.models import Case, Notice, Tenant, User
from cases.models.people import system_actor
from cases.services import intake, lifecycle, switch
from cases.vocabulary import Role, Route, Verdict
from cases.wire.intake import parse_draft, parse_intake
from config.demo import (
    accounts,
    automation,
    corrections,
    doors,
    evidence,
    figures,
    floor,
    kept_texts,
    releases,
    sealed,
    views,
)
from config.demo.acme import ACME
from config.demo.challenges import keep_challenges
from config.demo.ledger_link import LedgerLink, follow
from config.demo.skylark import SKYLARK
from config.demo.stories import STORIES
from config.demo.story import NewDraft, Reopened, Review, Step, Story, WantsPerson, Withdrawn
from config.demo.tenants import GOES_LIVE, Plan, set_up
from config.demo.wellspring import WELLSPRING
from feedback.checklist import Finding, documents_of
from feedback.services import reviews
from feedback.submission import Submission
from queues.errors import NotFit
from queues.models import Entry, Reviewer
from queues.services import claims
from queues.services.deadlines import sweep_deadlines

PLANS: tuple[Plan, ...] = (ACME, SKYLARK, WELLSPRING)
FOUNDED = timedelta(days=30)  # before the loading
SOON = timedelta(minutes=1)  # after which beat would have swept
AUDITED_AFTER = timedelta(hours=5)
CHECKED = "Checked against the evidence."
AUDIT = Review(0, Verdict.ACCEPT, notes="Checked against the sources: nothing to change.", minutes=3)

Progress = Callable[[int, int], None]


class CannotLoad(CountersignError):
    """The database is not one that the demo world may be loaded into."""

    code = "cannot_load"
    title = "The demo world cannot be loaded"


def load(path: Path, *, progress: Progress = lambda done, total: None) -> bool:
    """Bring the demo world into the database and its accounts into ``path``; False where both were there.

    All or nothing: one transaction, in which the file is written last. A file that is lost is made anew, with new
    passwords and tokens. Raises ``CannotLoad`` for a database that belongs to somebody else.
    """
    people = accounts.people_of(PLANS)
    names = [account.username for account in people]
    if ledger := LedgerLink.of():
        follow(ledger, [plan.slug for plan in PLANS])
    known = set(User.objects.filter(email__in=[account.email for account in people]).values_list("username", flat=True))
    if known >= set(names) and (document := accounts.read(path)) and set(document["users"]) >= set(names):
        return False
    with transaction.atomic():
        if known >= set(names):
            AuthToken.objects.filter(user__username__in=[*names, *(plan.service for plan in PLANS)]).delete()
        elif Tenant.objects.exists() or User.objects.filter(username__in=names).exists():
            raise CannotLoad(
                "This database holds tenants or people that the demo did not make. Nothing was changed; "
                "give the demo an empty database."
            )
        else:
            _live(people, progress)
        accounts.write(path, accounts.issue(people, PLANS))
    if not known >= set(names):
        corrections.hand_over(PLANS)
    sealed.seal_and_publish()
    evidence.make_a_pack(ACME.slug)
    releases.look_back()
    return True


def _live(people: Iterable[accounts.Account], progress: Progress) -> None:
    now, actor = db_now(), system_actor()
    with _dated_history():
        with pretend_now(now - FOUNDED):
            users = accounts.create_users(people, PLANS, joined=now - FOUNDED)
            tenants = {plan.slug: set_up(plan, users, actor=actor) for plan in PLANS}
            for tenant in tenants.values():
                automation.dress(tenant, actor)
            sealed.wish_for_heads(tenants.values(), actor)
            switch.resume(switch.Scope(), actor=users[accounts.ADMINISTRATOR], reason=GOES_LIVE)
        doors.furnish(tenants, users[accounts.ADMINISTRATOR], now)
        days = Days(now, users)
        for plan in PLANS:
            for number, story in enumerate(told(plan.slug)):
                days.expect(story, tenants[plan.slug], users[plan.service], turn=number)
        days.run(progress)
        automation.letters_went_out(now)
        for tenant in tenants.values():
            automation.watch(tenant, actor)
            floor.happens(tenant, days.supervisor_of(tenant))
            views.looked(tenant, days.supervisor_of(tenant), now)
            kept_texts.decide_on_texts(tenant, users[accounts.ADMINISTRATOR])
        keep_challenges(tenants[SKYLARK.slug], users, days.supervisor_of(tenants[SKYLARK.slug]), now=now)
        figures.count()


def told(slug: str) -> Iterator[Story]:
    """Every case of a tenant."""
    return (case for story in STORIES[slug] for case in story.told())


@contextmanager
def _dated_history() -> Iterator[None]:
    """History rows carry the instant that the services believe in; ``_history_date`` is simple-history's own hook."""
    Tracked._history_date = property(lambda row: db_now())
    try:
        yield
    finally:
        del Tracked._history_date


class Days:
    """What happened until ``now``, in its order. Something that happens may plan what follows from it."""

    def __init__(self, now: datetime, users: Mapping[str, User]) -> None:
        self.now, self.users = now, users
        self._order = count()
        self._plan: list[tuple[datetime, int, Callable[[], None]]] = []
        self._reviewers: dict[str, list[User]] = {}

    def at(self, moment: datetime, happens: Callable[[], None]) -> None:
        """Nothing happens after now: what is planned later than that is left for the visitor to see."""
        if moment < self.now:
            heapq.heappush(self._plan, (moment, next(self._order), happens))

    def run(self, progress: Progress) -> None:
        """Live through all of it, in order."""
        done = 0
        while self._plan:
            moment, _, happens = heapq.heappop(self._plan)
            with pretend_now(moment):
                happens()
            done += 1
            progress(done, done + len(self._plan))
        sweep_deadlines()
        Notice.objects.update(state=Notice.State.SENT, sent_at=F("created_at"))  # What is past was read in the past.

    def expect(self, story: Story, tenant: Tenant, service: User, *, turn: int) -> None:
        """``turn`` decides who among the fit reviewers gets it."""
        opened_at = self.now - timedelta(minutes=story.age)

        def comes_in() -> None:
            parsed = parse_intake(story.payload(opened_at))
            receipt = intake.submit(parsed, actor=service, tenant=tenant)
            decided_at = opened_at + timedelta(minutes=sum(step.after for step in story.steps))
            deadline = receipt.answers.get("sla_deadline")
            if deadline and not (story.steps and decided_at < deadline):
                self.at(deadline + SOON, sweep_deadlines)
            if receipt.draft.is_sampled and not story.steps:
                self.at(opened_at + AUDITED_AFTER, lambda: self._review(receipt.case, AUDIT, turn))
            self._follow(receipt.case, story.steps, opened_at, service, turn)

        self.at(opened_at, comes_in)

    def _follow(self, case: Case, steps: tuple[Step, ...], since: datetime, service: User, turn: int) -> None:
        for step in steps:
            since += timedelta(minutes=step.after)
            self.at(since, lambda step=step: self._take(step, case, service, turn))

    def _take(self, step: Step, case: Case, service: User, turn: int) -> None:
        match step:
            case Review():
                self._review(case, step, turn)
            case NewDraft():
                intake.add_draft(case.pk, parse_draft(dict(step.payload)), actor=service)
            case Withdrawn():
                lifecycle.withdraw(case.pk, actor=service, reason=step.reason)
            case WantsPerson():
                lifecycle.escalate(case.pk, actor=service, note=step.note)
            case Reopened():
                lifecycle.reopen(case.pk, actor=self.supervisor_of(case.tenant), reason=step.reason)

    def _review(self, case: Case, review: Review, turn: int) -> None:
        entry = self._claim(case, review.by, turn)
        submission = Submission(
            verdict=review.verdict,
            final_answer=review.answer,
            final_decision=review.decision,
            reason_code=review.code,
            policy_reason=review.policy_reason,
            notes=review.notes,
            missing_evidence=review.missing_evidence,
            incorrect_evidence=review.incorrect_evidence,
            better_retrieval_query=review.better_query,
        )
        if entry.route == Route.FULL_INVESTIGATION:
            submission = _investigated(submission, case)
        with pretend_now(db_now() + timedelta(minutes=review.minutes)):
            reviews.submit(case.pk, submission, actor=entry.claimed_by, generation=entry.generation)
            if review.verdict == Verdict.REJECT:
                self.at(db_now() + SOON, sweep_ended_cases)

    def _claim(self, case: Case, by: str, turn: int) -> Entry:
        fit = [self.users[by]] if by else self._reviewers_of(case.tenant)
        for offset in range(len(fit)):
            try:
                return claims.claim(case, fit[(turn + offset) % len(fit)])
            except NotFit as error:
                refused = error
        raise refused

    def _reviewers_of(self, tenant: Tenant) -> list[User]:
        """By name; ``turn`` spreads the work over those who are fit."""
        if tenant.slug not in self._reviewers:
            rows = Reviewer.objects.filter(tenant=tenant).select_related("user").order_by("user__username")
            self._reviewers[tenant.slug] = [row.user for row in rows]
        return self._reviewers[tenant.slug]

    def supervisor_of(self, tenant: Tenant) -> User:
        plan = next(plan for plan in PLANS if plan.slug == tenant.slug)
        return self.users[next(person.username for person in plan.people if person.role == Role.SUPERVISOR)]


def _investigated(submission: Submission, case: Case) -> Submission:
    """With what a full investigation asks for: what is told as wrong is marked so, and the rest supports."""
    wrong = set(submission.incorrect_evidence)
    cited = documents_of(case.current_draft.content.text.get("evidence") or [])
    checked = tuple((name, Finding.WRONG if name in wrong else Finding.SUPPORTS) for name in cited)
    has_reason = submission.reason_code or submission.policy_reason or submission.notes
    return replace(submission, checked_evidence=checked, notes=submission.notes if has_reason else CHECKED)
