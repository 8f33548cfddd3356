"""Who may do what, line by line: every page of the back office, every route of the API, every command with an actor.

The lines of a model's own pages are read from its admin; the others are written down here, each with the right that it
needs. A right is a role's by ``cases.permissions``. ``manage.py permission_matrix`` prints it, docs/permissions.md is
what it printed, and tests/journeys/test_permission_matrix.py asks every line in every role.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.urls import URLPattern, URLResolver

from cases.admin.scoped import ReadOnlyAdmin, TenantScoped
from cases.models import Tenant
from cases.permissions import QUEUE_RIGHTS, TENANT_RIGHTS
from cases.vocabulary import Role
from config import api

ANYBODY = ""  # whoever is signed in
AUTHORITY = "authority"  # no role's: an approval authority that reaches the action, or its proposer
WORKER = "worker"  # a reviewer of the queue; what is done to a case needs its claim besides
PLATFORM = "platform"
PLATFORM_ADMIN = "platform_admin"
COLUMNS = (*(role.value for role in Role), PLATFORM_ADMIN)
WORDS = dict(Tenant._meta.permissions) | {
    "work_queue": "Take and decide cases",
    "supervise_queue": "Supervise queues",
    ANYBODY: "Sign in",
    AUTHORITY: "Hold an authority that reaches the action",
    WORKER: "Work on cases as a reviewer; for a case, hold its claim",
    PLATFORM: "Platform admin",
}


@dataclass(frozen=True)
class Line:
    """``name`` is the page's, the route's or the command's; ``what`` is how it is asked: a method or a page."""

    name: str
    what: str
    right: str
    people_only: bool = True

    def allows(self, column: str) -> bool:
        """Whether a role's rights open it; an authority is granted apart and is no role's."""
        if self.right == AUTHORITY:
            return False
        if column == PLATFORM_ADMIN:
            return self.right != WORKER
        if self.right == PLATFORM or (column == Role.INTEGRATION and self.people_only):
            return False
        held = TENANT_RIGHTS[Role(column)] | QUEUE_RIGHTS.get(Role(column), frozenset())
        if self.right == WORKER:
            return "work_queue" in held
        return self.right == ANYBODY or not held.isdisjoint(self.right.split("|"))

    @property
    def words(self) -> str:
        """What it needs: one right, or either of two."""
        return " or ".join(WORDS[right] for right in self.right.split("|"))


# --- the back office --------------------------------------------------------------------------------------------------

