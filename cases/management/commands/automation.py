"""``manage.py automation``: the switch from the shell, when the back office cannot be reached."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cases.errors import CountersignError
from cases.models import AutomationSwitch, Tenant, User
from cases.models.people import system_actor
from cases.models.tenants import SANDBOX_ID
from cases.services import recalls, selftest, switch
from cases.services.impact import counted, impact_of
from cases.vocabulary import Depth, Stage


class Command(BaseCommand):
    help = (
        "Stop automation, resume it in stages, see what runs, recall automatic approvals, test the switch. A stop "
        "needs nobody's name: who has this shell may stop. Resuming and recalling are somebody's: name them by --as."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        stop = commands.add_parser("stop", help="stop, at once")
        _scope(stop)
        stop.add_argument("--dispatch", action="store_true", help="hold what people approve, too")
        stop.add_argument("--preview", action="store_true", help="only say what it would hit")
        resume = commands.add_parser("resume", help="resume, up to a stage")
        _scope(resume)
        resume.add_argument("--stage", type=int, choices=Stage.values, default=Stage.TENTH, help="percent (default 10)")
        recall = commands.add_parser("recall", help="send automatic approvals back to people")
        recall.add_argument("--tenant", required=True)
        recall.add_argument("--domain", default="")
        recall.add_argument("--since", required=True, help="an instant such as 2027-05-09T12:00:00+00:00")
        recall.add_argument("--preview", action="store_true", help="only count them")
        for one in (stop, resume, recall):
            one.add_argument("--reason", default="", help="shown to everybody whose work changes")
            one.add_argument("--as", dest="username", help="whose doing it is")
        commands.add_parser("status", help="what runs, and what was said")
        commands.add_parser("test", help="prove in the sandbox that a stop stops")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        try:
            getattr(self, command)(**options)
        except CountersignError as error:
            raise CommandError(error.message) from error

    def stop(self, *, dispatch: bool, preview: bool, reason: str, username: str | None, **options: Any) -> None:
        scope = _scope_of(options)
        if preview:
            for impact in impact_of(scope):
                self.stdout.write(f"{impact.figure} {impact.words}")
            return
        depth = Depth.DISPATCH if dispatch else Depth.DECISIONS
        actor = _account(username) if username else system_actor()
        row = switch.stop(scope, actor=actor, reason=reason, depth=depth)
        self.stdout.write(f"Stopped for {scope}: {row.get_depth_display()}.")

    def resume(self, *, stage: int, reason: str, username: str | None, **options: Any) -> None:
        scope = _scope_of(options)
        resumed = switch.resume(scope, actor=_account(username), reason=reason, stage=Stage(stage))
        if resumed.request:
            self.stdout.write("Nothing has changed yet: another person has to ask for the same, within a day.")
        else:
            self.stdout.write(f"For {scope}: {Stage(stage).label}.")

    def recall(
        self, *, tenant: str, domain: str, since: str, preview: bool, reason: str, username: str | None, **options: Any
    ) -> None:
        asked = {"since": _instant(since), "domain": domain, "actor": _account(username)}
        if preview:
            self.stdout.write(f"{counted(recalls.preview(_tenant(tenant), **asked))} would go back.")
            return
        run = recalls.ask(_tenant(tenant), reason=reason, **asked)
        while recalls.advance(run.pk) is not None:
            pass
        run.refresh_from_db()
        rest = "" if run.finished_at else " A worker carries on with the rest."
        self.stdout.write(f"{run.recalled} went back to people.{rest}")

    def status(self, **options: Any) -> None:
        rows = AutomationSwitch.objects.exclude(tenant=SANDBOX_ID).select_related("tenant", "changed_by")
        for row in rows.order_by("tenant__slug", "domain", "action"):
            state = f"{row.share} %" if row.is_enabled else f"off ({row.get_depth_display()})"
            self.stdout.write(
                f"{row}: {state}, since {row.changed_at:%Y-%m-%d %H:%M} UTC, {row.changed_by}: {row.reason}"
            )
        if not rows:
            self.stdout.write("Off: it was never switched on.")

    def test(self, **options: Any) -> None:
        found = selftest.run()
        if found is None:
            raise CommandError("A self-test is under way.")
        if not found.passed:
            raise CommandError(found.finding)
        self.stdout.write(f"{found.finding} The stop took {(found.stop_seconds or 0) * 1000:.0f} ms.")


def _scope(parser: ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--tenant", metavar="SLUG")
    where.add_argument("--everywhere", action="store_true")
    parser.add_argument("--domain", default="")
    parser.add_argument("--action", default="")


def _scope_of(options: dict[str, Any]) -> switch.Scope:
    tenant = None if options["everywhere"] else _tenant(options["tenant"])
    return switch.Scope(tenant, options["domain"], options["action"])


def _tenant(slug: str) -> Tenant:
    if found := Tenant.objects.filter(slug=slug).first():
        return found
    raise CommandError(f"There is no tenant called {slug}.")


def _account(username: str | None) -> User:
    if not username:
        raise CommandError("Say by --as whose doing it is.")
    if found := User.objects.filter(username=username).first():
        return found
    raise CommandError(f"There is no account called {username}.")


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--since is {text}: write an instant such as 2027-05-09T12:00:00+00:00.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
