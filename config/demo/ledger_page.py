"""The demo ledger's page: what really happened, newest first."""

import re
import sqlite3
from collections.abc import Sequence
from uuid import UUID

from cases.untrusted import shown
from config.demo.ledger_book import PAGE

CSS = """
:root {
  color-scheme: light dark;
  --fg: #22292f; --bg: #ffffff; --quiet: #56616b; --line: #d6dde2; --link: #1b5e7b; --bad: #a91d1d;
}
@media (prefers-color-scheme: dark) {
  :root { --fg: #dfe5e9; --bg: #14181b; --quiet: #a7b2ba; --line: #39434a; --link: #8ec9e6; --bad: #ff9b93; }
}
body {
  margin: 0 auto; max-width: 74rem; padding: 20px;
  background: var(--bg); color: var(--fg); font: 0.9375rem/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.375rem; margin: 0 0 4px; }
p { margin: 0 0 12px; }
.quiet, caption, th { color: var(--quiet); }
a { color: var(--link); }
nav a { margin-inline-end: 12px; }
nav a[aria-current] { font-weight: 600; color: var(--fg); text-decoration: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: start; padding-bottom: 6px; }
th, td { text-align: start; vertical-align: baseline; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); }
th { font-weight: 400; white-space: nowrap; }
td { overflow-wrap: anywhere; }
.nowrap { white-space: nowrap; }
.number { text-align: end; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bad { color: var(--bad); font-weight: 600; }
code { font-size: 0.8125rem; }
.invisible { border: 1px solid var(--bad); color: var(--bad); padding: 0 3px; font-size: 0.6875rem; }
"""
_ACTION = re.compile(r"act_[0-9a-f]{32}")


def page(
    entries: Sequence[sqlite3.Row], balances: Sequence[sqlite3.Row], *, tenant: str, tenants: Sequence[str], home: str
) -> str:
    """The whole document. ``entries`` may hold one more than is shown: then there is an older page."""
    older = ""
    if len(entries) > PAGE:
        query = f"?before={entries[PAGE - 1]['id']}" + (f"&amp;tenant={shown(tenant)}" if tenant else "")
        older = f'<p><a href="/{query}">Older entries</a></p>'
    rows = "".join(_row(entry, home) for entry in entries[:PAGE])
    body = _table(rows) if rows else "<p>Nothing yet. What people approve and the system carries out appears here.</p>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Ledger</title><link rel="stylesheet" href="/ledger.css"></head><body>
<h1>Ledger</h1>
<p class="quiet">What the demo's tenants really did: an executor of its own, which knows nothing of who approved what.
Each action stands here once, however often it is sent. <a href="{shown(home)}/admin/">Back to Countersign</a></p>
<nav aria-label="Tenants"><p>{_tenants(tenant, tenants)}</p></nav>
{_balances(balances)}
{body}
{older}</body></html>"""


def _tenants(chosen: str, tenants: Sequence[str]) -> str:
    links = [("", "All"), *((slug, slug) for slug in tenants)]
    return "".join(
        f'<a href="/{f"?tenant={shown(slug)}" if slug else ""}"{" aria-current=page" if slug == chosen else ""}>'
        f"{shown(words)}</a>"
        for slug, words in links
    )


def _balances(balances: Sequence[sqlite3.Row]) -> str:
    parts = [f"{shown(row['tenant'])} {shown(row['balance'])} {shown(row['currency'])}" for row in balances]
    return f"<p>Balance: {' · '.join(parts)}</p>" if parts else ""


def _table(rows: str) -> str:
    return (
        '<div class="scroll"><table><caption>Newest first, times in UTC</caption><thead><tr>'
        '<th scope="col">When</th><th scope="col">Tenant</th><th scope="col">What</th><th scope="col">For</th>'
        '<th scope="col" class="number">Amount</th><th scope="col">Reference</th><th scope="col">Action</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(entry: sqlite3.Row, home: str) -> str:
    what = shown(entry["action"])
    if entry["state"] == "failed":
        what = f'{what}: <span class="bad">✕ refused.</span> {shown(entry["message"])}'
    money = f"{shown(entry['amount'])} {shown(entry['currency'])}" if entry["amount"] else "–"
    at = shown(entry["at"].replace("T", " ").removesuffix("+00:00"))
    return (
        f'<tr><td class="nowrap">{at}</td><td>{shown(entry["tenant"])}</td><td>{what}</td>'
        f'<td class="nowrap">{shown(entry["subject"]) or "–"}</td>'
        f'<td class="number">{money}</td><td class="nowrap">{shown(entry["reference"]) or "–"}</td>'
        f"<td>{_link(entry['key'], home)}</td></tr>"
    )


def _link(key: str, home: str) -> str:
    if not _ACTION.fullmatch(key):
        return f"<code>{shown(key)}</code>"
    address = f"{home}/admin/approvals/proposedaction/{UUID(key.removeprefix('act_'))}/change/"
    return f'<a href="{shown(address)}"><code>{shown(key)}</code></a>'
