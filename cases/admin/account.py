"""One's own account: what lets one in, and what happened at one's door; and the same page of somebody else for those
who may change them, with what helps who cannot get in."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path

from ..errors import CountersignError
from ..history import REASON_LENGTH
from ..models import User
from ..rights import rights_of
from ..services import access, second_factor
from .scoped import refuse

# The buttons of somebody else's page: what each does, and what it says when it is done.
HELP = {
    "unlock": (access.unlock, "Unlocked: they can try again at once."),
    "reset": (
        access.reset_second_factor,
        "The second factor and its backup codes are gone, and they are signed out everywhere.",
    ),
    "end": (access.sign_out_everywhere, "They are signed out everywhere."),
}


class HelpForm(forms.Form):
    reason = forms.CharField(
        label="Reason",
        max_length=REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="Stands in the record of this person's sign-ins, beside your name.",
    )


class AccountPages(admin.ModelAdmin):
    """The pages of ``PersonAdmin`` about the door: an address with a key is somebody's, one without is one's own."""

    def get_urls(self):
        own = [
            ("my-account/", self.my_account, "my_account"),
            ("my-account/sign-out-everywhere/", self.leave, "my_account_leave"),
            ("<uuid:user_id>/access/", self.access_view, "access"),
        ]
        pages = [path(route, self.admin_site.admin_view(view), name=f"cases_user_{name}") for route, view, name in own]
        return [*pages, *super().get_urls()]

    def my_account(self, request: HttpRequest) -> HttpResponse:
        context = _door(request.user) | {"title": "My account", "rights": rights_of(request)}
        return self._answer(request, "mine", request.user, context)

    def leave(self, request: HttpRequest) -> HttpResponse:
        """POST only: end all one's sessions but this one, which goes on under a new key."""
        if request.method != "POST":
            raise PermissionDenied
        access.sign_out_everywhere(request.user, actor=request.user)
        update_session_auth_hash(request, request.user)
        messages.success(request, "You are signed out everywhere else. Your API tokens still work: revoke them apart.")
        return redirect("admin:cases_user_my_account")

    def access_view(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        """Somebody's door. Who may only read people sees nothing of it: it is the person's and their admins'."""
        account = self.get_queryset(request).filter(pk=user_id, kind=User.AccountKind.PERSON).first()
        if account is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(user_id))
        if not self.has_change_permission(request, account):
            raise PermissionDenied
        form = HelpForm(request.POST or None)
        asked = next((name for name in HELP if name in request.POST), None)
        if asked and form.is_valid():
            service, done = HELP[asked]
            try:
                service(account, actor=request.user, reason=form.cleaned_data["reason"])
            except CountersignError as error:
                return refuse(request, error)
            messages.success(request, done)
            return redirect("admin:cases_user_access", user_id)
        context = _door(account) | {"title": f"Sign-in of {account}", "form": form}
        return self._answer(request, "somebodys", account, context)

    def _answer(self, request: HttpRequest, name: str, account: User, context: dict[str, Any]) -> HttpResponse:
        context |= {**self.admin_site.each_context(request), "opts": self.opts, "account": account}
        return TemplateResponse(request, f"admin/cases/account/{name}.html", context)


def _door(user: User) -> dict[str, Any]:
    return {
        "device": second_factor.device_of(user),
        "codes_left": second_factor.codes_left(user),
        "has_password": second_factor.has_password(user),
        "locks": access.locks_of(user).order_by("-attempt_time")[: access.SHOWN],
        "events": access.latest_of(user),
    }
