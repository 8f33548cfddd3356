"""Learning weights: the fit and its trial as formulas, then from reviews to a policy version and back."""

import random
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.clock import db_now
from cases.confidence import SignalRule, logistic
from cases.models import PolicyVersion
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.rules import DEFAULT_RULES
from cases.services.policies import publish
from cases.vocabulary import Signal, Use
from feedback.advisor.comparing import Scored, Trial, auc, compare
from feedback.advisor.logistic import Example, fit
from feedback.errors import AdviceOutdated, NotShownAsGood, TooFewDecisions
from feedback.models import LearnedWeights, ShadowVerdict, ThresholdEvidence
from feedback.services import learning
from feedback.services.learning import Decision, learn_from
from tests.feedback.decided import decided
from tests.worlds import World, make_world

HAND = (0.3, 0.25, 0.2)
GROUNDED, TOOLS, RETRIEVAL = Signal.ANSWER_GROUNDEDNESS, Signal.TOOL_SUCCESS, Signal.RETRIEVAL_SCORE
THREE = {
    name: SignalRule(weight, Use.OPTIONAL) for name, weight in zip((GROUNDED, TOOLS, RETRIEVAL), HAND, strict=True)
}
RULES = replace(DEFAULT_RULES, signals=THREE)
BETTER = {"answer_groundedness": 1.0, "tool_success": 0.3, "retrieval_score": 1.0}  # in what counts


def examples(n: int, true=(-3.0, 6.0, 0.0, 1.0), seed: int = 3) -> list[Example]:
    rng = random.Random(seed)
    found = []
    for _ in range(n):
        scores = tuple(rng.random() for _ in true[1:])
        odds = true[0] + sum(w * s for w, s in zip(true[1:], scores, strict=True))
        found.append(Example(scores, rng.random() < logistic(odds)))
    return found


# --- the fit ----------------------------------------------------------------------------------------------------------


def test_the_fit_finds_the_weights_that_made_the_decisions():
    found = fit(examples(4000), HAND)
    assert found.weights == pytest.approx((6.0, 0.0, 1.0), abs=0.6)
    assert found.intercept == pytest.approx(-3.0, abs=0.4)
    assert fit(examples(4000), HAND) == found


def test_a_weight_that_the_decisions_speak_against_is_nothing_and_not_below():
    found = fit(examples(2000, (0.0, 3.0, -3.0, 0.0)), HAND)
    assert found.weights[1] == 0.0
    assert min(found.weights) >= 0


def test_few_decisions_keep_the_order_set_by_hand():
    found = fit(examples(40), HAND, price=1000.0)
    ratios = [weight / hand for weight, hand in zip(found.weights, HAND, strict=True)]
    assert max(ratios) / min(ratios) < 1.05


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), st.booleans(), st.floats(0.5, 20)),
        min_size=4,
        max_size=30,
    )
)
def test_any_decisions_have_a_fit_and_a_better_signal_never_lowers_it(rows):
    found = fit([Example(*row) for row in rows], HAND)
    assert all(0 <= weight < 1000 for weight in found.weights)
    assert found.chance((1, 1, 1)) >= found.chance((0.5, 1, 0.5)) >= found.chance((0, 0, 0))


# --- the trial --------------------------------------------------------------------------------------------------------


def test_the_auc_counts_pairs_and_ties_by_half():
    right, wrong = [(0.9, 1.0), (0.5, 1.0)], [(0.5, 1.0), (0.1, 1.0)]
    assert auc(right, wrong) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert auc([(0.9, 3.0), (0.1, 1.0)], [(0.5, 1.0)]) == 0.75


def scored(n: int, *, better: float, seed: int = 1) -> list[Scored]:
    """Both ways know the truth with noise; ``better`` is how much less the learned one has."""
    rng, rows = random.Random(seed), []
    for _ in range(n):
        is_right = rng.random() < 0.6
        noise = rng.gauss(0, 0.3)
        base = 0.6 if is_right else 0.4
        hand, learned = base + noise + rng.gauss(0, 0.1), base + noise * (1 - better) + rng.gauss(0, 0.1)
        rows.append(Scored(min(1.0, max(0.0, hand)), min(1.0, max(0.0, learned)), is_right))
    return rows


