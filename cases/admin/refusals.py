"""Keeps what pages refuse: a denial that no service raised leaves a row as well."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from ..permissions import Denied
from ..rights import rights_of
from ..services.audit import keep_refusal
from .sessions import is_back_office


class KeepRefusals:
    """Stores each ``PermissionDenied`` of the back office; those that carry a service's ``Denied`` are stored already.

    Where no row is named, the page stands for it, in each tenant of the person: compliance staff of theirs read it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, fault: Exception) -> None:
        is_ours = is_back_office(request) and request.user.is_authenticated
        if is_ours and isinstance(fault, PermissionDenied) and not isinstance(fault.__cause__, Denied):
            keep_refusal(request.user, f"{request.method} {request.path_info}", rights_of(request).places)
