"""A reviewer who tries to tell challenges from real cases: everything that they can see as numbers, and a classifier.

The suite runs it small, and ``test_telling_apart`` says how to run it on a thousand cases. It has a control: the same
classifier on the same cases with one field that does leak must find them.
"""

import random
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from math import exp, log, sqrt
from typing import Any
from uuid import UUID

from django.test import Client
from django.urls import reverse

from approvals.models import ProposedAction
from approvals.services.lifetimes import sweep_ended_cases
from cases.models import Case, User
from feedback.models import PlantedChallenge
from feedback.services import challenges, planting, reviews
from feedback.submission import Submission
from queues.models import Entry
from queues.services import claims
from queues.services.fitness import Fitness, fitness_of
from tests.approvals.desks import run_due
from tests.callers import Caller
from tests.worlds import World

FOLDS = 5
ROUNDS = 25
TRIES = 30
WORDS = 16  # buckets that words are hashed into

# Half of them are names that challenges use as well, as in life.
NAMES = "Anna Bob Carmen Dmitri Emma Felix Gita Hugo Ines Jonah Kofi Lena Maja Nils Olga Peter Quentin Rosa Sven Tara"
SURNAMES = (
    "Adams Becker Cohen Dubois Egger Fischer Gupta Hall Ito Jones Keller Lopez Meyer Novak Olsen Parker Roth Silva"
)
ITEMS = "shoes coat lamp kettle phone ticket chair bicycle watch camera"
ASKS = (
    "Hi, my name is {name}. My {item} of order ord_{order} {trouble}. I paid {amount} USD. What now?",
    "Hello, {trouble}: the {item}, order ord_{order}. I want my {amount} USD back. Regards, {name}",
    "Where is my {item}? Order ord_{order}. It {trouble}.",
)
TROUBLES = ("came broken", "never came", "is the wrong size", "was charged twice", "stopped working after a week")
ANSWERS = (
    "Dear {first}, we refund {amount} USD for order ord_{order} within five days.",
    "I am sorry, {first}. The {item} can be exchanged within 30 days; send back order ord_{order}.",
    "We have asked the carrier about order ord_{order} and write again tomorrow.",
)


def real_payload(number: int, dice: random.Random) -> dict[str, Any]:
    """What a caller sends; every field that may be there is there sometimes."""
    first, last = dice.choice(NAMES.split()), dice.choice(SURNAMES.split())
    words = {
        "name": f"{first} {last}",
        "first": first,
        "item": dice.choice(ITEMS.split()),
        "order": dice.randrange(10_000, 99_999),
        "trouble": dice.choice(TROUBLES),
        "amount": f"{dice.randrange(20, 900)}.{dice.randrange(100):02}",
    }
    signals = {name: round(dice.uniform(0.3, 0.9), 2) for name in ("calibrated_confidence", "answer_groundedness")}
    payload: dict[str, Any] = {
        "external_id": f"conv-{40_000 + 3 * number + dice.randrange(3)}",
        "domain": "billing",
        "language": dice.choice(("en", "en", "de")),
        "user_question": dice.choice(ASKS).format(**words),
        "model_draft": dice.choice(ANSWERS).format(**words),
        "signals": signals | ({"judge_score": round(dice.random(), 3)} if dice.random() < 0.5 else {}),
        "evidence": [
            {"document_id": f"doc_{dice.randrange(9)}", "quote": "Within 30 days.", "score": round(dice.random(), 2)}
            for _ in range(dice.randrange(1, 4))
        ],
        "release": {"model": "m", "version": dice.choice(("1", "1", "2"))},
    }
    if dice.random() < 0.6:
        payload["customer"] = {"reference": f"cust_{dice.randrange(1000, 9999)}", "email": f"{first}@x.org".lower()}
    if dice.random() < 0.4:
        payload["trace_id"] = f"{dice.getrandbits(64):016x}"
    if dice.random() < 0.3:
        scan = f"https://files.example/scans/invoice-{dice.randrange(1000, 9999)}.pdf"
        payload["attachments"] = [
            {"url": scan, "media_type": "application/pdf", "sha256": f"{dice.getrandbits(256):064x}"}
        ]
    if dice.random() < 0.3:
        payload["proposed_action"] = {
            "action": "issue_refund",
            "params": {"order_id": f"ord_{words['order']}"},
            "amount": words["amount"],
            "currency": "USD",
        }
    if dice.random() < 0.5:
        payload["tags"] = [dice.choice(("beta", "vip"))]
    return payload


