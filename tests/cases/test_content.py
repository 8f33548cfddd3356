"""Content: the only place of personal and free text; everything else holds digests."""

import json

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from cases.clock import db_now
from cases.digests import salted_digest
from cases.models import Content
from cases.services import lifecycle
from cases.vocabulary import Verdict
from feedback.services import reviews
from feedback.submission import Submission
from queues.services import claims
from tests.submissions import complete
from tests.worlds import WEAK, make_world

pytestmark = pytest.mark.django_db

MARK = "zebrafish"  # Stands in every text of the walk below and is no word of the product.
PAYLOAD = {
    "user_question": f"question {MARK}",
    "messages": [{"role": "user", "content": f"message {MARK}"}],
    "model_draft": f"draft {MARK}",
    "reasoning": f"reasoning {MARK}",
    "evidence": [{"document_id": "d", "quote": f"quote {MARK}", "url": f"https://example.org/{MARK}"}],
    "policies": [{"policy_id": "p", "text": f"policy {MARK}"}],
    "tool_results": [{"tool": "t", "status": "ok", "output": f"output {MARK}"}],
    "reason_for_escalation": f"escalated {MARK}",
    "limited_answer": f"meanwhile {MARK}",
    "customer": {"reference": f"ref {MARK}", "email": f"{MARK}@example.org", "phone": MARK, "locale": "en"},
    "proposed_action": {
        "action": "issue_refund",
        "params": {"note": f"params {MARK}"},
        "amount": "42.00",
        "currency": "USD",
        "customer_id": f"ref {MARK}",
        "policy_basis": f"basis {MARK}",
    },
    "attachments": [{"url": f"https://example.org/{MARK}.pdf", "media_type": "application/pdf", "sha256": "0" * 64}],
    "metadata": {"free": f"metadata {MARK}"},
    "signals": WEAK,
}


def walk(world):
    """A case that has met every writer of text: intake, two reviews, an undo, kept text, notes, a withdrawal."""
    case = world.submit(**PAYLOAD)
    entry = claims.claim(case, world.reviewer)
    edit = Submission(verdict=Verdict.EDIT, final_answer=f"answer {MARK}", notes=MARK, policy_reason=MARK)
    edit = complete(edit, entry)
    reviews.submit(case.pk, edit, actor=world.reviewer, generation=entry.generation)
    reviews.undo(case.pk, actor=world.reviewer)
    reviews.keep_text(case.pk, edit, actor=world.reviewer)
    lifecycle.escalate(case.pk, actor=world.service, note=f"note {MARK}")
    lifecycle.withdraw(case.pk, actor=world.service, reason=f"reason {MARK}")
    return case


def tables_with(word: str) -> dict[str, int]:
    """Per table of the product how many rows hold ``word``, whatever the column."""
    found = {}
    with connection.cursor() as cursor:
        for room in ("cases", "queues", "approvals", "feedback"):
            for model in apps.get_app_config(room).get_models():
                table = model._meta.db_table
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text ILIKE %s', [f"%{word}%"])
                if rows := cursor.fetchone()[0]:
                    found[table] = rows
    return found


def test_text_rests_in_content_and_nowhere_else():
    walk(make_world())
    assert set(tables_with(MARK)) == {"cases_content"}


def test_erasing_a_cases_content_leaves_no_text_and_every_digest():
    case = walk(make_world())
    drafts = {draft.pk: bytes(draft.content_digest) for draft in case.drafts.all()}
    Content.objects.filter(case_id=case.pk).update(
        body=None, salt=None, search_text="", customer_key=None, erased_at=db_now()
    )
    assert tables_with(MARK) == {}
    assert {draft.pk: bytes(draft.content_digest) for draft in case.drafts.all()} == drafts
    assert case.content.__class__.objects.get(pk=case.content_id).text == {}


def test_every_piece_of_text_names_its_case_so_that_erasure_finds_it():
    case = walk(make_world())
    owners = set(Content.objects.filter(case_id=case.pk).values_list("owner", flat=True))
    assert owners == {"case", "draft", "review", "action", "event"}
    assert not Content.objects.exclude(case_id=case.pk).exists()


@pytest.mark.parametrize(
    "left",
    [{"body": {"a": 1}}, {"salt": b"x" * 16}, {"search_text": "words"}, {"customer_key": b"k"}],
)
def test_content_cannot_be_half_erased(left):
    case = make_world().submit()
    erased = {"body": None, "salt": None, "search_text": "", "customer_key": None, "erased_at": db_now()} | left
    with pytest.raises(IntegrityError, match="erased_content_is_empty"), transaction.atomic():
        Content.objects.filter(pk=case.content_id).update(**erased)


def test_what_is_stored_is_what_was_digested():
    case = make_world().submit(**PAYLOAD)
    draft = case.current_draft
    content = Content.objects.get(pk=draft.content_id)
    assert content.digest() == bytes(draft.content_digest) == salted_digest(content.salt, content.body)
    assert json.dumps(content.body).count(MARK) == 6


def test_the_same_text_has_another_digest_in_another_row():
    world = make_world()
    first, second = (world.submit() for _ in range(2))
    assert bytes(first.current_draft.content_digest) != bytes(second.current_draft.content_digest)


def test_a_customer_is_found_by_a_key_that_names_nobody_and_differs_between_tenants():
    one, other = make_world("one"), make_world("other")
    customer = {"customer": {"reference": "cust-1"}}
    keys = [bytes(world.submit(**customer).content.customer_key) for world in (one, one, other)]
    assert keys[0] == keys[1] != keys[2]
    assert b"cust-1" not in keys[0]
    assert one.submit().content.customer_key is None


def test_the_search_vector_lives_and_dies_with_its_text():
    case = make_world().submit(**PAYLOAD)
    assert Content.objects.filter(search=MARK).count() == 2
    Content.objects.filter(case_id=case.pk).update(
        body=None, salt=None, search_text="", customer_key=None, erased_at=db_now()
    )
    assert not Content.objects.filter(search=MARK).exists()


def test_a_text_as_long_as_the_wire_allows_can_be_stored_and_searched():
    # Every word differs: the worst case for a tsvector, which holds at most 1 MB.
    long = " ".join(f"word{number:x}" for number in range(22_000))[:199_990]
    case = make_world().submit(user_question=long, model_draft=long)
    assert case.content.text["user_question"] == long
