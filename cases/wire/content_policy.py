"""The Content-Security-Policy of every answer."""

from typing import Any

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.http import HttpRequest, HttpResponseBase

OWN = {"_csp_config", "_csp_update", "_csp_replace", "_csp_exempt"}  # Where its decorators leave what a view wants.


class ContentPolicyMiddleware(CSPMiddleware):
    """django-csp's, with the policy of the settings put together once and not twice for each answer.

    A view with a policy of its own (django-csp's decorators, a nonce) still gets that.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.usual = build_policy()
        self.is_all = not build_policy(report_only=True)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not self.is_all or "_csp_nonce" in vars(request) or not OWN.isdisjoint(vars(response)):
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, self.usual)
        return response
