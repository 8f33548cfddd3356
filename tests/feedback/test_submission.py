"""What a reviewer may hand in, as a table. Pure."""

import pytest

from cases.vocabulary import Kind, Route, Verdict
from feedback.errors import ReviewInvalid
from feedback.submission import Shown, Submission, check, is_override

ANSWER = Shown(
    kind=Kind.ANSWER,
    route=Route.QUICK_REVIEW,
    has_draft=True,
    can_redraft=True,
    model_draft="Yes.",
    reason_codes=frozenset({"wrong_fact"}),
)
DECISION = Shown(
    kind=Kind.DECISION,
    route=Route.QUICK_REVIEW,
    has_draft=True,
    can_redraft=True,
    model_decision="deny",
    decision_options=("allow", "escalate"),
)
EMPTY = Shown(kind=Kind.ANSWER, route=Route.FULL_INVESTIGATION, has_draft=False, can_redraft=True)


def shown(base: Shown, **changes) -> Shown:
    return Shown(**(base.__dict__ | changes))


def counted(given: Submission, base: Shown = ANSWER) -> Submission:
    return check(given, base)


@pytest.mark.parametrize(
    ("given", "base", "verdict", "answer", "decision"),
    [
        (Submission(Verdict.ACCEPT), ANSWER, "accept", "", ""),
        (Submission(Verdict.ACCEPT, final_answer="ignored"), ANSWER, "accept", "", ""),
        (Submission(Verdict.ACCEPT), DECISION, "accept", "", "deny"),
        (Submission(Verdict.EDIT, final_answer="No."), ANSWER, "edit", "No.", ""),
        (Submission(Verdict.EDIT, final_answer="Yes."), ANSWER, "accept", "", ""),
        (Submission(Verdict.EDIT, final_answer="  "), ANSWER, "accept", "", ""),
        (Submission(Verdict.EDIT, final_decision="allow"), DECISION, "edit", "", "allow"),
        (Submission(Verdict.EDIT, final_decision="deny"), DECISION, "accept", "", "deny"),
        (Submission(Verdict.EDIT), DECISION, "accept", "", "deny"),
        (Submission(Verdict.REJECT, notes="no"), ANSWER, "reject", "", ""),
        (Submission(Verdict.REJECT, reason_code="wrong_fact"), ANSWER, "reject", "", ""),
        (Submission(Verdict.REJECT, policy_reason="4.2"), ANSWER, "reject", "", ""),
        (Submission(Verdict.NEEDS_EDIT, notes="cite the policy"), ANSWER, "needs_edit", "", ""),
        (Submission(Verdict.EDIT, final_answer="Mine.", notes="why"), EMPTY, "edit", "Mine.", ""),
        (Submission(Verdict.REJECT, notes="spam"), EMPTY, "reject", "", ""),
    ],
)
def test_a_submission_as_it_counts(given, base, verdict, answer, decision):
    result = counted(given, base)
    assert (result.verdict, result.final_answer, result.final_decision) == (verdict, answer, decision)


@pytest.mark.parametrize(
    ("given", "base", "pointer"),
    [
        (Submission(Verdict.ACCEPT), EMPTY, "/verdict"),
        (Submission(Verdict.EDIT), EMPTY, "/final_answer"),
        (Submission(Verdict.EDIT, final_answer="Mine."), EMPTY, "/reason_code"),
        (Submission(Verdict.EDIT, final_answer="Mine."), shown(EMPTY, kind=Kind.DECISION), "/final_decision"),
        (Submission(Verdict.REJECT), ANSWER, "/reason_code"),
        (Submission(Verdict.REJECT, notes="  \n"), ANSWER, "/reason_code"),
        (Submission(Verdict.NEEDS_EDIT), ANSWER, "/notes"),
        (Submission(Verdict.NEEDS_EDIT, notes="again"), shown(ANSWER, can_redraft=False), "/verdict"),
        (Submission(Verdict.REJECT, reason_code="no_such_code"), ANSWER, "/reason_code"),
        (Submission(Verdict.ACCEPT, reason_code="no_such_code"), ANSWER, "/reason_code"),
        (Submission(Verdict.EDIT, final_decision="invented"), DECISION, "/final_decision"),
        (Submission(Verdict.EDIT, final_answer="No."), shown(ANSWER, route=Route.FULL_INVESTIGATION), "/reason_code"),
    ],
)
def test_an_incomplete_submission_names_the_field_that_is_wrong(given, base, pointer):
    with pytest.raises(ReviewInvalid) as refused:
        counted(given, base)
    assert (refused.value.pointer, refused.value.status) == (pointer, 400)


def test_a_full_investigation_that_changes_nothing_needs_its_reason_too():
    base = shown(ANSWER, route=Route.FULL_INVESTIGATION)
    assert counted(Submission(Verdict.EDIT, final_answer="Yes.", notes="why"), base).verdict == "accept"


def test_a_decision_is_free_where_the_policy_lists_none():
    free = shown(DECISION, decision_options=())
    assert counted(Submission(Verdict.EDIT, final_decision="anything"), free).final_decision == "anything"


def test_the_models_own_decision_may_stand_even_where_the_policy_does_not_list_it():
    assert counted(Submission(Verdict.EDIT, final_answer="x", final_decision="deny"), DECISION).final_decision == "deny"


def test_what_else_was_captured_is_kept_whatever_the_verdict():
    given = Submission(
        Verdict.ACCEPT,
        notes="n",
        missing_evidence="m",
        incorrect_evidence=("d1", "d2"),
        better_retrieval_query="q",
        policy_reason="p",
    )
    assert counted(given).texts() == given.texts()
    assert counted(given).texts()["incorrect_evidence"] == ["d1", "d2"]


@pytest.mark.parametrize(
    ("verdict", "base", "expected"),
    [
        (Verdict.ACCEPT, ANSWER, False),
        (Verdict.EDIT, ANSWER, True),
        (Verdict.REJECT, ANSWER, True),
        (Verdict.NEEDS_EDIT, ANSWER, False),
        (Verdict.EDIT, EMPTY, False),
        (Verdict.REJECT, EMPTY, False),
    ],
)
def test_an_override_is_an_edit_or_a_rejection_of_something_that_was_there(verdict, base, expected):
    assert is_override(Submission(verdict), base) is expected
