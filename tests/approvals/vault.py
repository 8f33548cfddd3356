"""An executor for the state machine: it counts effects, loses answers, and keeps what it was sent for whoever checks.

It keeps its promise and no more: while ``honours`` is off, every request that arrives takes effect again.
"""

from collections import Counter
from typing import Any, ClassVar

from approvals.executors import Call, Outcome, Preview, PreviewFailed

ANSWERS = ("executed", "failed", "lost before", "lost after", "not sent")


class Vault:
    effects: ClassVar[Counter[str]] = Counter()
    requests: ClassVar[list[tuple[str, bytes]]] = []
    binding: ClassVar[dict[str, Any]] = {}
    answer: ClassVar[str] = "executed"
    dry_run: ClassVar[str] = "fine"
    is_reachable: ClassVar[bool] = True  # for look-ups
    honours: ClassVar[bool] = True

    @classmethod
    def clear(cls) -> None:
        cls.effects.clear()
        cls.requests.clear()
        cls.binding = {"total": 500}
        cls.answer, cls.dry_run, cls.is_reachable, cls.honours = "executed", "fine", True, True

    def preview(self, call: Call) -> Preview:
        if self.dry_run != "fine":
            raise PreviewFailed("x", "It cannot be done.", is_refusal=self.dry_run == "refused")
        return Preview(dict(self.binding), {"asked": len(self.requests)})

    def execute(self, call: Call) -> Outcome:
        self.requests.append((call.action_id, call.payload))
        is_known = self.honours and self.effects[call.action_id] > 0
        if self.answer == "failed" and not self.effects[call.action_id]:
            return Outcome("failed", {}, "The executor refused it.")
        if self.answer == "lost before":
            return Outcome("unknown", {}, "No answer came.")
        if self.answer == "not sent":
            return Outcome("unknown", {}, "The connection was refused.", was_sent=False)
        if not is_known:
            self.effects[call.action_id] += 1
        if self.answer == "lost after":
            return Outcome("unknown", {}, "No answer came.")
        return Outcome("executed", {"reference": "vault"})

    def look_up(self, call: Call) -> Outcome:
        if not self.is_reachable:
            return Outcome("unknown", {}, "No answer came.")
        return Outcome("executed" if self.effects[call.action_id] else "absent", {"reference": "vault"})
