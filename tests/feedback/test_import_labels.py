"""Labels made elsewhere come home: what a file would change, changing it, and files that mean harm."""

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from cases.clock import db_now, pretend_now
from cases.models import Case, Denial
from cases.permissions import Denied
from cases.services import lifecycle
from cases.vocabulary import Role, Verdict
from feedback import label_files
from feedback.errors import FileRefused, LabelChanged
from feedback.label_files import read_labels
from feedback.labels import Label
from feedback.models import CorrectionLabel, Review
from feedback.services import labels
from feedback.services.label_import import NO_CORRECTION, UNKNOWN, apply_import, plan_import
from feedback.services.weekly import export_due
from feedback.submission import Submission
from tests.feedback.corrections import AN_HOUR, decide, decide_case, override
from tests.worlds import make_world

pytestmark = pytest.mark.django_db

URL = "/admin/feedback/correction/import/"
E, R = Label.MODEL_ERROR, Label.BAD_RETRIEVAL


@pytest.fixture
def world():
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


@pytest.fixture
def client(world) -> Client:
    client = Client()
    client.force_login(world.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    return client


def table(*rows: tuple[str, str], columns: str = "case_id,label") -> bytes:
    return "\n".join([columns, *(",".join(row) for row in rows)]).encode()


def plan(world, raw: bytes, actor=None):
    return plan_import(read_labels(raw), tenant=world.tenant, actor=actor or world.supervisor)


def stands(review: Review) -> str | None:
    return Review.objects.with_standing_label().get(pk=review.pk).standing_label


def complaints(found) -> list[tuple[int, str]]:
    return [(complaint.line, complaint.message) for complaint in found.complaints]


# --- reading a file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"case_id,label\ncase_1,model_error\n",
        b"\xef\xbb\xbfLabel;Case_ID;more\r\nModel error;case_1;x\r\n",
        b'{"case_id": "case_1", "label": "model_error", "score": 0.5}\n\n',
        b'  {"case_id": "case_1", "external_id": "x", "label": "MODEL_ERROR", "note": null}',
    ],
)
def test_a_table_and_json_lines_say_the_same(raw):
    (row,) = read_labels(raw).rows
    assert (row.key, row.is_external, row.label, row.note) == ("case_1", False, E, "")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is empty"),
        (b" \n \n", "is empty"),
        ("case_id,label\n".encode("utf-16"), "UTF-16"),
        (b"case_id,label\ncaf\xe9,model_error", "not UTF-8 at byte 17"),
        (b"case_id,label\nc\x00,model_error", "NUL"),
        (b"name,label\nx,model_error", "must name the columns"),
        (b"case_id,label,label\nx,a,b", "names a column twice"),
        (b'case_id,label\n"x,model_error\n', "no CSV at line"),
        (b"\x89PNG\r\n\x1a\n\x00", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_reason(raw, message):
    with pytest.raises(FileRefused, match=message):
        read_labels(raw)


def test_a_file_that_is_too_large_or_too_long_is_refused(monkeypatch):
    with pytest.raises(FileRefused, match="larger than"):
        read_labels(b"x" * (label_files.MAX_BYTES + 1))
    monkeypatch.setattr(label_files, "MAX_ROWS", 3)
    with pytest.raises(FileRefused, match="more than 3 rows"):
        read_labels(table(*[("c", "model_error")] * 4))


def test_lines_of_no_use_are_named_and_never_repeated():
    lines = [
        '{"case_id": "a", "label": "modelerror"}',
        '{"case_id": "a", "label": 3}',
        '{"label": "model_error"}',
        "[1]",
        "{nonsense",
        '{"case_id": "a", "label": "model_error", "note": "' + "n" * 2001 + '"}',
        '{"case_id": "a", "case_id": "b", "label": "model_error"}',
        '{"case_id": "a", "label": ""}',
        '{"case_id": "\\u0000", "label": "model_error"}',
    ]
    reading = read_labels("\n".join(lines).encode())
    assert reading.rows == []
    assert [complaint.line for complaint in reading.complaints] == [1, 2, 3, 4, 5, 6, 7, 9]
    assert reading.unlabelled == 1
    assert not any("modelerror" in complaint.message for complaint in reading.complaints)


# --- what it would change ---------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_change_and_stores_nothing(world):
    by_id, by_name, same = override(world), override(world, case={"external_id": "conv 2"}), override(world)
    labels.label(same.pk, R, actor=world.supervisor)
    labels.label(by_id.pk, R, actor=world.supervisor)
    found = plan(
        world,
        b"case_id,external_id,label,note\n"
        + f"{by_id.case.wire_id},,model_error,read again\n,conv 2,bad_retrieval,\n".encode()
        + f"{same.case.wire_id},,bad_retrieval,\n{same.case.wire_id},,,\n".encode(),
    )
    assert [(change.line, change.review_id, change.before, change.after) for change in found.changes] == [
        (2, by_id.pk, "bad_retrieval", "model_error"),
        (3, by_name.pk, "", "bad_retrieval"),
    ]
    assert (found.same, found.unlabelled, found.complaints) == (1, 1, [])
    assert CorrectionLabel.objects.count() == 2


def test_applying_stores_whose_labels_they_are_and_that_they_were_imported(world):
    review = override(world)
    (row,) = apply_import(
        plan(world, table((review.case.wire_id, "model_error", "seen elsewhere"), columns="case_id,label,note")),
        actor=world.supervisor,
    )
    assert (row.label, row.labelled_by, row.source) == ("model_error", world.supervisor, "import")
    assert row.note.text == {"note": "seen elsewhere"}
    assert stands(review) == "model_error"


def test_anothers_case_is_an_unknown_one(world):
    other = make_world("other")
    theirs = override(other, case={"external_id": "shared"})
    challenge = override(world)
    Case.objects.filter(pk=challenge.case_id).update(purpose="challenge")
    found = plan(
        world,
        table(
            (theirs.case.wire_id, "model_error"),
            ("case_" + "0" * 32, "model_error"),
            ("nonsense", "model_error"),
            (challenge.case.wire_id, "model_error"),
        ),
    )
    assert complaints(found) == [(line, UNKNOWN) for line in (2, 3, 4, 5)]
    assert complaints(plan(world, table(("shared", "model_error"), columns="external_id,label"))) == [(2, UNKNOWN)]
    with pytest.raises(Denied):
        plan(other, table((theirs.case.wire_id, "model_error")), actor=world.supervisor)


def test_a_case_without_a_final_override_has_nothing_to_label(world):
    accepted = decide(world, Submission(Verdict.ACCEPT))
    assert complaints(plan(world, table((accepted.case.wire_id, "model_error")))) == [(2, NO_CORRECTION)]


def test_lines_that_repeat_each_other_count_once_and_lines_that_differ_count_not_at_all(world):
    twice, torn = override(world, case={"external_id": "twice"}), override(world)
    found = plan(
        world,
        f"case_id,external_id,label\n{twice.case.wire_id},,model_error\n,twice,model_error\n"
        f"{torn.case.wire_id},,model_error\n{torn.case.wire_id},,bad_retrieval\n".encode(),
    )
    assert [change.review_id for change in found.changes] == [twice.pk]
    assert found.same == 1
    assert complaints(found) == [(line, "Lines 4, 5 label one case differently.") for line in (4, 5)]


def test_a_label_goes_to_the_latest_override_of_a_case_that_was_reopened(world):
    first = override(world, at=db_now() - 3 * AN_HOUR)
    with pretend_now(db_now() - AN_HOUR):
        lifecycle.reopen(first.case_id, actor=world.supervisor, reason="appeal")
        second = decide_case(world, first.case, Submission(Verdict.REJECT, notes="no"), user=world.colleague)
    apply_import(plan(world, table((first.case.wire_id, "model_error"))), actor=world.supervisor)
    assert (stands(first), stands(second)) == (None, "model_error")


def test_nothing_is_stored_when_a_label_has_changed_since(world):
    one, two = override(world), override(world)
    found = plan(world, table((one.case.wire_id, "model_error"), (two.case.wire_id, "model_error")))
    labels.label(two.pk, R, actor=world.supervisor)
    with pytest.raises(LabelChanged):
        apply_import(found, actor=world.supervisor)
    assert stands(one) is None


def test_a_weekly_file_comes_home_with_its_labels_filled_in(world, settings, tmp_path):
    backend = {"BACKEND": "feedback.folders.ExportFolder", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {"exports": backend}
    review = override(world, case={"external_id": "=1+1"}, final_answer='=SUM(A1)\n, "quoted"', notes="x" * 9_000)
    with pretend_now(db_now() + 400 * AN_HOUR):
        export_due(world.tenant)
    (path,) = [path for path in tmp_path.glob("acme/*.csv") if path.stat().st_size > 9_000]
    text = path.read_bytes().decode()
    assert text.rstrip().endswith(",,false,[]")
    filled = text.rstrip().removesuffix(",,false,[]") + ",one_off_context,false,[]\r\n"
    without_id = filled.replace(review.case.wire_id, "")
    for raw in (filled.encode(), without_id.encode()):
        assert [change.review_id for change in plan(world, raw).changes] == [review.pk]


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_has_a_dry_run_and_says_what_was_of_no_use(world, tmp_path, capsys):
    review, file = override(world), tmp_path / "labels.csv"
    file.write_bytes(table((review.case.wire_id, "model_error"), ("nonsense", "model_error")))
    options = [str(file), "--tenant", "acme", "--as", world.supervisor.username]
    with pytest.raises(SystemExit) as ended:
        call_command("import_labels", *options, "--dry-run")
    assert ended.value.code == 1
    out = capsys.readouterr().out
    assert f"line 2: {review.case.wire_id} none → model_error" in out
    assert "would label 1, stands already 0, without a label 0, of no use 1" in out
    assert stands(review) is None
    file.write_bytes(table((review.case.wire_id, "model_error")))
    call_command("import_labels", *options)
    assert stands(review) == "model_error"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--tenant": "nobody"}, "no active tenant"),
        ({"--as": "nobody"}, "no account"),
        ({"file": "no-such-file"}, "cannot be read"),
        ({"--as": "rita@acme"}, "needs the right"),
    ],
)
def test_the_command_ends_with_one_sentence(world, tmp_path, change, message):
    file = tmp_path / "labels.csv"
    file.write_bytes(table(("x", "model_error")))
    given = {"file": str(file), "--tenant": "acme", "--as": world.supervisor.username} | change
    with pytest.raises(CommandError, match=message):
        call_command("import_labels", given["file"], "--tenant", given["--tenant"], "--as", given["--as"])
    assert Denial.objects.count() == (message == "needs the right")


