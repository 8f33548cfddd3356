"""The demo ledger's book: what was really done, each under its key, once. SQLite, so that a `kill -9` loses no entry.

Refunds, credits and cancellations have rules of their own; any other action is entered as a change.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from config.demo.ledger_orders import CURRENCY, totals

OPENING_BALANCE = Decimal("100000.00")
SUBJECTS = ("order_id", "reservation_id", "user_id", "customer_id", "account_id", "subscription_id")
PAGE = 50

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('executed', 'failed')),
    kind TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    reference TEXT NOT NULL,
    message TEXT NOT NULL,
    at TEXT NOT NULL,
    UNIQUE (tenant, key)
);
CREATE INDEX IF NOT EXISTS entry_of_subject ON entry (tenant, subject, kind);
CREATE TABLE IF NOT EXISTS account (
    tenant TEXT NOT NULL, currency TEXT NOT NULL, balance TEXT NOT NULL, PRIMARY KEY (tenant, currency)
);
"""


class Refused(Exception):
    """The action cannot be done; ``code`` for machines, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class KeyReused(Exception):
    """The key stands in the book with other bytes: what it did is not what is asked."""


@dataclass(frozen=True)
class Asked:
    """What an approved or proposed action asks for, read from its document. Raises ``Refused``."""

    action: str
    kind: str
    subject: str
    amount: Decimal | None
    currency: str
    binding: Mapping[str, Any] | None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Asked":
        action, params = document.get("action"), document.get("params")
        if not isinstance(action, str) or not isinstance(params, Mapping):
            raise Refused("not_understood", "The request names no action or no parameters.")
        kind = _kind(action)
        subject = next((str(params[name]) for name in SUBJECTS if params.get(name)), "")
        amount = _amount(document.get("amount") or params.get("amount"))
        currency = str(document.get("currency") or (CURRENCY if amount is not None else ""))
        binding = document.get("binding")
        if not subject:
            raise Refused("no_subject", "The parameters do not say whose order, reservation or account it is.")
        if kind in ("refund", "credit") and not amount:
            raise Refused("no_amount", f"A {kind} needs an amount above nothing.")
        return cls(action, kind, subject, amount, currency, binding if isinstance(binding, Mapping) else None)


def _kind(action: str) -> str:
    if "refund" in action:
        return "refund"
    if "credit" in action or "certificate" in action:
        return "credit"
    return "cancellation" if action.startswith("cancel") else "change"


def _amount(value: Any) -> Decimal | None:
    if value is None:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise Refused("bad_amount", "The amount is no number.") from None
    if not amount.is_finite() or amount < 0 or amount >= 10**12:
        raise Refused("bad_amount", "The amount is not one that can be booked.")
    return amount.quantize(Decimal("0.01")) if amount.as_tuple().exponent >= -2 else amount


class Book:
    """One file. Every method opens its own connection, so that any thread may call it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as book:
            book.execute("PRAGMA journal_mode = WAL")
            book.executescript(SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=5, isolation_level=None)) as book:
            book.row_factory = sqlite3.Row
            book.execute("PRAGMA synchronous = FULL")  # An entry that was answered for survives a power cut.
            yield book

    def preview(self, tenant: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """``binding`` and ``info``; changes nothing. Raises ``Refused``."""
        with self._open() as book:
            asked = Asked.of(document)
            return {"binding": _binding(book, tenant, asked), "info": _info(book, tenant, asked)}

    def execute(self, tenant: str, document: Mapping[str, Any], body: bytes) -> dict[str, str]:
        """Enter the action under its key, or say again what stands there. Raises ``KeyReused``."""
        key, digest = str(document["action_id"]), hashlib.sha256(body).hexdigest()
        with self._open() as book:
            book.execute("BEGIN IMMEDIATE")  # The check and the entry are one step: two requests of one key queue up.
            try:
                said = self._enter(book, tenant, key, digest, document)
                book.execute("COMMIT")
            except BaseException:
                book.execute("ROLLBACK")
                raise
        return said

    def _enter(
        self, book: sqlite3.Connection, tenant: str, key: str, digest: str, document: Mapping[str, Any]
    ) -> dict[str, str]:
        if known := _entry(book, tenant, key):
            if known["digest"] != digest:
                raise KeyReused
            return _said(known)
        try:
            asked = Asked.of(document)
            binding = _binding(book, tenant, asked)
            if asked.binding is not None and dict(asked.binding) != binding:
                raise Refused("drift", "What was approved no longer holds: ask for a new preview.")
        except Refused as error:
            _write(book, tenant, key, digest, document, state="failed", kind="refused", message=str(error))
        else:
            _write(book, tenant, key, digest, document, state="executed", kind=asked.kind, asked=asked)
            if asked.kind in ("refund", "credit"):
                _move(book, tenant, asked.currency, -(asked.amount or Decimal(0)))
        return _said(_entry(book, tenant, key))

    def look_up(self, tenant: str, key: str) -> dict[str, str]:
        with self._open() as book:
            known = _entry(book, tenant, key)
            return _said(known) if known else {"state": "absent"}

    def newest(self, tenant: str = "", before: int = 0) -> list[sqlite3.Row]:
        """Up to ``PAGE`` entries and one more, the newest first."""
        with self._open() as book:
            return book.execute(
                "SELECT * FROM entry WHERE (? = '' OR tenant = ?) AND (? = 0 OR id < ?) ORDER BY id DESC LIMIT ?",
                (tenant, tenant, before, before, PAGE + 1),
            ).fetchall()

    def balances(self) -> list[sqlite3.Row]:
        with self._open() as book:
            return book.execute("SELECT * FROM account ORDER BY tenant, currency").fetchall()


def _entry(book: sqlite3.Connection, tenant: str, key: str) -> sqlite3.Row | None:
    return book.execute("SELECT * FROM entry WHERE tenant = ? AND key = ?", (tenant, key)).fetchone()


def _said(entry: sqlite3.Row) -> dict[str, str]:
    said = {"state": entry["state"], "reference": entry["reference"], "message": entry["message"]}
    return {name: value for name, value in said.items() if value}


def _write(
    book: sqlite3.Connection,
    tenant: str,
    key: str,
    digest: str,
    document: Mapping[str, Any],
    *,
    state: str,
    kind: str,
    message: str = "",
    asked: Asked | None = None,
) -> None:
    reference = "" if asked is None else f"{asked.kind[:2].upper()}-{digest[:10]}"
    amount = "" if asked is None or asked.amount is None else format(asked.amount, "f")
    values = {
        "tenant": tenant,
        "key": key,
        "digest": digest,
        "state": state,
        "kind": kind,
        "action": str(document.get("action", ""))[:50],
        "subject": asked.subject[:100] if asked else "",
        "amount": amount,
        "currency": asked.currency[:3] if asked and amount else "",
        "reference": reference,
        "message": message,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    places = ", ".join(f":{name}" for name in values)
    book.execute(f"INSERT INTO entry ({', '.join(values)}) VALUES ({places})", values)


def _binding(book: sqlite3.Connection, tenant: str, asked: Asked) -> dict[str, Any]:
    """What must still hold when it is done, all of it of this order, reservation or account alone."""
    done = [
        row["amount"]
        for row in book.execute(
            "SELECT amount FROM entry WHERE tenant = ? AND subject = ? AND kind = ? AND currency IN (?, '')",
            (tenant, asked.subject, asked.kind, asked.currency),
        )
    ]
    if asked.kind == "cancellation":
        if done:
            raise Refused("already_cancelled", f"{asked.subject} is cancelled already.")
        return {"subject": asked.subject, "status": "confirmed"}
    binding: dict[str, Any] = {"subject": asked.subject}
    if asked.kind == "change":
        return binding | {"changes_so_far": len(done)} | _money("amount", asked)
    so_far = sum((Decimal(amount or 0) for amount in done), Decimal("0.00"))
    if asked.kind == "credit":
        return binding | {"credited_so_far": format(so_far, "f")} | _money("credit", asked)
    total = totals(tenant).get(asked.subject) if asked.currency == CURRENCY else None
    if total is not None and so_far + asked.amount > total:
        left = format(total - so_far, "f")
        raise Refused("too_much", f"Only {left} of {total} {asked.currency} are left to refund on {asked.subject}.")
    return binding | {
        "order_total": None if total is None else format(total, "f"),
        "already_refunded": format(so_far, "f"),
        **_money("refund", asked),
        "refunded_after": format(so_far + asked.amount, "f"),
    }


def _money(name: str, asked: Asked) -> dict[str, str]:
    return {} if asked.amount is None else {name: format(asked.amount, "f"), "currency": asked.currency}


def _info(book: sqlite3.Connection, tenant: str, asked: Asked) -> dict[str, Any]:
    """For the eye: every other action moves it."""
    info: dict[str, Any] = {"checked_at": datetime.now(UTC).isoformat(timespec="seconds")}
    if asked.kind in ("refund", "credit"):
        balance = _balance(book, tenant, asked.currency)
        info |= {"balance": format(balance, "f"), "balance_after": format(balance - asked.amount, "f")}
    return info


def _balance(book: sqlite3.Connection, tenant: str, currency: str) -> Decimal:
    row = book.execute("SELECT balance FROM account WHERE tenant = ? AND currency = ?", (tenant, currency)).fetchone()
    return Decimal(row["balance"]) if row else OPENING_BALANCE


def _move(book: sqlite3.Connection, tenant: str, currency: str, amount: Decimal) -> None:
    balance = format(_balance(book, tenant, currency) + amount, "f")
    book.execute(
        "INSERT INTO account VALUES (?, ?, ?) ON CONFLICT (tenant, currency) DO UPDATE SET balance = excluded.balance",
        (tenant, currency, balance),
    )


def read_document(body: bytes) -> dict[str, Any]:
    """The request's JSON object with its ``action_id``. Raises ``ValueError``."""
    document = json.loads(body)
    if not isinstance(document, dict) or not isinstance(document.get("action_id"), str):
        raise ValueError("no action_id")
    return document
