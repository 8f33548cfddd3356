"""A Content-Type that Django cannot parse is a 415 like any other that is not understood.

Django reads the header while it builds the request, before any middleware and outside of its own error handling: there
a parameter such as ``charset*=bogus''x`` (RFC 2231) raises ``ValueError``, and the server answers a bare 500.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.http import parse_header_parameters

UNREADABLE = "application/x-unreadable"  # No parser takes it, so that each door gives its own answer to that.

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def guard_content_type(application: Application) -> Application:
    """Wraps a WSGI ``application``: it never sees a Content-Type that cannot be parsed."""

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            parse_header_parameters(environ.get("CONTENT_TYPE", ""))
        except ValueError:
            environ["CONTENT_TYPE"] = UNREADABLE
        return application(environ, start_response)

    return guarded