def test_delongs_interval_is_that_of_resampling():
    rows = scored(200, better=0.3)
    trial = compare(rows)
    rng, differences = random.Random(2), []
    for _ in range(400):
        drawn = rng.choices(rows, k=len(rows))
        sides = [[(getattr(row, name), 1.0) for row in drawn if row.is_right == is_right]
                 for name in ("learned", "hand_set") for is_right in (True, False)]  # fmt: skip
        differences.append(auc(sides[0], sides[1]) - auc(sides[2], sides[3]))
    differences.sort()
    assert trial.auc.low == pytest.approx(differences[10], abs=0.02)
    assert trial.auc.high == pytest.approx(differences[389], abs=0.02)
    squares = [(row.learned - row.is_right) ** 2 - (row.hand_set - row.is_right) ** 2 for row in rows]
    assert trial.brier.value == pytest.approx(fmean(squares))


def test_not_worse_has_to_be_shown():
    assert compare(scored(600, better=0.5)).is_not_worse
    assert not compare(scored(600, better=-0.5)).is_not_worse
    assert not compare(scored(70, better=0.0)).is_not_worse, "as good as it may be: so few do not show it"
    same = [replace(row, learned=row.hand_set) for row in scored(100, better=0.0)]
    assert compare(same).is_not_worse
    assert compare(scored(20, better=0.5)).auc is None
    kept = compare(scored(600, better=0.5))
    assert Trial.from_json(kept.to_json()).is_not_worse and kept.to_json()["margins"] == {"auc": 0.01, "brier": 0.005}


# --- from decisions ---------------------------------------------------------------------------------------------------


def decisions(n: int, seed: int = 7, true=(-3.0, 6.0, 0.0, 1.0)) -> list[Decision]:
    rng, found = random.Random(seed), []
    for one in examples(n, true, seed):
        signals = dict(zip((GROUNDED, TOOLS, RETRIEVAL), one.scores, strict=True))
        if rng.random() < 0.1:
            signals.pop(rng.choice(list(signals)))
        found.append(Decision(None, signals, one.is_right))
    return found


def test_the_latest_third_is_held_out_and_silent_drafts_teach_nothing():
    silent = Decision(None, {"self_confidence": 0.9}, True)
    lesson = learn_from([silent, *decisions(300), silent], RULES)
    assert (len(lesson.earlier), len(lesson.later)) == (200, 100)
    assert lesson.trial.is_not_worse and lesson.trial.auc.value > 0
    assert set(lesson.learned.weights) == {GROUNDED, TOOLS, RETRIEVAL}


def test_there_must_be_enough_of_either_kind():
    with pytest.raises(TooFewDecisions, match="30 drafts that people accepted"):
        learn_from([replace(one, is_right=True) for one in decisions(300)], RULES)
    with pytest.raises(TooFewDecisions):
        learn_from([], RULES)


# --- in the database --------------------------------------------------------------------------------------------------


@pytest.fixture
def world(db) -> World:
    signals = {str(name): {"weight": rule.weight, "use": "optional"} for name, rule in THREE.items()}
    rules = {"signals": signals, "new_release_reviews": 0, "sampling_share": 1.0, "auto_approve_above": 0.8}
    return make_world(rules={**rules, "quick_review_from": 0.4}, undo_seconds=0)


def balanced(n: int) -> list[Decision]:
    """By turns right and wrong, and nearly all by one signal, so that few show enough."""
    drawn = decisions(4 * n, true=(-8.0, 16.0, 0.0, 1.0))
    sides = [[one for one in drawn if one.is_right == is_right] for is_right in (True, False)]
    return [one for pair in zip(*sides, strict=False) for one in pair][:n]


