"""The back office: one site for every room, with a home by role instead of a list of tables."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.views.decorators.cache import never_cache

from cases.models import User
from cases.rights import HeldRights, rights_of

# What the header offers: words, address, and the right that opens it; what is not of every day in groups that unfold.
MENU = (
    ("Cases", "admin:cases_case_changelist", "view_case"),
    ("Waiting", "admin:queues_entry_changelist", "view_queue"),
    ("Questions", "admin:queues_consultation_changelist", "view_review"),
    ("Reviews", "admin:feedback_review_changelist", "view_review"),
    ("Corrections", "admin:feedback_correction_changelist", "label_review"),
    ("Actions", "admin:approvals_proposedaction_changelist", "view_action"),
    ("Queues", "admin:queues_queue_changelist", "change_queue"),
    ("Automation", "admin:cases_automationswitch_changelist", "view_automation"),
    ("Insights", "admin:insights", "view_metrics"),
)
GROUPS = {
    "Set up": (
        ("Policies", "admin:cases_policy_changelist", "change_policy"),
        ("Thresholds", "admin:feedback_thresholds", "view_metrics"),
        ("Releases", "admin:releases", "view_metrics"),
        ("Staffing", "admin:staffing", "view_metrics"),
        ("People", "admin:cases_membership_changelist", "view_people"),
        ("Customers", "admin:cases_customertemplate_changelist", "change_policy"),
    ),
    "Oversight": (
        ("Challenges", "admin:feedback_challenge_changelist", "manage_challenges"),
        ("My challenges", "admin:feedback_challengeresult_mine", "view_review"),
        ("How closely", "admin:feedback_review_habits", "view_review"),
        ("Drift", "admin:feedback_drift", "view_metrics"),
        ("Maturity", "admin:maturity", "view_metrics"),
        ("Audit", "admin:audit", "view_audit"),
        ("Changes", "admin:cases_changerequest_changelist", "view_audit"),
        ("Erasures", "admin:cases_erasurereceipt_changelist", "erase_customer"),
        ("Evidence", "admin:feedback_evidencepack_changelist", "view_audit"),
        ("Seals", "admin:cases_seal_changelist", "view_audit"),
        ("Exports", "admin:feedback_export_changelist", "export_data"),
        ("Health", "admin:health", "change_queue"),
    ),
}


class SignInForm(AuthenticationForm):
    """People sign in; a service account has tokens. The answer to it is that of a wrong password."""

    def clean_username(self) -> str:
        """A name that no account can have is refused here: the record of failed attempts has room for no more."""
        username = self.cleaned_data["username"]
        if len(username) > User._meta.get_field("username").max_length:
            raise self.get_invalid_login_error()
        return username

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if not user.is_person:
            raise self.get_invalid_login_error()


class CountersignAdminSite(AdminSite):
    site_title = "Countersign"
    site_header = "Countersign"
    index_title = "Home"
    site_url = None
    enable_nav_sidebar = False
    login_form = SignInForm
    app_index_template = "admin/everything.html"  # Django's would show the home page's sections, and find none.

    def has_permission(self, request: HttpRequest) -> bool:
        """Any active person who belongs to a tenant, and the platform's own admins."""
        user = request.user
        if not (user.is_authenticated and user.is_active and user.is_person):
            return False
        rights = rights_of(request)
        return rights.is_superuser or bool(rights.by_tenant)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's page, with the second step behind it."""
        from cases.admin.sign_in import FirstStep  # The models are loaded after the site.

        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        context = {
            **self.each_context(request),
            "title": "Sign in",
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
        }
        if REDIRECT_FIELD_NAME not in request.GET and REDIRECT_FIELD_NAME not in request.POST:
            context[REDIRECT_FIELD_NAME] = reverse("admin:index")
        request.current_app = self.name
        page = FirstStep.as_view(authentication_form=self.login_form, extra_context=context | (extra_context or {}))
        return never_cache(page)(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Without Django's list of every table: no page but `everything/` shows it."""
        may_enter = self.has_permission(request)
        return {
            "site_title": self.site_title,
            "site_header": self.site_header,
            "site_url": self.site_url,
            "has_permission": may_enter,
            "is_popup": False,
            "is_nav_sidebar_enabled": False,
            "available_apps": [],
            "log_entries": self.get_log_entries(request),
            "menu": _menu(request, rights_of(request)) if may_enter else [],
            "stopped": _banner(request) if may_enter else None,
        }

    def get_urls(self):
        from cases.admin.step_up import pages_of

        # The rooms' models are loaded after the site.
        from feedback.admin import audit, insights, maturity, releases, staffing

        from .health import page

        own = {
            "everything": self.admin_view(self.everything),
            "health": self.admin_view(page),
            "insights": self.admin_view(insights.page),
            "maturity": self.admin_view(maturity.page),
            "audit": self.admin_view(audit.page),
            "releases": self.admin_view(releases.page),
            "staffing": self.admin_view(staffing.page),
            **pages_of(self),
        }
        return [
            *(path(f"{name.replace('_', '-')}/", view, name=name) for name, view in own.items()),
            path("insights/cases/", self.admin_view(insights.cases_page), name="insights-cases"),
            path("maturity/csv/", self.admin_view(maturity.as_csv), name="maturity-csv"),
            path("audit/cases/<uuid:case_id>/", self.admin_view(audit.case_page), name="audit-case"),
            path("audit/export/", self.admin_view(audit.export), name="audit-export"),
            *super().get_urls(),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """What this person has to do now."""
        from .home import home_of  # The rooms' models are loaded after the site.

        context = {**self.each_context(request), "title": "", "home": home_of(request.user, rights_of(request))}
        request.current_app = self.name
        return TemplateResponse(request, "admin/index.html", context | (extra_context or {}))

    def everything(self, request: HttpRequest) -> HttpResponse:
        """Django's own index: every table that this person may open."""
        context = {**self.each_context(request), "title": "Everything", "app_list": self.get_app_list(request)}
        request.current_app = self.name
        return TemplateResponse(request, "admin/everything.html", context)


def _banner(request: HttpRequest):
    from cases.services.standing import banner_of  # The models are loaded after the site.

    return banner_of(rights_of(request))


def _menu(request: HttpRequest, rights: HeldRights) -> list[dict[str, Any]]:
    """What this person may open: entries, and groups of them as ``entries``. A group of one is no group."""

    def entry(words: str, url: str) -> dict[str, Any]:
        at = request.path
        return {"words": words, "url": url, "is_here": at == url or (url != home and at.startswith(url))}

    def allowed(lines: Iterable[tuple[str, str, str]]) -> list[dict[str, Any]]:
        return [entry(words, reverse(name)) for words, name, right in lines if rights.has(right)]

    home = reverse("admin:index")
    menu = [entry("Home", home), *allowed(MENU)]
    for title, lines in GROUPS.items():
        entries = allowed(lines)
        if len(entries) > 1:
            menu.append({"words": title, "entries": entries, "is_here": any(one["is_here"] for one in entries)})
        else:
            menu += entries
    return [*menu, entry("Everything", reverse("admin:everything"))]
