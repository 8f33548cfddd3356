"""Pushing an export to Langfuse and Phoenix: real HTTP against a receiver of our own."""

import base64
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from cases.models import CaseEvent
from cases.models.people import system_actor
from cases.permissions import Denied
from feedback.errors import CannotPush
from feedback.kinds import Kind
from feedback.models import Export, Push, PushTarget
from feedback.services import pushes
from tests.cases.receiver import Receiver, answer, raw
from tests.feedback.exporting import content, folder, labelled, made  # noqa: F401
from tests.worlds import World, make_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folder")]


@pytest.fixture
def world() -> World:
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})
    for number in range(3):
        labelled(world, final_answer=f"answer {number}")
    return world


def target_at(world: World, receiver: Receiver, system: str) -> PushTarget:
    target = PushTarget(
        tenant=world.tenant,
        system=system,
        name=system,
        url=f"http://127.0.0.1:{receiver.port}/",
        public_key="pk",
        secret="sk-very-secret",
    )
    target.save_as(system_actor(), "created")
    return target


def pushed(world: World, receiver: Receiver, system: str) -> Push:
    export = made(world, Kind.GOLDEN_EVALS, system)
    return pushes.request(export, target_at(world, receiver, system), actor=world.supervisor)


def again(push: Push) -> Push:
    """After the wait."""
    Push.objects.filter(pk=push.pk).update(next_attempt_at=push.requested_at)
    pushes.sweep()
    return Push.objects.get(pk=push.pk)


def test_langfuse_gets_its_data_set_and_each_item_and_goes_on_where_it_broke_off(world):
    with Receiver() as receiver:
        push = pushed(world, receiver, "langfuse")
        receiver.then(answer(200), answer(200), answer(503))
        pushes.sweep()
        waiting = Push.objects.get(pk=push.pk)
        assert (waiting.state, waiting.lines_sent, waiting.last_status) == ("waiting", 1, 503)
        done = again(push)
    assert (done.state, done.lines_sent, done.last_error) == ("sent", 3, "")
    first, *rest = receiver.requests
    assert (first.path, json.loads(first.body)["name"]) == ("/api/public/v2/datasets", "golden_evals")
    assert first.headers["authorization"] == "Basic " + base64.b64encode(b"pk:sk-very-secret").decode()
    items = [json.loads(found.body) for found in rest if found.path == "/api/public/dataset-items"]
    assert len({item["id"] for item in items}) == 3
    assert b"".join(found.body + b"\n" for found in (rest[0], *rest[3:])) == content(push.export)
    assert CaseEvent.objects.filter(kind="export.pushed", actor=world.supervisor).count() == 1


def test_phoenix_gets_batches_and_nothing_twice_where_an_answer_was_lost(world, monkeypatch):
    monkeypatch.setattr(pushes, "PHOENIX_LINES", 2)
    with Receiver() as receiver:
        push = pushed(world, receiver, "phoenix")
        receiver.then(answer(429), answer(200), raw(b""))
        pushes.sweep()
        assert Push.objects.get(pk=push.pk).state == "waiting", "busy: nothing was taken"
        ended = again(push)
        assert (ended.state, ended.lines_sent) == ("unknown", 2)
        assert "After 2 lines" in ended.last_error
        assert again(push).state == "unknown"
    assert len(receiver.requests) == 3
    body = json.loads(receiver.requests[1].body)
    assert [len(body[part]) for part in ("inputs", "outputs", "metadata")] == [2, 2, 2]
    assert receiver.requests[1].headers["authorization"] == "Bearer sk-very-secret"


def test_a_refusal_for_good_ends_the_push_and_it_can_be_asked_for_again(world):
    with Receiver() as receiver:
        push = pushed(world, receiver, "langfuse")
        receiver.then(answer(401, b"sk-very-secret is wrong"))
        pushes.sweep()
        ended = Push.objects.get(pk=push.pk)
        assert (ended.state, ended.last_error) == ("failed", "Langfuse answered 401.")
        pushes.request(push.export, push.target, actor=world.supervisor)
        pushes.sweep()
    assert Push.objects.get(pk=push.pk).state == "sent"


