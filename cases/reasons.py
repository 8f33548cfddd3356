"""Why a case takes its route, in plain words: clauses, and the one sentence that they make. Pure and deterministic."""

from collections.abc import Sequence

from cases.confidence import Confidence, Contribution
from cases.vocabulary import Risk, Signal, Trigger

LIMIT = 200  # characters of a sentence
NAME_LIMIT = 40  # characters of a name that a caller or a member of staff chose
SWITCH_LIMIT = 120  # characters of what the switch says, scope and reason together
NAMED_SIGNALS = 2

_NAMES = {
    Signal.CALIBRATED_CONFIDENCE: "calibrated confidence",
    Signal.SELF_CONFIDENCE: "the model's own confidence",
    Signal.RETRIEVAL_SCORE: "retrieval score",
    Signal.RERANK_MARGIN: "margin of the best passage",
    Signal.ANSWER_GROUNDEDNESS: "groundedness",
    Signal.TOOL_SUCCESS: "tool success",
    Signal.POLICY_CLASSIFIER_SCORE: "policy classifier score",
    Signal.JUDGE_SCORE: "judge score",
}

_FROM_CALLER = {
    Trigger.LOW_CONFIDENCE: "the caller reports low confidence",
    Trigger.HIGH_STAKES: "the caller reports high stakes",
    Trigger.POLICY_BOUNDARY: "the caller reports the edge of a policy",
    Trigger.TOOL_RISK: "the caller reports a risky tool",
    Trigger.USER_ESCALATION: "the customer asked for a person",
    Trigger.QUALITY_FAILURE: "the caller reports a failed quality check",
    Trigger.AUTOMATION_STOPPED: "the caller reports stopped automation",
    Trigger.MISSING_SIGNALS: "the caller reports missing signals",
    Trigger.NO_DRAFT: "the caller reports that there is no draft",
    Trigger.RULE_FAILED: "the caller reports a failed rule",
    Trigger.UNKNOWN_DOMAIN: "the caller reports an unknown domain",
    Trigger.UNKNOWN_LANGUAGE: "the caller reports an unknown language",
}

NO_DRAFT = "there is no draft to check"
POLICY_UNREADABLE = "the policy could not be read"
SEEN_BEFORE = "an earlier draft of this case was sent back or questioned"


def sentence(clauses: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; as many whole clauses as fit into ``LIMIT``, then how many are left out."""
    kept = list(dict.fromkeys(clauses))
    left_out = 0
    while len(text := _joined(kept, left_out)) > LIMIT and len(kept) > 1:
        kept.pop()
        left_out += 1
    return text if len(text) <= LIMIT else text[: LIMIT - 1].rstrip() + "…"


def _joined(clauses: list[str], left_out: int) -> str:
    more = [f"{left_out} more reason{'s' if left_out > 1 else ''}"] if left_out else []
    parts = clauses + more
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def automatic(confidence: Confidence, threshold: float) -> str:
    return f"confidence {number(confidence.value)} is above {number(threshold)} and nothing speaks against it"


def low_confidence(confidence: Confidence, threshold: float, *, cautious: bool) -> list[str]:
    """What holds the confidence down most: at most two weak signals, else what is missing, else the number alone."""
    used = [part for part in confidence.contributions if part.weight > 0]
    most_lost = sorted(used, key=lambda part: -part.lost)
    if weak := [part for part in most_lost if part.reading in ("weak", "ambiguous")]:
        return [_weak(part) for part in weak[:NAMED_SIGNALS]]
    if all(part.value is None for part in used):
        return ["no signal was reported"]
    if missing := [part for part in most_lost if part.value is None]:
        names = [_NAMES[Signal(part.signal)] for part in missing[:NAMED_SIGNALS]]
        return [f"confidence is only {number(confidence.value)} without {sentence(names)}"]
    limit = f"the {number(threshold)} that a new release needs" if cautious else number(threshold)
    return [f"confidence {number(confidence.value)} is not above {limit}"]


def _weak(part: Contribution) -> str:
    if part.signal == Signal.RERANK_MARGIN:
        return f"the best passage is ambiguous (margin {part.value:.2f})"
    return f"{_NAMES[Signal(part.signal)]} is low ({part.value:.2f})"


def missing_required(confidence: Confidence) -> str:
    names = [_NAMES[Signal(name)] for name in confidence.missing_required]
    return f"the required {sentence(names)} {'is' if len(names) == 1 else 'are'} missing"


def high_stakes(domain: str, risk: Risk, *, by_domain: bool, by_risk: bool) -> list[str]:
    clauses = [f"the domain {words(domain)} is high stakes"] if by_domain else []
    return clauses + ([f"the risk is {risk}"] if by_risk else [])


def unknown_domain(domain: str) -> str:
    return f"the policy does not know the domain {words(domain)}"


def unknown_language(language: str) -> str:
    named = language and language != "und"
    return f"the policy does not know the language {short(language)}" if named else "no language was named"


def held_back(share: int) -> str:
    return f"automation is resuming: {share} % of what would pass by itself does, and this draft is not among them"


def failed_tools(failed: int, total: int) -> str:
    return f"{failed} of {total} tools failed" if total > 1 else "a tool failed"


def risky_action(name: str, impact: Risk | None, *, may_run_alone: bool) -> str:
    if not may_run_alone:
        return f"its action {words(name)} needs approval"
    return f"its action {words(name)} has {impact} impact"


def from_caller(trigger: Trigger) -> str:
    return _FROM_CALLER[trigger]


def condition_holds(name: str) -> str:
    return f"the policy's condition \u201c{short(name)}\u201d applies"


def condition_failed(name: str) -> str:
    return f"the policy's condition \u201c{short(name)}\u201d could not be evaluated"


def automation_stopped(why: str) -> str:
    """``why`` is a bare cause, or a clause about automation as the switch words it, which stands for itself."""
    if why.startswith("automation "):
        return short(why, SWITCH_LIMIT)
    return f"automation is stopped ({short(why)})" if why.strip() else "automation is stopped"


def number(value: float) -> str:
    """Two to four decimals, so that 0.9499 is never shown as 0.95."""
    text = f"{value:.4f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")


def words(code: str) -> str:
    """A code as words: ``issue_refund`` is "issue refund" to a reader."""
    return short(code.replace("_", " "))


def short(name: str, limit: int = NAME_LIMIT) -> str:
    """In one line, at most ``limit`` characters."""
    line = " ".join(name.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
