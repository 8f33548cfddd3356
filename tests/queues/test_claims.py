"""Claims: two people never hold the same case, and nobody's text is lost."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection, transaction

from cases.clock import db_now, pretend_now
from cases.models import Membership, User
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import people
from cases.vocabulary import Role, Verdict
from feedback.models import Review, ReviewDraft
from feedback.services import reviews
from feedback.submission import Submission
from queues.errors import AlreadyClaimed, AtCapacity, NotClaimed, NotFit, NotWaiting, StaleClaim
from queues.models import Claim, Entry, Reviewer, ReviewerSkill, Skill
from queues.services import claims
from queues.services.claims import LEASE, claim, claim_next, heartbeat, release, return_lost
from queues.services.setup import create_queue
from queues.services.supervision import take_back
from tests.threads import failures, in_parallel
from tests.worlds import make_world

ACCEPT = Submission(verdict=Verdict.ACCEPT)
EDIT = Submission(verdict=Verdict.EDIT, final_answer="My own words.", notes="a note")


@pytest.fixture
def world(db):
    return make_world()


def profile(user: User) -> Reviewer:
    return Reviewer.objects.get(user=user)


def change(user: User, **fields) -> None:
    Reviewer.objects.filter(user=user).update(**fields)


# --- races -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_thirty_two_people_claim_five_hundred_cases_and_each_goes_to_one():
    world = make_world()
    template = world.submit()
    multiply(template, 499)
    team = [world.person(f"reviewer{number}", Role.REVIEWER, reviews=True) for number in range(32)]
    Reviewer.objects.update(capacity=1000)

    def work(user: User) -> list[tuple]:
        taken = []
        while entry := claims._claim(claims.working(user, world.tenant), user):
            taken.append((entry.case_id, entry.generation))
        return taken

    order = {case: place for place, case in enumerate(Entry.objects.by_urgency().values_list("case", flat=True))}
    results = in_parallel([lambda user=user: work(user) for user in team])
    assert not failures(results)
    # Each claim passes over at most what the others are just taking, so that everybody's own go up but for that.
    for pairs in results:
        places = [order[case] for case, _ in pairs]
        assert all(later > earlier - len(team) for earlier, later in pairwise(places))
    taken = [pair for pairs in results for pair in pairs]
    assert len(taken) == len({case for case, _ in taken}) == len({generation for _, generation in taken}) == 500
    assert Claim.objects.count() == 500
    held = Counter(Entry.objects.values_list("claimed_by", flat=True))
    assert held == {user.pk: len(pairs) for user, pairs in zip(team, results, strict=True) if pairs}


@pytest.mark.django_db(transaction=True)
def test_races_for_one_case_one_lease_and_one_decision():
    world = make_world()
    case = world.submit()

    # Everybody wants the same case: one has it.
    wanted = in_parallel([lambda user=user: claim(case, user) for user in (world.reviewer, world.colleague) * 4])
    refused = failures(wanted)
    holders = {entry.claimed_by_id for entry in wanted if entry not in refused}
    assert len(holders) == 1
    assert all(isinstance(error, AlreadyClaimed) for error in refused), refused
    assert Claim.objects.count() == 1

    # The holder sends the same decision four times at once: one counts, the others are told.
    entry = Entry.objects.get()
    holder = User.objects.get(pk=entry.claimed_by_id)
    sent = in_parallel([lambda: reviews.submit(case.pk, ACCEPT, actor=holder, generation=entry.generation)] * 4)
    assert Review.objects.count() == 1
    assert sorted(type(one).__name__ for one in sent) == ["Review", "StaleClaim", "StaleClaim", "StaleClaim"]

    # A lease runs out while its holder decides and another one claims: either way one person's decision counts.
    second = world.submit()
    entry = claim(second, world.reviewer)

    def sweep_and_take():
        with pretend_now(db_now() + LEASE + timedelta(seconds=1)):
            return_lost()
        return claim_next(world.colleague)

    def decide():
        return reviews.submit(second.pk, EDIT, actor=world.reviewer, generation=entry.generation)

    decided, taken = in_parallel([decide, sweep_and_take])
    if isinstance(decided, Review):
        assert taken is None
    else:
        assert isinstance(decided, StaleClaim), decided
        assert ReviewDraft.objects.get(case=second).content.text["final_answer"] == "My own words."
    assert Review.objects.filter(case=second).count() == isinstance(decided, Review)

    # Two sweeps at once return each lost case once.
    for _ in range(20):
        world.submit()
    change(world.reviewer, capacity=50)
    fitness = claims.working(world.reviewer, world.tenant)
    while claims._claim(fitness, world.reviewer):
        pass
    held = Entry.objects.held().filter(claimed_by=world.reviewer).count()

    def sweep():
        with pretend_now(db_now() + LEASE + timedelta(seconds=1)):
            return return_lost()

    counts = in_parallel([sweep] * 4)
    assert not failures(counts)
    assert sum(counts) == Entry.objects.waiting().count() >= held >= 20


@pytest.mark.django_db(transaction=True)
def test_two_claims_of_one_person_at_once_never_exceed_what_they_may_hold():
    world = make_world()
    multiply(world.submit(), 39)
    change(world.reviewer, capacity=3)
    cases = [entry.case for entry in Entry.objects.select_related("case__tenant")[:16]]
    for case in cases[:2]:
        claim(case, world.reviewer)
    taken = in_parallel([lambda case=case: claim(case, world.reviewer) for case in cases[2:10]])
    refused = failures(taken)
    assert (len(taken) - len(refused), Entry.objects.held().count()) == (1, 3)
    assert all(isinstance(error, AtCapacity) for error in refused), refused

    # Whoever asks for the next case eight times at once holds one: each of the others finds it unfinished.
    found = in_parallel([lambda: claim_next(world.colleague)] * 8)
    assert not failures(found)
    assert len({entry.pk for entry in found}) == Entry.objects.held().filter(claimed_by=world.colleague).count() == 1
    assert sorted(Claim.objects.filter(user=world.reviewer).values_list("place", flat=True)) == [1, 2, 3]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("languages", [[], ["en", "de"]])
def test_a_claim_passes_over_what_others_are_just_taking_however_many_they_are(languages):
    world = make_world()
    multiply(world.submit(), 299)
    change(world.reviewer, languages=languages)
    order = list(Entry.objects.by_urgency().values_list("pk", flat=True))

    def next_while_locked(count: int) -> Entry | None:
        with transaction.atomic():
            assert len(Entry.objects.select_for_update().filter(pk__in=order[:count])) == count
            (entry,) = in_parallel([lambda: claim_next(world.reviewer)])
        if entry is not None:
            release(entry.case_id, world.reviewer, entry.generation)
        return entry

    for others in (0, 15, 16, 270):
        assert next_while_locked(others).pk == order[others]
    assert next_while_locked(300) is None


def multiply(case, times: int) -> None:
    """Copies of ``case`` with its entry, by SQL and past the services: many cases are slow to take in one by one."""
    tables = ("cases_case", "queues_entry")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE copies AS SELECT gen_random_uuid() AS case_id, gen_random_uuid() AS content_id, "
            "gen_random_uuid() AS draft_content_id, gen_random_uuid() AS draft_id, gen_random_uuid() AS entry_id "
            "FROM generate_series(1, %s)",
            [times],
        )
        copy(cursor, "cases_content", {"id": "content_id", "case_id": "copies.case_id"}, case.content_id)
        copy(
            cursor,
            "cases_content",
            {"id": "draft_content_id", "case_id": "copies.case_id"},
            case.current_draft.content_id,
        )
        own = {"id": "copies.case_id", "content_id": "copies.content_id", "current_draft_id": "copies.draft_id"}
        copy(cursor, tables[0], own, case.pk)
        own = {"id": "copies.draft_id", "case_id": "copies.case_id", "content_id": "copies.draft_content_id"}
        copy(cursor, "cases_draft", own, case.current_draft_id)
        copy(
            cursor,
            tables[1],
            {"id": "copies.entry_id", "case_id": "copies.case_id"},
            Entry.objects.get(case=case).pk,
        )
        cursor.execute("DROP TABLE copies")


def copy(cursor, table: str, own: dict[str, str], key) -> None:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'", [table]
    )
    columns = [row[0] for row in cursor.fetchall()]
    values = ", ".join(own.get(column, f't."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} t, copies WHERE t.id = %s", [key])


# --- the next case ------------------------------------------------------------------------------------------------


def test_ones_own_unfinished_case_comes_first(world):
    first, _ = world.submit(), world.submit(risk_level="critical")
    mine = claim(first, world.reviewer)
    assert claim_next(world.reviewer).pk == mine.pk
    assert Claim.objects.count() == 1


def test_the_second_reviewer_gets_the_next_case(world):
    cases = {world.submit().pk, world.submit().pk}
    assert {world.claim().case_id, world.claim(world.colleague).case_id} == cases


def test_higher_risk_goes_first_then_the_nearer_deadline(world):
    soon = (db_now() + timedelta(minutes=30)).isoformat()
    calm, near, risky = world.submit(), world.submit(sla_deadline=soon), world.submit(risk_level="critical")
    order = []
    while entry := claim_next(world.reviewer):
        order.append(entry.case_id)
        reviews.submit(
            entry.case_id,
            Submission(verdict=Verdict.REJECT, notes="no", no_evidence_applies=True),
            actor=world.reviewer,
            generation=entry.generation,
        )
    assert order == [risky.pk, near.pk, calm.pk]


@pytest.mark.parametrize("languages", [[], ["en", "de"]])
def test_the_most_urgent_of_all_queues_and_languages_goes_first(world, languages):
    other = create_queue(
        world.tenant, actor=system_actor(), slug="other", name="Other", sla_policy=world.queue.sla_policy
    )
    change(world.reviewer, languages=languages, capacity=50)
    start = db_now()
    for number in range(18):
        case = world.submit(language=("en", "de", None)[number % 3])
        due_at = start + timedelta(minutes=number * 7 % 5)
        queue = (world.queue, other)[number // 3 % 2]
        Entry.objects.filter(case=case).update(queue=queue, priority=number * 5 % 4, due_at=due_at)
    order = list(Entry.objects.by_urgency().values_list("pk", flat=True))
    fitness = claims.working(world.reviewer, world.tenant)
    taken = []
    while entry := claims._claim(fitness, world.reviewer):
        taken.append(entry.pk)
    assert taken == order


def test_a_claimed_entry_is_the_row_as_it_is_stored(world):
    world.submit()
    claimed, stored = world.claim(), Entry.objects.get()
    assert {name: getattr(claimed, name) for name in claims._FIELDS} == {
        name: getattr(stored, name) for name in claims._FIELDS
    }
    assert (claimed.claimed_by, claimed.queue) == (world.reviewer, world.queue)
    assert claimed.lease_expires_at - claimed.claimed_at == LEASE
    record = Claim.objects.get()
    assert (record.generation, record.claimed_at, record.user) == (
        claimed.generation,
        claimed.claimed_at,
        world.reviewer,
    )


def test_a_claim_is_of_the_databases_time_or_the_pretended_one(world):
    world.submit(), world.submit()
    before = db_now()
    assert before <= world.claim().claimed_at <= db_now()
    past = before - timedelta(days=3)
    with pretend_now(past):
        assert world.claim(world.colleague).claimed_at == past


def test_a_claim_takes_two_statements_and_no_more_with_many_waiting(world, django_assert_num_queries):
    world.submit()
    with django_assert_num_queries(2):
        assert claim_next(world.reviewer)
    multiply(world.submit(), 100)
    with django_assert_num_queries(2):
        assert claim_next(world.colleague)


def test_nobody_gets_more_than_they_may_hold(world):
    change(world.reviewer, capacity=1)
    first, second = world.submit(), world.submit()
    other = create_queue(
        world.tenant, actor=system_actor(), slug="other", name="Other", sla_policy=world.queue.sla_policy
    )
    Entry.objects.filter(case=second).update(queue=other)
    claim(first, world.reviewer)
    assert claim_next(world.reviewer, queue_slug="other") is None
    change(world.reviewer, capacity=2)
    assert claim_next(world.reviewer, queue_slug="other").case_id == second.pk


def test_nothing_waits_is_no_error(world):
    assert claim_next(world.reviewer) is None
    assert claim_next(world.reviewer, queue_slug="no-such-queue") is None


@pytest.mark.parametrize(
    ("languages", "case_language", "fits"),
    [
        ([], "de", True),
        (["en"], "en", True),
        (["en"], "en-US", True),
        (["en-GB"], "en-US", True),
        (["EN"], "en", True),
        (["de", "fr"], "en", False),
        (["de"], None, True),
        (["de"], "und-Latn", True),
    ],
)
def test_a_case_goes_to_somebody_who_reads_its_language(world, languages, case_language, fits):
    change(world.reviewer, languages=languages)
    case = world.submit(language=case_language)
    if fits:
        assert claim_next(world.reviewer).case_id == case.pk
    else:
        assert claim_next(world.reviewer) is None
        with pytest.raises(NotFit, match="language"):
            claim(case, world.reviewer)


@pytest.mark.parametrize(("level", "fits"), [(None, False), (1, False), (2, True), (3, True)])
def test_a_queue_that_demands_a_skill_goes_to_those_who_have_it_at_its_level(world, level, fits):
    skill = Skill(tenant=world.tenant, code="refunds", name="Refunds")
    skill.save_as(system_actor())
    world.queue.skill, world.queue.skill_level = skill, 2
    world.queue.save_as(system_actor(), "needs a skill")
    if level:
        ReviewerSkill(reviewer=profile(world.reviewer), skill=skill, level=level).save_as(system_actor())
    case = world.submit()
    assert (claim_next(world.reviewer) is not None) == fits
    if not fits:
        with pytest.raises(NotFit):
            claim(case, world.reviewer)


def test_who_holds_no_right_on_the_queue_gets_nothing_of_it(world):
    from guardian.shortcuts import remove_perm

    case = world.submit()
    remove_perm("queues.work_queue", people.role_group(world.tenant, Role.REVIEWER), world.queue)
    assert claim_next(world.reviewer) is None
    with pytest.raises(NotFit):
        claim(case, world.reviewer)


@pytest.mark.parametrize(("fields", "words"), [({"is_on_shift": False}, "off shift"), ({"is_paused": True}, "paused")])
def test_who_is_off_shift_or_paused_gets_nothing_and_keeps_what_they_hold(world, fields, words):
    held, _ = world.claim() if world.submit() else None, world.submit()
    change(world.reviewer, **fields)
    with pytest.raises(NotFit, match=words):
        claim_next(world.reviewer)
    review = reviews.submit(held.case_id, ACCEPT, actor=world.reviewer, generation=held.generation)
    assert review.verdict == "accept"


def test_who_is_excluded_from_a_case_never_gets_it(world):
    case = world.submit()
    Entry.objects.update(excluded=[world.reviewer.pk])
    assert claim_next(world.reviewer) is None
    with pytest.raises(NotFit):
        claim(case, world.reviewer)
    assert claim_next(world.colleague).case_id == case.pk


@pytest.mark.parametrize("who", ["supervisor", "compliance", "service", "outsider", "ended"])
def test_who_is_no_reviewer_here_takes_nothing(world, who):
    case = world.submit()
    if who == "ended":
        Membership.objects.filter(user=world.reviewer).update(is_active=False)
    user = {"outsider": make_world("other").reviewer, "ended": world.reviewer}.get(who) or getattr(world, who)
    with pytest.raises(NotFit):
        claim(case, user)
    if who != "outsider":
        with pytest.raises(NotFit):
            claim_next(user)
    with pytest.raises(NotFit):
        claim_next(user, tenant=world.tenant)
    assert not Claim.objects.exists()


def test_an_outsider_who_asks_for_the_next_case_gets_none_of_this_tenant(world):
    world.submit()
    assert claim_next(make_world("other").reviewer) is None


def test_a_case_that_is_paused_decided_or_unknown_does_not_wait(world):
    paused, decided = world.submit(), world.submit()
    for case, verdict in ((paused, Verdict.NEEDS_EDIT), (decided, Verdict.REJECT)):
        entry = claim(case, world.reviewer)
        submission = Submission(verdict=verdict, notes="reason")
        reviews.submit(case.pk, submission, actor=world.reviewer, generation=entry.generation)
        with pytest.raises(NotWaiting):
            claim(case, world.colleague)
    assert claim_next(world.colleague) is None


# --- leases and generations ----------------------------------------------------------------------------------------


def test_a_heartbeat_renews_the_lease_and_a_stale_one_does_not(world):
    world.submit()
    entry = world.claim()
    with pretend_now(db_now() + timedelta(minutes=10)):
        assert heartbeat(entry.case_id, world.reviewer, entry.generation) > entry.lease_expires_at
    for user, generation in ((world.reviewer, entry.generation + 1), (world.colleague, entry.generation)):
        with pytest.raises(StaleClaim):
            heartbeat(entry.case_id, user, generation)


def test_a_stale_submit_changes_nothing_and_keeps_the_text(world):
    case = world.submit()
    entry = world.claim()
    with pytest.raises(StaleClaim) as refused:
        reviews.submit(case.pk, EDIT, actor=world.reviewer, generation=entry.generation + 1)
    assert refused.value.status == 412
    assert "text was kept" in refused.value.message
    assert not Review.objects.exists()
    assert ReviewDraft.objects.get(case=case, reviewer=world.reviewer).content.text == EDIT.texts() | {
        "verdict": "edit",
        "final_decision": "",
        "reason_code": "",
    }


def test_kept_text_is_the_last_one_and_goes_when_its_writer_decides(world):
    case = world.submit()
    entry = world.claim()
    for words in ("first", "second"):
        written = Submission(verdict=Verdict.EDIT, final_answer=words)
        with pytest.raises(StaleClaim):
            reviews.submit(case.pk, written, actor=world.reviewer, generation=99_999)
    assert ReviewDraft.objects.get().content.text["final_answer"] == "second"
    reviews.submit(case.pk, EDIT, actor=world.reviewer, generation=entry.generation)
    assert not ReviewDraft.objects.exists()


def test_a_case_that_nobody_ever_claimed_is_taken_before_it_is_decided(world):
    case = world.submit()
    with pytest.raises(NotClaimed):
        reviews.submit(case.pk, ACCEPT, actor=world.reviewer, generation=1)


def test_a_lost_lease_returns_to_the_queue_and_its_old_holder_is_stale(world):
    case = world.submit()
    lost = world.claim()
    assert return_lost() == 0
    with pretend_now(lost.lease_expires_at + timedelta(seconds=1)):
        assert return_lost() == 1
    assert Claim.objects.get(generation=lost.generation).end == Claim.End.LOST
    taken = world.claim(world.colleague)
    assert (taken.case_id, taken.generation > lost.generation) == (case.pk, True)
    with pytest.raises(StaleClaim):
        reviews.submit(case.pk, EDIT, actor=world.reviewer, generation=lost.generation)
    assert ReviewDraft.objects.get().reviewer == world.reviewer
    assert reviews.submit(case.pk, ACCEPT, actor=world.colleague, generation=taken.generation).reviewer == (
        world.colleague
    )


def test_a_lease_that_has_run_out_counts_until_somebody_returns_it(world):
    case = world.submit()
    entry = world.claim()
    with pretend_now(entry.lease_expires_at + timedelta(hours=1)):
        assert reviews.submit(case.pk, ACCEPT, actor=world.reviewer, generation=entry.generation)


def test_a_generation_never_returns(world):
    world.submit()
    seen = []
    for _ in range(3):
        entry = world.claim()
        seen.append(entry.generation)
        release(entry.case_id, world.reviewer, entry.generation)
    assert seen == sorted(set(seen))


def test_a_released_case_keeps_its_place_and_its_deadline(world):
    first, _ = world.submit(), world.submit()
    entry = world.claim()
    release(entry.case_id, world.reviewer, entry.generation)
    assert Claim.objects.get(generation=entry.generation).end == Claim.End.RELEASED
    again = world.claim(world.colleague)
    assert (again.case_id, again.due_at) == (first.pk, entry.due_at)
    with pytest.raises(StaleClaim):
        release(entry.case_id, world.reviewer, entry.generation)


def test_a_supervisor_takes_a_case_back_and_nobody_else_does(world):
    world.submit()
    entry = world.claim()
    for actor in (world.colleague, world.compliance, world.service, make_world("other").supervisor):
        with pytest.raises(Denied):
            take_back(entry.pk, actor=actor)
    take_back(entry.pk, actor=world.supervisor)
    assert Entry.objects.get().claimed_by is None
    ended = Claim.objects.get()
    assert (ended.end, ended.ended_by) == (Claim.End.TAKEN, world.supervisor)
    with pytest.raises(StaleClaim):
        heartbeat(entry.case_id, world.reviewer, entry.generation)
    take_back(entry.pk, actor=world.supervisor)
