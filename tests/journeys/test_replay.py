"""``manage.py replay``: real intake payloads, both ways, and every line that cannot be taken."""

import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from cases.models import Case, Denial
from cases.models.people import system_actor
from cases.replay import Refusal, read_lines
from cases.replay_report import Tally, percentile
from cases.services import people
from cases.states import State
from cases.vocabulary import Route
from config.embedded import free_port
from tests import real
from tests.worlds import SURE, World, make_world

LINES, OVER_HTTP = 100, 20  # of each real set, by default
# Words that begin in lower case or with a quotation mark, and no names of fields.
SENTENCE = re.compile(r"[a-z0-9“][^_\n]{8,}[\w”)…]")
ACTION = re.compile(r"its action \w+")  # Which has a name with underscores.


@pytest.fixture
def world(db: None) -> World:
    return make_world("acme")


@pytest.fixture
def token(world: World) -> str:
    return people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)


def payload(number: int = 1, **fields: object) -> bytes:
    sent = {"external_id": f"conv-{number}", "domain": "billing", "user_question": "Refund?", "model_draft": "Yes."}
    return json.dumps(sent | fields).encode()


def written(folder: Path, *lines: bytes) -> Path:
    path = folder / "payloads.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def replay(path: Path, *arguments: str, tenant: str = "acme") -> tuple[int, str]:
    """The command's exit code and what it printed."""
    out = StringIO()
    try:
        call_command("replay", str(path), "--tenant", tenant, *arguments, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def row(table: str, label: str) -> str:
    """The figure that stands beside ``label``."""
    found = re.search(rf"^ *{re.escape(label)}  +(\S.*)$", table, re.MULTILINE)
    return found[1] if found else ""


# --- the real files --------------------------------------------------------------------------------------------------


@real.needed
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", real.RECORDS)
def test_every_real_record_goes_in_with_a_state_a_route_and_a_reason(world: World, name: str) -> None:
    expected = min(real.bound(LINES), real.RECORDS[name])
    code, table = replay(real.DATA / f"{name}.jsonl", "--limit", str(expected))
    assert code == 0, table
    assert row(table, "new") == f"{expected:,}"
    assert row(table, "refused") == "0"
    cases = Case.objects.filter(tenant=world.tenant).select_related("current_draft")
    assert cases.count() == expected
    for case in cases:
        assert case.state in State.values
        assert case.current_draft.route in Route.values
        reason = ACTION.sub("its action", case.current_draft.reason)
        assert SENTENCE.fullmatch(reason) and "  " not in reason, reason


@real.needed
@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", real.RECORDS)
def test_real_records_go_in_over_the_api_too(live_server, name: str) -> None:
    world = make_world("acme")
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    over = ("--url", live_server.url, "--token", token, "--limit", str(OVER_HTTP))
    code, table = replay(real.DATA / f"{name}.jsonl", *over)
    assert code == 0, table
    assert row(table, "new") == str(OVER_HTTP)
    assert Case.objects.filter(tenant=world.tenant).count() == OVER_HTTP
    code, table = replay(real.DATA / f"{name}.jsonl", *over)
    assert code == 0, table
    assert (row(table, "new"), row(table, "already known")) == ("0", str(OVER_HTTP))


# --- what the table says ---------------------------------------------------------------------------------------------


def test_table_counts_routes_queues_and_triggers(world: World, tmp_path: Path) -> None:
    code, table = replay(
        written(
            tmp_path,
            payload(1, signals=SURE),
            payload(2, signals=SURE, risk_level="critical"),
            payload(3, triggers=["user_escalation"]),
        )
    )
    assert code == 0
    assert row(table, "accepted") == "3"
    assert row(table, "Automatic approval") == "1"
    assert row(table, "Full investigation") == "2"
    assert row(table, "general") == "2"
    assert row(table, "no queue") == "1"
    assert row(table, "High stakes") == "1"
    assert row(table, "The customer asked for a person") == "1"
    assert row(table, "none") == "1"
    assert row(table, "answered in, p50").endswith(" ms")


def test_second_run_finds_every_case_known_and_changes_nothing(world: World, tmp_path: Path) -> None:
    path = written(tmp_path, payload(1), payload(2))
    replay(path)
    code, table = replay(path)
    assert code == 0
    assert (row(table, "new"), row(table, "already known")) == ("0", "2")
    assert row(table, "general") == "2"
    assert Case.objects.count() == 2


def test_limit_takes_only_the_first_lines(world: World, tmp_path: Path) -> None:
    replay(written(tmp_path, *map(payload, range(5))), "--limit", "2")
    assert set(Case.objects.values_list("external_id", flat=True)) == {"conv-0", "conv-1"}


def test_empty_file_is_no_failure(world: World, tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    code, table = replay(path)
    assert (code, row(table, "accepted")) == (0, "0")


def test_percentile_is_the_nearest_rank() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(map(float, range(1, 101)), 0.95) == 95.0


def test_refused_lines_are_named_up_to_a_bound() -> None:
    tally = Tally()
    for number in range(1, 31):
        tally.add(number, Refusal("invalid", (("/domain", "This field is required."),)), 0.001)
    lines = list(tally.lines(1.0))
    assert lines[-1] == "  and 10 more"
    assert "  line 20: /domain: This field is required." in lines


def test_nothing_of_a_line_reaches_the_terminal_as_a_control_character() -> None:
    tally = Tally()
    tally.add(1, Refusal("x\x1b[2J", (("/\x1b]0;owned\x07", "\u202eon"),)), 0.001)
    printed = "\n".join(tally.lines(1.0))
    assert "\x1b" not in printed and "\x07" not in printed and "\u202e" not in printed


# --- lines that cannot be taken --------------------------------------------------------------------------------------

BAD_LINES = {
    "blank": (b"", "blank_line", "The line is empty."),
    "only blanks": (b"  \t ", "blank_line", "The line is empty."),
    "not JSON": (b'{"domain": ', "not_json", "not valid JSON at line 1, column 12"),
    "a word": (b"hello", "not_json", "not valid JSON"),
    "a list": (b"[1, 2]", "invalid", "line 2: "),
    "not UTF-8": (b'{"domain": "\xff"}', "not_utf8", "not valid UTF-8 at byte 12"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "byte_order_mark", "byte order mark"),
    "a NUL": (payload(user_question="a\x00b"), "nul", "/user_question: A NUL character"),
    "a duplicate key": (b'{"domain": "a", "domain": "b"}', "duplicate_key", "/domain: This key stands twice"),
    "NaN": (b'{"signals": {"judge_score": NaN}}', "not_a_number", "/signals/judge_score: "),
    "too deep": (b"[" * 50 + b"]" * 50, "too_deep", "nested deeper"),
    "a missing field": (b'{"domain": "billing"}', "invalid", "/user_question: "),
    "an unknown field": (payload(nonsense=1), "invalid", "/nonsense: "),
    "a signal above one": (payload(signals={"judge_score": 2}), "invalid", "/signals/judge_score: "),
    "too long": (payload(user_question="x" * 1_000_000), "line_too_long", "larger than 1,000,000 bytes"),
    "of another tenant": (payload(tenant_id="skylark"), "other_tenant", "/tenant_id: "),
}


@pytest.mark.parametrize(("line", "code", "words"), BAD_LINES.values(), ids=BAD_LINES)
def test_bad_line_is_refused_with_its_number_and_reason(
    world: World, tmp_path: Path, line: bytes, code: str, words: str
) -> None:
    ended, table = replay(written(tmp_path, payload(1), line, payload(3)))
    assert ended == 1
    assert (row(table, "accepted"), row(table, "refused"), row(table, code)) == ("2", "1", "1")
    assert "line 2: " in table and words in table
    assert set(Case.objects.values_list("external_id", flat=True)) == {"conv-1", "conv-3"}


def test_known_external_id_with_another_body_is_refused(world: World, tmp_path: Path) -> None:
    ended, table = replay(written(tmp_path, payload(1), payload(1, model_draft="No.")))
    assert ended == 1
    assert row(table, "external_id_taken") == "1"
    assert "line 2: /external_id: " in table


@pytest.mark.django_db(transaction=True)
def test_bad_lines_are_refused_over_the_api_with_the_same_reasons(live_server, tmp_path: Path) -> None:
    world = make_world("acme")
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    path = written(tmp_path, *(line for line, _, _ in BAD_LINES.values()), payload(99))
    ended, table = replay(path, "--url", live_server.url, "--token", token)
    assert ended == 1
    assert (row(table, "accepted"), row(table, "refused")) == ("1", str(len(BAD_LINES)))
    for _, code, words in BAD_LINES.values():
        assert row(table, code), code
        assert words.removeprefix("line 2: ") in table


def test_overlong_line_never_stands_in_memory_whole_and_the_next_one_is_read() -> None:
    lines = list(read_lines(BytesIO(b"x" * 5000 + b"\nshort\r\n" + b"y" * 100), max_bytes=100))
    assert [(line.number, len(line.raw), line.is_too_long) for line in lines] == [
        (1, 100, True),
        (2, 5, False),
        (3, 100, False),
    ]


@pytest.mark.parametrize("end", (b"\n", b"\r\n", b""))
def test_line_of_just_the_limit_is_whole_whatever_ends_it(end: bytes) -> None:
    (line,) = read_lines(BytesIO(b"x" * 100 + end), max_bytes=100)
    assert (len(line.raw), line.is_too_long) == (100, False)


# --- what cannot start -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tenant", "arguments", "sentence"),
    (
        ("nobody", (), "There is no active tenant nobody."),
        ("acme", ("--as", "nobody"), "There is no account called nobody."),
        ("acme", ("--as", "rita@acme"), "rita@acme may not submit cases of"),
        ("acme", ("--url", "http://127.0.0.1:1"), "--url needs a token"),
        ("acme", ("--url", "http://127.0.0.1:1", "--token", "x", "--as", "y"), "--as goes without --url"),
        ("acme", ("--url", "ftp://host", "--token", "x"), "The address is not one"),
        ("acme", ("--url", "http://host:port", "--token", "x"), "The address is not one"),
        ("acme", ("--url", "http://127.0.0.1:1", "--token", "a\r\nb"), "The token is not one"),
    ),
)
def test_what_cannot_start_says_so_in_one_sentence(
    world: World, tmp_path: Path, tenant: str, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)) as caught:
        replay(written(tmp_path, payload(1)), *arguments, tenant=tenant)
    assert "\n" not in str(caught.value)
    assert not Case.objects.exists()


