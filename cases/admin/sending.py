"""Two buttons that messages have in common: a test to oneself, and another try for one that was given up."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path

from ..errors import CountersignError
from .scoped import TenantScoped, refuse


class SendsTests(TenantScoped):
    """Adds ``<key>/test/``: ``send_test`` sends the row to its reader now and says what went wrong, or nothing."""

    send_test: Callable[[HttpRequest, UUID], str]  # a method; raises ``CountersignError``

    def get_urls(self):
        return [_button(self, "test", self.test_view), *super().get_urls()]

    def test_view(self, request: HttpRequest, key: UUID) -> HttpResponse:
        if gone := _out_of_reach(self, request, key):
            return gone
        try:
            error = self.send_test(request, key)
        except CountersignError as refused:
            refuse(request, refused)
        else:
            if error:
                messages.error(request, f"The test did not go out. {error}")
            else:
                messages.success(request, "The test went out. Look whether it has arrived.")
        return _back(self, key)


class SendsAgain(TenantScoped):
    """Adds ``<key>/resend/``: ``resend`` gives a message that could not be sent another set of attempts."""

    resend: Callable[..., Any]  # of a key and an ``actor``; raises ``CountersignError``
    resend_right = "change_queue"

    def get_urls(self):
        return [_button(self, "resend", self.resend_view), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        notice = kwargs.get("obj")
        if notice is not None:
            may = self._may(request, self.resend_right, notice)
            context["may_resend"] = may and notice.state == type(notice).State.FAILED
        return super().render_change_form(request, context, **kwargs)

    def resend_view(self, request: HttpRequest, key: UUID) -> HttpResponse:
        if gone := _out_of_reach(self, request, key):
            return gone
        try:
            self.resend(key, actor=request.user)
        except CountersignError as error:
            refuse(request, error)
        else:
            messages.success(request, "It will be sent again within seconds.")
        return _back(self, key)


def _button(page: TenantScoped, verb: str, view: Callable[..., HttpResponse]):
    name = f"{page.opts.app_label}_{page.opts.model_name}_{verb}"
    return path(f"<uuid:key>/{verb}/", page.admin_site.admin_view(view), name=name)


def _out_of_reach(page: TenantScoped, request: HttpRequest, key: UUID) -> HttpResponse | None:
    """The answer for a row that this person does not see; None where they may press the button."""
    if not page.get_queryset(request).filter(pk=key).exists():
        return page._get_obj_does_not_exist_redirect(request, page.opts, str(key))
    if request.method != "POST":
        raise PermissionDenied
    return None


def _back(page: TenantScoped, key: UUID) -> HttpResponse:
    return redirect(f"admin:{page.opts.app_label}_{page.opts.model_name}_change", key)