# The house's own pages, by the name of their address. A GET shows, a POST does.
OWN_PAGES: dict[str, tuple[str, str]] = {
    "index": ("GET", ANYBODY),
    "everything": ("GET", ANYBODY),
    "health": ("GET", "change_queue|view_audit"),
    "insights": ("GET", "view_metrics"),
    "insights-cases": ("GET", "view_metrics"),
    "maturity": ("GET", "view_metrics"),
    "maturity-csv": ("GET", "view_metrics"),
    "releases": ("GET", "view_metrics"),
    "staffing": ("GET", "view_metrics"),
    "audit": ("GET", "view_audit"),
    "audit-case": ("GET", "view_audit"),
    "audit-export": ("POST", "view_audit"),
    "second_step": ("GET", ANYBODY),
    "step_up": ("GET", ANYBODY),
    "second_factor": ("GET", ANYBODY),
    "login": ("GET", ANYBODY),
    "logout": ("POST", ANYBODY),
    "password_change": ("GET", ANYBODY),
    "password_change_done": ("GET", ANYBODY),
    "jsi18n": ("GET", ANYBODY),
    "cases_automationswitch_recall": ("GET", "reopen_case"),
    "cases_automationswitch_answer": ("POST", "resume_automation"),
    "cases_breakeralarm_reset": ("POST", "resume_automation"),
    "cases_changerequest_answer": ("POST", "change_policy"),
    "cases_customertemplate_test": ("POST", "change_policy"),
    "cases_customernotice_resend": ("POST", "change_queue"),
    "cases_noticechannel_test": ("POST", "change_queue"),
    "cases_notice_resend": ("POST", "change_queue"),
    "cases_case_save_filter": ("POST", "view_case"),
    "cases_case_forget_filter": ("POST", ANYBODY),
    "cases_seal_head": ("GET", "view_audit"),
    "cases_erasurereceipt_erase": ("GET", "erase_customer"),
    "cases_erasurereceipt_report": ("GET", "erase_customer"),
    "cases_legalhold_place": ("GET", "erase_customer"),
    "cases_legalhold_release": ("POST", "erase_customer"),
    "cases_user_add_service": ("GET", "change_people"),
    "cases_user_my_account": ("GET", ANYBODY),
    "cases_user_my_account_leave": ("POST", ANYBODY),
    "cases_user_access": ("GET", "change_people"),
    "cases_user_my_tokens": ("GET", ANYBODY),
    "cases_user_my_token_revoke": ("GET", ANYBODY),
    "cases_user_tokens": ("GET", "change_people"),
    "cases_user_token_revoke": ("GET", "change_people"),
    "auth_user_password_change": ("GET", "change_people"),
    "cases_webhookendpoint_test": ("POST", "change_webhook"),
    "cases_webhookendpoint_new_secret": ("POST", "change_webhook"),
    "cases_webhookendpoint_remove_previous": ("POST", "change_webhook"),
    "cases_webhookendpoint_resend": ("POST", "change_webhook"),
    "cases_delivery_resend": ("POST", "change_webhook"),
    "queues_entry_save_filter": ("POST", "view_queue"),
    "queues_entry_forget_filter": ("POST", ANYBODY),
    "queues_entry_deadline": ("POST", "supervise_queue"),
    "queues_entry_held": ("GET", "supervise_queue"),
    "queues_entry_take_back": ("POST", "supervise_queue"),
    "queues_entry_rebalance": ("GET", "supervise_queue"),
    "queues_entry_hand_over": ("GET", "supervise_queue"),
    "queues_queue_routing": ("GET", "view_queue"),
    "approvals_actiontype_try": ("GET", "change_action"),
    "approvals_actiontype_new_secret": ("POST", "change_action"),
    "approvals_actiontype_remove_previous": ("POST", "change_action"),
    "approvals_proposedaction_waiting": ("GET", ANYBODY),
    "approvals_proposedaction_unknown": ("GET", ANYBODY),
    "approvals_proposedaction_reconcile": ("GET", "reconcile_action"),
    "approvals_proposedaction_approve": ("POST", AUTHORITY),
    "approvals_proposedaction_reject": ("POST", AUTHORITY),
    "approvals_proposedaction_take_back": ("POST", AUTHORITY),
    "approvals_proposedaction_retry_preview": ("POST", "view_action"),
    "approvals_proposedaction_cancel": ("POST", "withdraw_case"),
    "approvals_proposedaction_edit": ("POST", AUTHORITY),
    "approvals_approvalauthority_grants": ("GET", "view_action"),
    "feedback_correction_next": ("GET", "label_review"),
    "feedback_correction_label": ("GET", "label_review"),
    "feedback_correction_take_back": ("POST", "label_review"),
    "feedback_correction_alike": ("GET", "label_review"),
    "feedback_correction_import": ("GET", "label_review"),
    "feedback_challenge_of_case": ("GET", "manage_challenges"),
    "feedback_challenge_variant": ("GET", "manage_challenges"),
    "feedback_challengeresult_mine": ("GET", "view_review"),
    "feedback_challengeresult_read": ("POST", ANYBODY),
    "feedback_challengeresult_people": ("GET", "manage_challenges"),
    "feedback_thresholds": ("GET", "view_metrics"),
    "feedback_what_if": ("GET", "view_metrics"),
    "feedback_threshold_apply": ("POST", "change_policy"),
    "feedback_weights_learn": ("POST", "change_policy"),
    "feedback_weights_adopt": ("POST", "change_policy"),
    "feedback_weights_shadow": ("POST", "change_policy"),
    "feedback_weights_back": ("POST", "change_policy"),
    "feedback_drift": ("GET", "view_metrics"),
    "feedback_evidencepack_new": ("GET", "view_audit"),
    "feedback_evidencepack_download": ("GET", "view_audit"),
    "feedback_evidencepack_cancel": ("POST", "view_audit"),
    "feedback_export_new": ("GET", "export_data"),
    "feedback_export_download": ("GET", "export_data"),
    "feedback_export_cancel": ("POST", "export_data"),
    "feedback_export_push": ("POST", "export_data"),
    "feedback_weeklyexport_download": ("GET", "export_data"),
    "feedback_review_agreement": ("GET", "view_metrics"),
    "feedback_review_habits": ("GET", "view_review"),
    "feedback_review_first": ("POST", WORKER),
    "feedback_review_strike": ("POST", "supervise_queue"),
    "feedback_review_next": ("POST", WORKER),
    "feedback_review_find": ("GET", "view_audit"),
    "feedback_review_work": ("GET", "view_case"),
    "feedback_review_take": ("POST", WORKER),
    "feedback_review_decide": ("POST", WORKER),
    "feedback_review_undo": ("POST", WORKER),
    "feedback_review_dwell": ("POST", WORKER),
    "feedback_review_keep": ("POST", WORKER),
    "feedback_review_save_filter": ("POST", "view_review"),
    "feedback_review_forget_filter": ("POST", ANYBODY),
    "feedback_review_aside": ("POST", WORKER),
    "feedback_review_heartbeat": ("POST", WORKER),
    "feedback_secondlook_ask": ("GET", "reopen_case"),
}
# The parts of a case's page that do something, each with its own right.
CASE_ACTS = {"withdraw": "withdraw_case", "reopen": "reopen_case"}
DJANGOS_OWN = {"autocomplete", "view_on_site", "app_list", None}  # They ask the models' own pages, or show nothing.
MODEL_PAGES = ("changelist", "add", "history", "delete", "change", "simple_history")