def test_account_without_the_right_leaves_its_denial_on_record(world: World, tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        replay(written(tmp_path, payload(1)), "--as", world.reviewer.username)
    assert Denial.objects.filter(actor=world.reviewer, permission="submit_case").count() == 1


def test_tenant_without_a_service_account_asks_for_one(world: World, tmp_path: Path) -> None:
    people.assign_roles(world.service, world.tenant, [], actor=system_actor())
    with pytest.raises(CommandError, match="no service account that may submit cases: name an account with --as"):
        replay(written(tmp_path, payload(1)))


def test_missing_file_says_so(world: World, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no file"):
        replay(tmp_path / "absent.jsonl")


def test_server_that_is_down_is_one_sentence(world: World, token: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="The server does not answer: connection refused"):
        replay(written(tmp_path, payload(1)), "--url", f"http://127.0.0.1:{free_port()}", "--token", token)


@pytest.mark.django_db(transaction=True)
def test_wrong_token_and_foreign_tenant_are_one_sentence_each(live_server, tmp_path: Path) -> None:
    world = make_world("acme")
    make_world("skylark")
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    path = written(tmp_path, payload(1))
    with pytest.raises(CommandError, match="does not know this token"):
        replay(path, "--url", live_server.url, "--token", "cs_" + "0" * 60)
    with pytest.raises(CommandError, match="does not see a tenant skylark"):
        replay(path, "--url", live_server.url, "--token", token, tenant="skylark")
    assert not Case.objects.exists()


# --- servers that misbehave ------------------------------------------------------------------------------------------

RECEIPT = {
    "state": "pending_review",
    "route": "quick_review",
    "triggers": [],
    "reason_for_escalation": "a reason",
    "queue": "general",
}
Post = Callable[[BaseHTTPRequestHandler, int], None]


def answered(handler: BaseHTTPRequestHandler, status: int, document: object, **headers: str) -> None:
    body = json.dumps(document).encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def strange_server() -> Iterator[Callable[[Post], tuple[str, list[str]]]]:
    """A server whose answer to each POST is the given function's; gives its address and the keys that it was sent."""
    servers: list[ThreadingHTTPServer] = []

    def start(post: Post) -> tuple[str, list[str]]:
        keys: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answered(self, 200, {"tenant_id": "acme"})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                keys.append(self.headers["Idempotency-Key"])
                post(self, len(keys))

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}", keys

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_line_whose_answer_was_lost_is_sent_again_under_its_key(strange_server, tmp_path: Path) -> None:
    def drop_the_second(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 2:
            handler.close_connection = True
        else:
            answered(handler, 201, RECEIPT)

    url, keys = strange_server(drop_the_second)
    code, table = replay(written(tmp_path, payload(1), payload(2), payload(3)), "--url", url, "--token", "t")
    assert (code, row(table, "new")) == (0, "3")
    assert keys[1] == keys[2] and len(set(keys)) == 3


@pytest.mark.parametrize("status", (429, 503))
def test_line_that_came_too_fast_is_sent_again_when_the_server_says(strange_server, tmp_path: Path, status) -> None:
    def slow_down_once(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 1:
            answered(handler, status, {}, Retry_After="1")
        else:
            answered(handler, 201, RECEIPT)

    url, keys = strange_server(slow_down_once)
    code, table = replay(written(tmp_path, payload(1)), "--url", url, "--token", "t")
    assert (code, row(table, "new"), row(table, "waited as asked")) == (0, "1", "1 s")
    assert keys[0] == keys[1]
    assert float(row(table, "answered in, p50").split()[0]) < 900


def test_server_that_goes_away_ends_the_replay_with_the_table_so_far(strange_server, tmp_path: Path) -> None:
    def answer_once(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 1:
            answered(handler, 201, RECEIPT)
        else:
            handler.close_connection = True

    url, _ = strange_server(answer_once)
    out = StringIO()
    with pytest.raises(CommandError, match="The server does not answer"):
        call_command(
            "replay", str(written(tmp_path, payload(1), payload(2))), tenant="acme", url=url, token="t", stdout=out
        )
    assert row(out.getvalue(), "accepted") == "1"


@pytest.mark.parametrize("document", ({"state": "open"}, [1], "hello", {"code": "x", "errors": [], "detail": None}))
@pytest.mark.parametrize("status", (200, 201, 302, 400, 500))
def test_answer_that_is_not_the_apis_refuses_the_line(strange_server, tmp_path: Path, status: int, document) -> None:
    url, _ = strange_server(lambda handler, number: answered(handler, status, document))
    code, table = replay(written(tmp_path, payload(1)), "--url", url, "--token", "t")
    assert (code, row(table, "refused")) == (1, "1")


def test_interrupt_prints_the_table_so_far(strange_server, tmp_path: Path) -> None:
    def interrupt_the_second(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 2:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # As from a terminal: amid its waiting.
            time.sleep(0.5)
        answered(handler, 201, RECEIPT)

    url, _ = strange_server(interrupt_the_second)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # Whatever a test before this one left there.
    try:
        code, table = replay(written(tmp_path, payload(1), payload(2)), "--url", url, "--token", "t")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, row(table, "accepted")) == (130, "1")
    assert "Interrupted" in table
