"""The strict reading of the document that stores a policy: every field's range and words, and what must agree. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cases.conditions import ConditionInvalid, check
from cases.confidence import DIGITS, Learned, SignalRule
from cases.errors import CountersignError
from cases.vocabulary import Risk, Signal, Trigger, Use

DOMAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
PRIMARY_LANGUAGE = re.compile(r"[a-z]{2,8}")
CODE = re.compile(r"[a-z][a-z0-9_]{0,49}")
LABEL_LENGTH = 100
LABEL_ERROR = f"Words are 1 to {LABEL_LENGTH} characters in one line."
NAME_LENGTH = 60
MAX_ENTRIES = 200
MAX_CONDITIONS = 50
MAX_WEIGHT = 1000.0
MAX_REVIEWS = 100_000
LEARNED_FIELDS = {"version", "intercept", "weights", "clear_margin"}

# A policy may call more risks high stakes, never fewer: what is high is not decided without a person.
ALWAYS_HIGH_STAKES = frozenset({Risk.HIGH, Risk.CRITICAL})

# A condition is an opinion; these state what triage itself found.
FOUND_BY_TRIAGE = frozenset(
    {
        Trigger.AUTOMATION_STOPPED,
        Trigger.MISSING_SIGNALS,
        Trigger.NO_DRAFT,
        Trigger.RULE_FAILED,
        Trigger.UNKNOWN_DOMAIN,
        Trigger.UNKNOWN_LANGUAGE,
    }
)
CONDITION_TRIGGERS = tuple(trigger for trigger in Trigger if trigger not in FOUND_BY_TRIAGE)


class RulesInvalid(CountersignError):
    """The document is no policy; ``errors`` holds every (field, message) pair that was found."""

    code = "rules_invalid"
    title = "The policy is not valid"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        self.errors = errors
        super().__init__(" ".join(f"{name}: {message}" for name, message in errors))


@dataclass(frozen=True)
class Condition:
    """While ``expression`` (CEL, see ``conditions``) holds for a case, ``trigger`` sends it to people."""

    name: str
    trigger: Trigger
    expression: str


class Reader:
    """Reads a document field by field and collects what is wrong, so that staff see every error at once."""

    def __init__(self, document: object, defaults: dict[str, Any], check_conditions: bool) -> None:
        self.check_conditions = check_conditions
        self.errors: list[tuple[str, str]] = []
        self.document = defaults
        if not isinstance(document, Mapping):
            raise RulesInvalid([("policy", "Must be an object.")])
        for key in document:
            if key not in self.document:
                self.error(str(key)[:40], "Is not a field of a policy.")
        self.document |= {key: document[key] for key in document if key in self.document}
        self.given = frozenset(document)

    def error(self, name: str, message: str) -> None:
        self.errors.append((name, message))

    def read(self) -> dict[str, Any]:
        """The fields of ``Rules``; raises ``RulesInvalid``."""
        fields = {
            "auto_approve_above": self.threshold("auto_approve_above"),
            "quick_review_from": self.threshold("quick_review_from"),
            "signals": self.signals(),
            "clear_margin": self.number("clear_margin", self.document["clear_margin"], 0.001, 1.0),
            "known_domains": frozenset(self.texts("known_domains", DOMAIN)),
            "known_languages": frozenset(
                self.texts("known_languages", PRIMARY_LANGUAGE, "Each entry must be a primary language subtag.")
            ),
            "high_stakes_domains": frozenset(self.texts("high_stakes_domains", DOMAIN)),
            "high_stakes_risks": self.risks(),
            "risk_floor": self.floors(),
            "risk_when_absent": self.word("risk_when_absent", self.document["risk_when_absent"], Risk),
            "sampling_share": self.number("sampling_share", self.document["sampling_share"]),
            "new_release_reviews": self.reviews(),
            "new_release_sampling": self.number("new_release_sampling", self.document["new_release_sampling"]),
            "new_release_threshold": self.new_release_threshold(),
            "decision_options": tuple(self.texts("decision_options")),
            "reason_codes": self.reason_codes(),
            "conditions": self.conditions(),
            "tolerated_error": self.number("tolerated_error", self.document["tolerated_error"]),
            "learned": self.learned(),
        }
        if not self.errors:
            self.compare(fields)
        if self.errors:
            raise RulesInvalid(self.errors)
        return fields

    def compare(self, fields: dict[str, Any]) -> None:
        above, strict = fields["auto_approve_above"], fields["new_release_threshold"]
        if fields["quick_review_from"] > above:
            self.error("quick_review_from", "Must not be above auto_approve_above.")
        if strict is not None and strict < above:
            if "new_release_threshold" in self.given:
                self.error("new_release_threshold", "Must not be below auto_approve_above.")
            fields["new_release_threshold"] = above  # The default stood below a threshold that the tenant raised.

    def number(self, name: str, value: object, low: float = 0.0, high: float = 1.0) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        self.error(name, f"Must be a number from {low:g} to {high:g}.")
        return low

    def threshold(self, name: str) -> float:
        value = self.number(name, self.document[name])
        if round(value, DIGITS) != value:
            self.error(name, f"Must have at most {DIGITS} decimals, as a confidence has.")
        return value

    def new_release_threshold(self) -> float | None:
        name = "new_release_threshold"
        return None if self.document[name] is None else self.threshold(name)

    def reviews(self) -> int:
        value = self.document["new_release_reviews"]
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_REVIEWS:
            return value
        self.error("new_release_reviews", f"Must be a whole number from 0 to {MAX_REVIEWS}.")
        return 0

    def word(self, name: str, value: object, words: type) -> Any:
        if isinstance(value, str) and value in words.values:
            return words(value)
        self.error(name, f"Must be one of {', '.join(words.values)}.")
        return None

    def mapping(self, name: str, value: object) -> Mapping:
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value) and len(value) <= MAX_ENTRIES:
            return value
        self.error(name, "Must be an object.")
        return {}

    def entries(self, name: str, limit: int = MAX_ENTRIES) -> list:
        value = self.document[name]
        if isinstance(value, list | tuple) and len(value) <= limit:
            return list(value)
        self.error(name, f"Must be a list of at most {limit} entries.")
        return []

    def texts(
        self, name: str, pattern: re.Pattern | None = None, refused: str = "Each entry must be a domain's name."
    ) -> list[str]:
        found = self.entries(name)
        for value in found:
            if not is_text(value, LABEL_LENGTH) or (pattern and not pattern.fullmatch(value)):
                self.error(name, refused if pattern else LABEL_ERROR)
                return []
        if len(set(found)) < len(found):
            self.error(name, "An entry is there twice.")
        return found

    def signals(self) -> dict[Signal, SignalRule]:
        found = {}
        for name, rule in self.mapping("signals", self.document["signals"]).items():
            path = f"signals.{name[:40]}"
            if name not in Signal.values:
                self.error(path, "Is not a known signal.")
            elif not isinstance(rule, Mapping) or set(rule) != {"weight", "use"}:
                self.error(path, "Must be an object with weight and use.")
            else:
                weight = self.number(f"{path}.weight", rule["weight"], 0.0, MAX_WEIGHT)
                if use := self.word(f"{path}.use", rule["use"], Use):
                    found[Signal(name)] = SignalRule(weight, use)
        if not self.errors and math.fsum(rule.weight for rule in found.values() if rule.use != Use.UNUSED) <= 0:
            self.error("signals", "At least one signal in use must have a weight above 0.")
        return found

    def learned(self) -> Learned | None:
        value = self.document["learned"]
        if value is None:
            return None
        if not isinstance(value, Mapping) or set(value) != LEARNED_FIELDS:
            self.error("learned", f"Must be an object with {', '.join(sorted(LEARNED_FIELDS))}.")
            return None
        version = value["version"]
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            self.error("learned.version", "Must be a whole number from 1.")
        weights = {}
        for name, weight in self.mapping("learned.weights", value["weights"]).items():
            path = f"learned.weights.{name[:40]}"
            if name not in Signal.values:
                self.error(path, "Is not a known signal.")
            else:
                weights[Signal(name)] = self.number(path, weight, 0.0, MAX_WEIGHT)
        intercept = self.number("learned.intercept", value["intercept"], -MAX_WEIGHT, MAX_WEIGHT)
        margin = self.number("learned.clear_margin", value["clear_margin"], 0.001, 1.0)
        return Learned(version, intercept, weights, margin)

    def risks(self) -> frozenset[Risk]:
        found = frozenset(
            risk
            for value in self.entries("high_stakes_risks")
            if (risk := self.word("high_stakes_risks", value, Risk)) is not None
        )
        if not found >= ALWAYS_HIGH_STAKES:
            self.error("high_stakes_risks", "Must hold high and critical, which always go to a person.")
        return found

    def floors(self) -> dict[str, Risk]:
        found = {}
        for domain, value in self.mapping("risk_floor", self.document["risk_floor"]).items():
            if not DOMAIN.fullmatch(domain):
                self.error("risk_floor", "Each key must be a domain's name.")
            elif risk := self.word(f"risk_floor.{domain}", value, Risk):
                found[domain] = risk
        return found

    def reason_codes(self) -> tuple[tuple[str, str], ...]:
        found = []
        for pair in self.entries("reason_codes"):
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                self.error("reason_codes", "Each entry must be a pair of a code and its words.")
                return ()
            code, label = pair
            if not is_text(code, LABEL_LENGTH) or not CODE.fullmatch(code) or not is_text(label, LABEL_LENGTH):
                self.error("reason_codes", f"Codes are lower-case letters, digits and underscores. {LABEL_ERROR}")
                return ()
            found.append((code, label))
        if len({code for code, _ in found}) < len(found):
            self.error("reason_codes", "A code is there twice.")
        return tuple(found)

    def conditions(self) -> tuple[Condition, ...]:
        found = []
        for index, value in enumerate(self.entries("conditions", MAX_CONDITIONS)):
            if condition := self.condition(f"conditions.{index}", value):
                found.append(condition)
        if len({condition.name for condition in found}) < len(found):
            self.error("conditions", "Two conditions have the same name.")
        return tuple(found)

    def condition(self, path: str, value: object) -> Condition | None:
        if not isinstance(value, Mapping) or set(value) != {"name", "trigger", "expression"}:
            self.error(path, "Must be an object with name, trigger and expression.")
            return None
        name, expression = value["name"], value["expression"]
        if not is_text(name, NAME_LENGTH):
            self.error(f"{path}.name", f"Must be a text of 1 to {NAME_LENGTH} characters in one line.")
        trigger = self.word(f"{path}.trigger", value["trigger"], Trigger)
        if trigger in FOUND_BY_TRIAGE:
            self.error(f"{path}.trigger", f"Must be one of {', '.join(CONDITION_TRIGGERS)}.")
        if not isinstance(expression, str):
            self.error(f"{path}.expression", "Must be a text.")
            return None
        if self.check_conditions:
            try:
                check(expression)
            except ConditionInvalid as error:
                self.error(f"{path}.expression", error.message)
        return Condition(name, trigger, expression)


def is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and value.strip() != "" and len(value) <= longest and value.isprintable()