def model_lines() -> Iterator[Line]:
    """List, add and change of each model of ours; opening a row and its history need what its list needs."""
    for model, page in sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label_lower):
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        if not isinstance(page, TenantScoped):
            yield Line(name, "list", PLATFORM)
            continue
        yield Line(name, "list", page.view_right)
        if _writes(page):
            right = PLATFORM if model is Tenant else page.change_right
            yield Line(name, "add", right)
            yield Line(name, "change", page.change_right)


def _writes(page: ModelAdmin) -> bool:
    return bool(getattr(page, "change_right", "")) and not isinstance(page, ReadOnlyAdmin)


def own_page_names() -> set[str | None]:
    """The names of every address of the back office that is no model's list or form."""
    models = {f"{model._meta.app_label}_{model._meta.model_name}_" for model in admin.site._registry}
    names = {pattern.name for pattern in _patterns(admin.site.get_urls())}
    return {name for name in names if not any((name or "") == f"{m}{page}" for m in models for page in MODEL_PAGES)}


def _patterns(patterns: list) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns)
        else:
            yield pattern


def own_page_lines() -> Iterator[Line]:
    for name, (method, right) in OWN_PAGES.items():
        yield Line(name, method, right)
    for act, right in CASE_ACTS.items():
        yield Line(f"cases_case_act {act}", "POST", right)


# --- the API ----------------------------------------------------------------------------------------------------------

