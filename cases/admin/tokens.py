"""API tokens in the back office: one's own, and those of the accounts that one may change.

The plain text of a token is in one response and nowhere else: in no message, cookie, session or log. Every page here
goes out with ``Cache-Control: no-store``, as the admin site sends all of its pages.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from knox.models import AuthToken

from ..clock import db_now
from ..errors import CountersignError
from ..models import User
from ..services.people import LONGEST_TOKEN_LIFE, TOKEN_LIFE, issue_token, revoke_token
from .scoped import refuse

SHOWN = 100  # the newest; who has more revokes some


class TokenForm(forms.Form):
    days = forms.IntegerField(
        label="Life in days",
        min_value=1,
        max_value=LONGEST_TOKEN_LIFE.days,
        initial=TOKEN_LIFE.days,
        help_text=f"At most {LONGEST_TOKEN_LIFE.days}. Then it ends by itself.",
    )


class TokenPages(admin.ModelAdmin):
    """The token pages of ``PersonAdmin``: an address with a key is an account's, one without is one's own."""

    def get_urls(self):
        own = [
            ("my-tokens/", self.tokens_view, "my_tokens"),
            ("my-tokens/<slug:token_key>/revoke/", self.revoke_view, "my_token_revoke"),
            ("<uuid:user_id>/tokens/", self.tokens_view, "tokens"),
            ("<uuid:user_id>/tokens/<slug:token_key>/revoke/", self.revoke_view, "token_revoke"),
        ]
        pages = [path(route, self.admin_site.admin_view(view), name=f"cases_user_{name}") for route, view, name in own]
        return [*pages, *super().get_urls()]

    def tokens_view(self, request: HttpRequest, user_id: UUID | None = None) -> HttpResponse:
        """The account's tokens, and the form that makes one: the answer to it is the one place that shows it."""
        account = self._account(request, user_id)
        if account is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(user_id))
        form = TokenForm(request.POST or None)
        context = self._context(request, account, user_id)
        if request.method == "POST" and form.is_valid():
            life = timedelta(days=form.cleaned_data["days"])
            try:
                token = issue_token(account, actor=request.user, life=life)
            except CountersignError as error:
                return refuse(request, error)
            issued = context | {"title": "New API token", "token": token, "ends_at": db_now() + life}
            return TemplateResponse(request, "admin/cases/token/issued.html", issued)
        tokens = AuthToken.objects.filter(user=account).order_by("-created")[:SHOWN]
        return TemplateResponse(
            request, "admin/cases/token/list.html", context | {"form": form, "tokens": tokens, "now": db_now()}
        )

    def revoke_view(self, request: HttpRequest, token_key: str, user_id: UUID | None = None) -> HttpResponse:
        """First a page that asks, then the end of the token."""
        account = self._account(request, user_id)
        if account is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(user_id))
        context = self._context(request, account, user_id)
        token = AuthToken.objects.filter(user=account, token_key=token_key).first()
        if token is None:
            messages.warning(request, "There is no such token any more.")
            return redirect(context["tokens_url"])
        if request.method != "POST":
            asking = context | {"title": "Revoke an API token", "token": token, "now": db_now()}
            return TemplateResponse(request, "admin/cases/token/revoke.html", asking)
        try:
            revoke_token(account, token_key, actor=request.user)
        except CountersignError as error:
            return refuse(request, error)
        messages.success(request, f"Revoked. The token {token_key}… opens nothing any more.")
        return redirect(context["tokens_url"])

    def _account(self, request: HttpRequest, user_id: UUID | None) -> User | None:
        """Whose tokens these are: one's own, or those of an account that one may change; None if there is no such."""
        if user_id is None or user_id == request.user.pk:
            return request.user
        account = self.get_queryset(request).filter(pk=user_id).first()
        if account is not None and not self.has_change_permission(request, account):
            raise PermissionDenied
        return account

    def _context(self, request: HttpRequest, account: User, user_id: UUID | None) -> dict[str, Any]:
        if user_id is None:
            tokens_url = reverse("admin:cases_user_my_tokens")
        else:
            tokens_url = reverse("admin:cases_user_tokens", args=[user_id])
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "My tokens" if user_id is None else f"API tokens of {account}",
            "account": account,
            "is_own": user_id is None,
            "tokens_url": tokens_url,
        }
