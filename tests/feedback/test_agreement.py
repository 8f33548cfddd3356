"""Agreement beyond chance, against worked examples of the literature, and the page that shows it."""

import random

import pytest
from django.test import Client

from cases.vocabulary import Verdict
from feedback.agreement import cohen_kappa, estimate, fleiss_kappa, krippendorff_alpha
from feedback.services.agreeing import Cut, agreement_of
from feedback.submission import Submission
from tests.feedback.test_quorum import vote, voting_world

URL = "/admin/feedback/review/agreement/"

# Fleiss 1971 as tabulated in the usual worked example: ten subjects, fourteen raters, five categories; kappa 0.210.
FLEISS = (
    (0, 0, 0, 0, 14),
    (0, 2, 6, 4, 2),
    (0, 0, 3, 5, 6),
    (0, 3, 9, 2, 0),
    (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0),
    (2, 5, 3, 2, 2),
    (6, 5, 2, 1, 0),
    (0, 2, 2, 3, 7),
)

# Krippendorff 2011, example C: four observers, twelve units, gaps; nominal alpha 0.743.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


def test_cohens_kappa_of_fifty_grant_proposals():
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: the observed 0.7 against 0.5 by chance."""
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(pairs) == pytest.approx(0.4)


def test_fleiss_kappa_of_ten_subjects_and_fourteen_raters():
    items = [[label for label, count in enumerate(row) for _ in range(count)] for row in FLEISS]
    assert fleiss_kappa(items) == pytest.approx(0.210, abs=0.0005)


def test_krippendorffs_alpha_with_gaps():
    units = [[value for value in unit if value is not None] for unit in zip(*OBSERVERS, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=0.0005)


def test_krippendorffs_alpha_of_two_observers():
    """Krippendorff 2011, example A: two observers, ten units, binary data; alpha 0.095."""
    one, other = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)
    assert krippendorff_alpha(list(zip(one, other, strict=True))) == pytest.approx(0.095, abs=0.0005)


@pytest.mark.parametrize("measure", [cohen_kappa, fleiss_kappa, krippendorff_alpha])
def test_perfect_agreement_is_one_chance_is_nought_and_one_label_says_nothing(measure):
    assert measure([("a", "a"), ("b", "b")]) == 1
    assert measure([("a", "a")] * 5) is None
    assert measure([]) is None
    dice = random.Random(3)
    noise = [(dice.choice("ab"), dice.choice("ab")) for _ in range(20_000)]
    assert abs(measure(noise)) < 0.03


def test_fleiss_refuses_items_with_different_numbers_of_ratings():
    with pytest.raises(ValueError):
        fleiss_kappa([("a", "a"), ("a", "b", "b")])


def test_the_interval_holds_the_value_and_is_wider_for_few_items():
    dice = random.Random(5)
    items = [(label, label if dice.random() < 0.8 else "c") for label in dice.choices("ab", k=400)]
    many, few = estimate(cohen_kappa, items), estimate(cohen_kappa, items[:20])
    assert many.low < many.value < many.high and not many.is_small
    assert few.is_small and few.high - few.low > many.high - many.low
    assert estimate(cohen_kappa, items) == many


@pytest.fixture
def world(db):
    world = voting_world()
    for second in (Verdict.ACCEPT, Verdict.ACCEPT, Verdict.REJECT):
        case = world.submit()
        vote(case, world.reviewer)
        vote(case, world.colleague, Submission(second, notes="so"))
        if second == Verdict.REJECT:
            vote(case, world.third)
    return world


def page(user, **query):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.get(URL, query)


def test_it_is_counted_by_queue_domain_and_pair_from_independent_votes_alone(world):
    rows = {cut: agreement_of(world.tenant, cut) for cut in Cut}
    assert [(row.key, row.alpha.items, row.differing) for row in rows[Cut.QUEUE]] == [("General", 3, 1)]
    assert [(row.key, row.alpha.items) for row in rows[Cut.DOMAIN]] == [("billing", 3)]
    pairs = {row.key: row.alpha.items for row in rows[Cut.PAIR]}
    assert pairs == {"Carl and Rita": 3}


def test_the_page_leads_from_a_number_to_its_cases_and_warns_of_few(world):
    answer = page(world.supervisor, by="queue")
    text = answer.content.decode()
    assert answer.status_code == 200 and "few cases" in text
    assert "General" in text and "?by=queue&amp;key=" in text
    shown = page(world.supervisor, by="queue", key=str(world.queue.pk)).content.decode()
    assert shown.count("/work/") == 3


def test_pairs_of_people_are_for_those_who_may_see_people(world):
    assert "Carl and Rita" in page(world.supervisor, by="pair").content.decode()
    assert page(world.senior, by="pair").status_code == 403
    assert page(world.reviewer).status_code == 403


def test_an_outsider_sees_nothing_of_it(world):
    other = voting_world("other")
    text = page(other.supervisor, by="queue", key=str(world.queue.pk)).content.decode()
    assert "/work/" not in text and "billing" not in page(other.supervisor, by="domain").content.decode()