def build(world: World, *, each: int, golds: int, people: Sequence[User], dice: random.Random) -> dict[UUID, str]:
    """``each`` real cases and as many challenges, come in mixed; returns per case its group (the gold case, or itself).

    The gold cases are made by the product's one click of earlier cases, which are not among them.
    """
    earlier = [world.submit(**real_payload(n, dice)) for n in range(golds)]
    for case in earlier:
        entry = claims.claim(case, people[0])
        said = Submission("reject", notes="Wrong.", no_evidence_applies=True)
        reviews.submit(case.pk, _fit(said, entry), actor=people[0], generation=entry.generation)
    run_due(2 * golds)
    sweep_ended_cases(limit=golds)
    for case in earlier:
        proposal = challenges.proposal_of(Case.objects.with_text().get(pk=case.pk), actor=world.supervisor)
        proposal.explanation = "It promises what the policy does not."
        challenges.save(proposal, actor=world.supervisor, reason="for the test")
    for n in range(planting.FEW_DONORS):
        world.submit(**real_payload(golds + n, dice))
    fits = {person: fitness_of(person, world.tenant) for person in people}
    groups: dict[UUID, str] = {}
    number, turns = golds + planting.FEW_DONORS, dice.sample([True, False] * each, 2 * each)
    for turn, is_challenge in enumerate(turns):
        if is_challenge:
            person = people[turn % len(people)]
            planted = _planted(person, world, fits[person])
            assert planted is not None, "more challenges than gold cases"
            groups[planted.case_id] = str(planted.challenge_id)
        else:
            case = world.submit(**real_payload(number, dice))
            groups[case.pk] = str(case.pk)
            number += 1
        run_due(2)
    return groups


def _planted(person: User, world: World, fitness: Fitness) -> PlantedChallenge | None:
    """One, though the lot may ask for an action that the gold cases left do not have."""
    found = (planting.plant(person, world.tenant, "billing", fitness) for _ in range(TRIES))
    return next((planted for planted in found if planted), None)


def _fit(said: Submission, entry: Entry) -> Submission:
    cited = {item["document_id"] for item in entry.case.current_draft.content.text["evidence"]}
    checked = tuple((name, "supports") for name in sorted(cited))
    return Submission(said.verdict, notes=said.notes, checked_evidence=checked)


def look(world: World, groups: Mapping[UUID, str], *, people: Sequence[User], signer: User) -> list[dict[str, float]]:
    """What is to be seen of each case, in the order of ``groups``: before it is decided, while it is held, afterwards;
    and of its action, by ``signer``.

    Each is taken by somebody whom the queue would give it to, read by the API and on the page, and decided.
    """
    signs = Caller(signer, world.tenant)
    reader, browser = Caller(people[-1], world.tenant), Client()
    browser.force_login(people[-1], backend="django.contrib.auth.backends.ModelBackend")
    seen = {key: features(reader.get(f"cases/case_{key.hex}/").json(), "case") for key in groups}
    for key, case_id in ProposedAction.objects.filter(case__in=groups).values_list("pk", "case"):
        seen[case_id] |= features(signs.get(f"actions/act_{key.hex}/").json(), "action")
    for place, key in enumerate(Case.objects.filter(pk__in=groups).order_by("-id").values_list("pk", flat=True)):
        seen[key]["place in the list"] = place % 7
    held_before = 0
    for turn, key in enumerate(groups):
        planted = PlantedChallenge.objects.filter(pk=key).select_related("person").first()
        person = planted.person if planted else people[turn % len(people)]
        entry = claims.claim(Case.objects.get(pk=key), person)
        seen[key]["generation after the last"] = entry.generation - held_before
        held_before = entry.generation
        at = reverse("admin:feedback_review_work", args=[key])
        page = re.sub(r"csrf\w+\W+\w+\W+\w+", "", browser.get(at).content.decode())
        seen[key] |= {
            "page's length": len(page) % 1000,
            "page's tags": page.count("<"),
            "page's links": page.count("<a"),
        }
        said = _fit(Submission("accept", notes="Right."), entry)
        reviews.submit(key, said, actor=person, generation=entry.generation)
        timeline = reader.get(f"cases/case_{key.hex}/timeline/").json()
        seen[key] |= features(timeline["results"], "timeline") | features(
            reader.get(f"cases/case_{key.hex}/").json(), "after"
        )
    return [seen[key] for key in groups]


def features(document: Any, path: str = "", opened: datetime | None = None) -> dict[str, float]:
    """Every leaf of a document as numbers: that it is there, its size, its digits; the words of texts; times of day,
    and for ids how far their own time is from the case's."""
    found: dict[str, float] = {}
    opened = opened or _opened(document)
    if isinstance(document, Mapping):
        for name, value in document.items():
            found |= features(value, f"{path}.{name}", opened)
    elif isinstance(document, list):
        found[f"{path} count"] = len(document)
        for place, value in enumerate(document[:4]):
            found |= features(value, f"{path}[{place}]", opened)
    elif isinstance(document, bool | None):
        found[f"{path} {document}"] = 1.0
    elif isinstance(document, int | float):
        found[path] = float(document)
        found[f"{path} decimals"] = len(repr(document).partition(".")[2])
    else:
        found |= _of_text(str(document), path, opened)
    return found


def _opened(document: Any) -> datetime | None:
    at = document.get("opened_at") if isinstance(document, Mapping) else None
    return datetime.fromisoformat(at) if at else None


