"""An executor in Python for the tests: a till that pays, and remembers in rows of its own what it paid."""

import json
from collections import Counter
from typing import Any, ClassVar

from approvals.executors import Call, Outcome, Preview, PreviewFailed


class Till:
    """Pays what it is told, once per key. Tests set ``says`` to make it answer otherwise."""

    calls: ClassVar[list[tuple[str, str]]] = []  # (verb, key)
    paid: ClassVar[dict[str, Any]] = {}  # key → the payload that was paid
    open_total: ClassVar[dict[str, Any]] = {"total": "500.00"}
    says: ClassVar[dict[str, Any]] = {}

    @classmethod
    def clear(cls) -> None:
        cls.calls.clear()
        cls.paid.clear()
        cls.says.clear()
        cls.open_total.clear()
        cls.open_total["total"] = "500.00"

    @classmethod
    def count(cls, verb: str) -> int:
        return Counter(name for name, _ in cls.calls)[verb]

    def preview(self, call: Call) -> Preview:
        self.calls.append(("preview", call.action_id))
        if error := self.says.get("preview"):
            raise error
        if "refuse" in call.payload.decode():
            raise PreviewFailed("refused", "The order is not refundable.", is_refusal=True)
        return Preview(binding=dict(self.open_total), info={"queue": len(self.calls)})

    def execute(self, call: Call) -> Outcome:
        self.calls.append(("execute", call.action_id))
        if answer := self.says.get("execute"):
            return answer() if callable(answer) else answer
        self.paid.setdefault(call.action_id, json.loads(call.payload))
        return Outcome("executed", {"reference": f"till-{len(self.paid)}"})

    def look_up(self, call: Call) -> Outcome:
        self.calls.append(("look_up", call.action_id))
        if answer := self.says.get("look_up"):
            return answer
        if call.action_id in self.paid:
            return Outcome("executed", {"reference": "till"})
        return Outcome("absent")