# --- the page ---------------------------------------------------------------------------------------------------------


def upload(client, world, raw: bytes):
    return client.post(URL, {"tenant": str(world.tenant.pk), "file": SimpleUploadedFile("labels.csv", raw)})


def confirmation(response) -> dict[str, str]:
    form = response.context["confirm"]
    return {name: str(getattr(form.initial[name], "pk", form.initial[name])) for name in ("tenant", "read", "seen")}


def test_the_page_shows_what_would_change_and_changes_it_when_confirmed(world, client):
    review = override(world)
    assert client.get(URL).status_code == 200
    response = upload(client, world, table((review.case.wire_id, "model_error"), ("nonsense", "model_error")))
    text = response.content.decode()
    assert "1 label of Acme would change" in text
    assert UNKNOWN in text
    assert stands(review) is None
    assert client.post(URL, confirmation(response))["Location"] == "/admin/feedback/correction/"
    assert stands(review) == "model_error"


def test_a_confirmation_of_something_else_than_was_shown_stores_nothing(world, client):
    review = override(world)
    shown = confirmation(upload(client, world, table((review.case.wire_id, "model_error"))))
    signed, _, signature = shown["read"].rpartition(":")
    for forged in (shown | {"read": "x"}, shown | {"read": f"{signed}x:{signature}"}, shown | {"seen": "x"}):
        assert client.post(URL, forged)["Location"] == URL
    labels.label(review.pk, R, actor=world.supervisor)
    response = client.post(URL, shown)
    assert response.status_code == 412
    assert "look at it again" in str([*get_messages(response.wsgi_request)][-1])
    assert CorrectionLabel.objects.count() == 1


def test_a_bad_file_is_refused_on_the_page(world, client):
    for raw in (b"\xff\xfe", b"", b"no,header\n1,2", b"x" * 100):
        assert upload(client, world, raw).status_code == 400
    assert client.post(URL, {"tenant": str(world.tenant.pk)}).status_code == 400


def test_an_outsider_imports_nothing_into_the_tenant(world):
    review = override(world)
    other = make_world("other")
    outsider = Client()
    outsider.force_login(other.person("oscar", Role.TENANT_ADMIN), backend="django.contrib.auth.backends.ModelBackend")
    assert "acme" not in outsider.get(URL).content.decode().lower()
    raw = table((review.case.wire_id, "model_error"))
    assert upload(outsider, world, raw).status_code == 400
    response = upload(outsider, other, raw)
    assert UNKNOWN in response.content.decode()
    shown = confirmation(response) | {"tenant": str(world.tenant.pk)}
    assert outsider.post(URL, shown)["Location"] == URL
    assert not CorrectionLabel.objects.exists()