def kept_weights(world: World, version: int, **fields) -> LearnedWeights:
    """Weights as they would be stored, without the decisions behind them."""
    now = db_now()
    instants = dict.fromkeys(("since", "split_at", "until", "fitted_at"), now)
    return LearnedWeights.objects.create(
        tenant=world.tenant,
        policy=world.policy,
        version=version,
        intercept=-3.0,
        weights={str(GROUNDED): 6.0},
        clear_margin=0.2,
        hand_set={"signals": world.policy.signals, "clear_margin": world.policy.clear_margin},
        fitted_on=100,
        compared_on=50,
        trial={"right": 0, "wrong": 0, "auc": None, "brier": None},
        fitted_by=world.supervisor,
        **instants,
        **fields,
    )


def test_weights_are_learned_tried_adopted_and_given_back(world):
    decided(world, [(one.signals, one.is_right) for one in balanced(186)])
    system = system_actor()
    weights = learning.learn(world.policy, actor=system)
    assert (weights.version, weights.fitted_on, weights.compared_on, weights.may_be_adopted) == (1, 124, 62, True)
    assert learning.learn(world.policy, actor=system).version == 2
    before = world.submit(signals=BETTER)
    assert before.state == "pending_review"
    moved = learning.thresholds_for(world.policy, learning.document_of(weights))
    now = learning.thresholds_for(world.policy, None)
    assert now.auto_approve_above == pytest.approx(0.8, abs=0.02)
    assert now.quick_review_from == pytest.approx(0.4, abs=0.02)
    assert moved.quick_review_from < moved.auto_approve_above <= moved.new_release_threshold

    shadow = learning.run_in_shadow(weights, actor=system, reason="look")
    with pytest.raises(Denied):
        learning.adopt(weights.pk, version=1, days=91, actor=world.supervisor, reason="mine")
    with pytest.raises(AdviceOutdated):
        learning.adopt(weights.pk, version=9, days=91, actor=system, reason="stale")
    kept = learning.adopt(weights.pk, version=1, days=91, actor=system, reason="as shown")
    assert kept.policy_version.reason.startswith("weights learned, version 1: as shown")
    assert kept.policy_version.document["learned"]["version"] == 1
    assert kept.threshold_after == moved.auto_approve_above, "no more pass than did"
    assert kept.report["trial"]["auc"]["learned"] > kept.report["trial"]["auc"]["hand_set"]

    after = world.submit(signals=BETTER)
    draft = after.current_draft
    assert after.state == "auto_approved" and draft.confidence > kept.threshold_after
    parts = {one["signal"]: one["weight"] for one in draft.contributions}
    assert parts["answer_groundedness"] > 0.6 > parts["tool_success"], "what counts is still said"
    assert ShadowVerdict.objects.get(shadow=shadow, draft=draft).confidence == draft.confidence
    assert PolicyVersion.objects.get(number=2).document["signals"] == world.policy.signals, "those by hand wait"

    back = learning.go_back(world.policy.pk, version=2, days=91, actor=system, reason="try again")
    assert back.policy_version.document["learned"] is None
    assert (back.threshold_after, ThresholdEvidence.objects.count()) == (pytest.approx(0.8, abs=0.05), 2)


def test_weights_that_are_not_shown_as_good_or_no_longer_fit_are_refused(world):
    poor = kept_weights(world, 1, may_be_adopted=False)
    weights = kept_weights(world, 2, may_be_adopted=True)
    with pytest.raises(NotShownAsGood):
        learning.adopt(poor.pk, version=1, days=91, actor=system_actor(), reason="anyway")
    world.policy.signals = world.policy.signals | {"tool_success": {"weight": 0.9, "use": "optional"}}
    publish(world.policy, actor=system_actor(), reason="by hand")
    with pytest.raises(AdviceOutdated, match="Learn again"):
        learning.adopt(weights.pk, version=2, days=91, actor=system_actor(), reason="old")
    assert PolicyVersion.objects.count() == 2