def _of_text(text: str, path: str, opened: datetime | None) -> dict[str, float]:
    found = {f"{path} length": float(len(text)), f"{path} digits": float(sum(map(str.isdigit, text)))}
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.*", text):
        at = datetime.fromisoformat(text)
        found[f"{path} second"], found[f"{path} microsecond"] = float(at.second), float(at.microsecond)
        if opened:
            found[f"{path} after opening"] = (at - opened).total_seconds()
        return found
    if opened and (key := re.fullmatch(r"[a-z]+_([0-9a-f]{32})", text)):
        found[f"{path} own time"] = (UUID(hex=key[1]).int >> 80) / 1000 - opened.timestamp()
    for word in re.findall(r"[^\W\d_]+", text):
        bucket = f"{path} word {zlib.crc32(word.encode()) % WORDS}"
        found[bucket] = found.get(bucket, 0.0) + 1
    return found


# --- the classifier ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """Area under the ROC curve over pairs within each fold, and its standard error (Hanley and McNeil 1982)."""

    auc: float
    error: float

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        return self.auc - z * self.error, self.auc + z * self.error

    def is_chance(self, z: float = 1.96) -> bool:
        low, high = self.interval(z)
        return low <= 0.5 <= high


def tell_apart(
    rows: Sequence[Mapping[str, float]], truth: Sequence[bool], groups: Sequence[str], dice: random.Random
) -> Told:
    """Cross-validated: what is made of one gold case stands in one fold, since nobody is given the same one twice."""
    columns = sorted({name for row in rows for name in row})
    matrix = [[row.get(name, -1.0) for row in rows] for name in columns]
    # Columns that say the same of every row are one, and those that say nothing are none.
    matrix = [values for values in dict.fromkeys(map(tuple, matrix)) if len(set(values)) > 1]
    order = sorted(set(groups))
    dice.shuffle(order)
    fold_of = {group: place % FOLDS for place, group in enumerate(order)}
    parts = []
    for fold in range(FOLDS):
        train = [n for n in range(len(rows)) if fold_of[groups[n]] != fold]
        test = [n for n in range(len(rows)) if fold_of[groups[n]] == fold]
        stumps = boosted(matrix, truth, train)
        scores = {n: sum(weight * side(matrix[c][n], cut) for c, cut, weight in stumps) for n in test}
        parts.append((_auc([scores[n] for n in test if truth[n]], [scores[n] for n in test if not truth[n]]), test))
    aucs = [auc for auc, _ in parts]
    errors = [_error(auc, sum(truth[n] for n in test), sum(not truth[n] for n in test)) for auc, test in parts]
    return Told(sum(aucs) / FOLDS, sqrt(sum(error**2 for error in errors)) / FOLDS)


def side(value: float, cut: float) -> int:
    return 1 if value > cut else -1


def boosted(
    matrix: Sequence[Sequence[float]], truth: Sequence[bool], train: Sequence[int]
) -> list[tuple[int, float, float]]:
    """AdaBoost on stumps (Freund and Schapire 1997): per round the column, the cut, and the signed weight."""
    orders = [sorted(train, key=values.__getitem__) for values in matrix]
    weights = {n: 1 / len(train) for n in train}
    chosen = []
    for _ in range(ROUNDS):
        best = (0.0, 0, 0.0)
        for column, order in enumerate(orders):
            values = matrix[column]
            # The edge of "above the cut means a challenge" for each cut between two different values.
            signed = [weights[n] if truth[n] else -weights[n] for n in order]
            total = sum(signed)
            for place, below in enumerate(accumulate(signed)):
                if place + 1 < len(order) and values[order[place]] != values[order[place + 1]]:
                    edge = total - 2 * below
                    if abs(edge) > abs(best[0]):
                        best = (edge, column, (values[order[place]] + values[order[place + 1]]) / 2)
        edge, column, cut = best
        edge = max(-0.98, min(0.98, edge))
        if abs(edge) < 1e-6:
            break
        weight = 0.5 * log((1 + edge) / (1 - edge))
        chosen.append((column, cut, weight))
        for n in train:
            is_right = side(matrix[column][n], cut) * (1 if truth[n] else -1)
            weights[n] *= exp(-weight * is_right)
        scale = sum(weights.values())
        weights = {n: value / scale for n, value in weights.items()}
    return chosen


def _auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    pairs = len(positives) * len(negatives)
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    return wins / pairs


def _error(auc: float, positives: int, negatives: int) -> float:
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return sqrt(max(spread, 1e-6) / (positives * negatives))


def leads(rows: Sequence[Mapping[str, float]], truth: Sequence[bool], most: int = 12) -> list[str]:
    """The columns that differ most between the two, for whoever has to find a leak."""
    found = []
    for name in sorted({name for row in rows for name in row}):
        ours = [row.get(name, -1.0) for row, is_one in zip(rows, truth, strict=True) if is_one]
        others = [row.get(name, -1.0) for row, is_one in zip(rows, truth, strict=True) if not is_one]
        found.append((abs(_auc(ours, others) - 0.5), f"{name}: {_auc(ours, others):.2f}"))
    return [text for _, text in sorted(found, reverse=True)[:most]]