def test_only_a_finished_export_of_the_format_goes_to_an_own_target_by_who_may(world):
    with Receiver() as receiver:
        target = target_at(world, receiver, "langfuse")
        theirs = target_at(make_world("other"), receiver, "langfuse")
        plain, fitting = made(world, Kind.GOLDEN_EVALS), made(world, Kind.GOLDEN_EVALS, "langfuse")
        for export, where in ((plain, target), (fitting, theirs)):
            with pytest.raises(CannotPush):
                pushes.request(export, where, actor=world.supervisor)
        with pytest.raises(Denied):
            pushes.request(fitting, target, actor=world.reviewer)


def test_the_secret_is_written_and_never_shown(world):
    admin = world.person("tara", "tenant_admin")
    client = Client()
    client.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    form = {"name": "Ours", "system": "langfuse", "url": "https://cloud.langfuse.com", "is_active": "on"}
    form |= {"tenant": str(world.tenant.pk), "public_key": "pk", "secret": "sk-very-secret", "reason": "created"}
    assert client.post(reverse("admin:feedback_pushtarget_add"), form).status_code == 302
    target = PushTarget.objects.get()
    page = reverse("admin:feedback_pushtarget_change", args=[target.pk])
    assert b"sk-very-secret" not in client.get(page).content
    seen = target.history.latest("history_id").pk
    assert client.post(page, form | {"secret": "", "name": "Renamed", "seen": seen}).status_code == 302
    target.refresh_from_db()
    assert (target.name, target.secret) == ("Renamed", "sk-very-secret")
    bad = client.post(page, form | {"url": "https://user:pw@x.example"})
    assert (bad.status_code, PushTarget.objects.get().name) == (200, "Renamed")


def test_an_export_is_asked_for_in_the_admin_watched_fetched_and_pushed(world):
    client = Client()
    client.force_login(world.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    form = {"tenant": str(world.tenant.pk), "kind": "golden_evals", "format": "openai_dpo"}
    refused = client.post(reverse("admin:feedback_export_new"), form)
    assert "can be exported as: jsonl, csv" in refused.content.decode()
    asked = client.post(reverse("admin:feedback_export_new"), form | {"format": "langfuse"})
    assert asked.status_code == 302
    assert "Waiting for a worker" in client.get(asked["Location"]).content.decode()
    export = made(world, Kind.GOLDEN_EVALS, "langfuse")
    page = reverse("admin:feedback_export_change", args=[export.pk])
    with Receiver() as receiver:
        target = target_at(world, receiver, "langfuse")
        shown = client.get(page).content.decode()
        assert export.version.manifest_sha256 in shown
        assert "Download" in shown
        client.post(reverse("admin:feedback_export_push", args=[export.pk]), {"target": str(target.pk)})
        pushes.sweep()
    assert "Sent" in client.get(page).content.decode()
    fetched = client.get(reverse("admin:feedback_export_download", args=[export.pk]))
    assert b"".join(fetched.streaming_content) == content(export)


def test_the_command_exports_and_makes_a_version_again(world, tmp_path):
    out = io.StringIO()
    call_command(
        "export_dataset",
        "acme",
        "fine_tuning",
        format="openai_chat",
        output=str(tmp_path / "a"),
        stdout=out,
        stderr=io.StringIO(),
    )
    export = Export.objects.get()
    assert out.getvalue().strip() == export.wire_id
    assert len((tmp_path / "a").read_text().splitlines()) == 3
    call_command("export_dataset", reproduce=export.version.wire_id, output=str(tmp_path / "b"), stdout=out)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with pytest.raises(CommandError, match="can be exported as"):
        call_command("export_dataset", "acme", "fine_tuning", format="promptfoo", stderr=io.StringIO())
    with pytest.raises(CommandError, match="no tenant"):
        call_command("export_dataset", "nobody", "fine_tuning")