ROUTES: dict[tuple[str, str], str] = {
    ("cases/", "GET"): "view_case",
    ("cases/", "POST"): "submit_case",
    ("cases/bulk/", "POST"): "submit_case",
    ("cases/<str:case_id>/", "GET"): "view_case",
    ("cases/<str:case_id>/timeline/", "GET"): "view_case",
    ("cases/<str:case_id>/drafts/", "POST"): "submit_case",
    ("cases/<str:case_id>/withdraw/", "POST"): "withdraw_case",
    ("cases/<str:case_id>/escalate/", "POST"): "submit_case",
    ("cases/<str:case_id>/satisfaction/", "POST"): "submit_case",
    ("cases/<str:case_id>/review-draft/", "GET"): WORKER,
    ("cases/<str:case_id>/review-draft/", "PUT"): WORKER,
    ("cases/<str:case_id>/reviews/", "POST"): WORKER,
    ("cases/<str:case_id>/first-opinion/", "GET"): "view_case",
    ("cases/<str:case_id>/first-opinion/", "POST"): WORKER,
    ("cases/<str:case_id>/heartbeat/", "POST"): WORKER,
    ("cases/<str:case_id>/release/", "POST"): WORKER,
    ("cases/<str:case_id>/skip/", "POST"): WORKER,
    ("cases/<str:case_id>/snooze/", "POST"): WORKER,
    ("cases/<str:case_id>/decline/", "POST"): WORKER,
    ("cases/<str:case_id>/consult/", "POST"): WORKER,
    ("cases/<str:case_id>/hand-up/", "POST"): WORKER,
    ("cases/<str:case_id>/stop-waiting/", "POST"): WORKER,
    ("cases/<str:case_id>/answer/", "POST"): WORKER,
    ("questions/", "GET"): ANYBODY,
    ("queues/", "GET"): "view_queue",
    ("queues/claim/", "POST"): WORKER,
    ("actions/", "GET"): "view_case",
    ("actions/", "POST"): "propose_action",
    ("actions/<str:action_id>/", "GET"): "view_case",
    ("actions/<str:action_id>/approve/", "POST"): AUTHORITY,
    ("actions/<str:action_id>/reject/", "POST"): AUTHORITY,
    ("actions/<str:action_id>/edit/", "POST"): AUTHORITY,
    ("actions/<str:action_id>/cancel/", "POST"): "withdraw_case",
    ("actions/<str:action_id>/preview/", "POST"): "view_action",
    ("actions/<str:action_id>/take-back/", "POST"): AUTHORITY,
    ("actions/<str:action_id>/reconcile/", "POST"): "reconcile_action",
    ("exports/", "GET"): ANYBODY,
    ("exports/", "POST"): "export_data",
    ("exports/<str:export_id>/", "GET"): "export_data",
    ("exports/<str:export_id>/download/", "GET"): "export_data",
    ("exports/<str:export_id>/cancel/", "POST"): "export_data",
    ("exports/weekly/", "GET"): ANYBODY,
    ("exports/weekly/<str:weekly_id>/", "GET"): "export_data",
    ("exports/weekly/<str:weekly_id>/download/", "GET"): "export_data",
    ("metrics/", "GET"): "view_metrics",
    ("automation/", "GET"): "view_automation",
    ("automation/stop/", "POST"): "stop_automation",
    ("automation/recall/", "GET"): "view_automation",
    ("automation/recall/", "POST"): "reopen_case",
    ("automation/resume/", "POST"): "resume_automation",
}


def routes() -> set[tuple[str, str]]:
    """Every route of the API with each of its methods, as the URL configuration has them."""
    return {
        (str(pattern.pattern), method.upper())
        for pattern in api.urlpatterns
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(pattern.callback.view_class, method)
    }


def route_lines() -> Iterator[Line]:
    for (route, method), right in ROUTES.items():
        yield Line(f"/api/v1/{route}", method, right, people_only=False)


# --- commands ---------------------------------------------------------------------------------------------------------

# Those that act under a name. All others act as the system, for whoever has the server's shell.
COMMANDS = {
    "automation resume --as": "resume_automation",
    "automation recall --as": "reopen_case",
    "export_dataset --as": "export_data",
    "import_labels --as": "label_review",
    "replay --as": "submit_case",
}


def command_lines() -> Iterator[Line]:
    for command, right in COMMANDS.items():
        yield Line(command, "run", right, people_only=command != "replay --as")


SECTIONS = (
    ("The back office: lists and forms", model_lines),
    ("The back office: the house's own pages", own_page_lines),
    ("The API", route_lines),
    ("Commands that act under a name", command_lines),
)


def as_markdown() -> str:
    """The whole matrix, as docs/permissions.md keeps it."""
    said = [
        "# Who may do what",
        "",
        "Printed by `manage.py permission_matrix`; a test asks every line in every role and keeps this page true.",
        "Roles are held in one tenant and reach no other. A platform admin is a superuser: all of it, in every tenant,",
        "but for what nobody may: approve without an authority, sign their own proposal, confirm their own change.",
        "Where a line names an authority, no role opens it: an authority is granted to people and roles apart.",
        "“Supervise” and the work of a reviewer stand on each queue, and are listed with the roles that have them.",
        "A list that anybody may open shows each person what they may see, and may be empty.",
    ]
    for title, lines in SECTIONS:
        said += ["", f"## {title}", "", f"| | | needs | {' | '.join(c.replace('_', ' ') for c in COLUMNS)} |"]
        said += [f"|---|---|---|{'---|' * len(COLUMNS)}"]
        for line in lines():
            marks = " | ".join("yes" if line.allows(column) else "–" for column in COLUMNS)
            said.append(f"| `{line.name}` | {line.what} | {line.words} | {marks} |")
    return "\n".join(said) + "\n"
