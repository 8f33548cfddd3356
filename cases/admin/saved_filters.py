"""The present filter of a list under a name of one's own: above the list from then on, until it is let go."""

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from ..errors import CountersignError
from ..models.saved_filters import NAME_LENGTH
from ..services import saved_filters
from ..untrusted import shown
from .scoped import lookups_of


class SavedFilters:
    """Mixed into the admin of a list, before ``TenantScoped``; its template extends ``admin/filtered_list.html``."""

    @property
    def _list_name(self) -> str:
        return self.opts.label_lower

    def get_urls(self) -> list[URLPattern]:
        return [*self.filter_urls(), *super().get_urls()]

    def filter_urls(self) -> list[URLPattern]:
        def named(name: str) -> str:
            return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

        view = self.admin_site.admin_view
        return [
            path("filters/save/", view(self.save_filter), name=named("save_filter")),
            path("filters/<uuid:filter_id>/forget/", view(self.forget_filter), name=named("forget_filter")),
        ]

    def changelist_view(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        query = self._filter_of(request, request.GET)
        own = saved_filters.own_of(request.user, self._list_name)
        kept = {
            "saved_filters": own,
            "filter_query": query,
            "is_saved": any(one.query == query for one in own),
            "filter_name_length": NAME_LENGTH,
            "save_filter_url": self._url("save_filter"),
            "forget_filter_view": f"admin:{self.opts.app_label}_{self.opts.model_name}_forget_filter",
        }
        return super().changelist_view(request, kept | (extra_context or {}))

    @method_decorator(require_POST)
    def save_filter(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = self._filter_of(request, QueryDict(request.POST.get("query", "")[:2_000]))
        try:
            kept = saved_filters.save(
                request.user, self._list_name, name=request.POST.get("name", "").replace("\x00", ""), query=query
            )
        except CountersignError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, format_html("“{}” stands above the list now, for you alone.", shown(kept.name)))
        return redirect(f"{self._url('changelist')}?{query}")

    @method_decorator(require_POST)
    def forget_filter(self, request: HttpRequest, filter_id: UUID) -> HttpResponse:
        if not saved_filters.forget(request.user, self._list_name, filter_id):
            raise Http404("No such filter.")
        return redirect(self._url("changelist"))

    def _filter_of(self, request: HttpRequest, asked: QueryDict) -> str:
        """What the list's own filters read of an address, in one order; not the words of a search."""
        known = {name for chosen in self.get_list_filter(request) for name in lookups_of(chosen)}
        return urlencode(sorted((name, value) for name, value in asked.items() if name in known and value))

    def _url(self, name: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}")
