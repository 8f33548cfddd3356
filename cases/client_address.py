"""Where a request came from, as far as our own proxies vouch for it."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The caller's IP address; None where there is none, as on a Unix socket.

    Each proxy appends whom it heard from to ``X-Forwarded-For``, and a caller may send a header of their own: only the
    last ``settings.TRUSTED_PROXIES`` entries were written by us. Without proxies the header counts for nothing.
    """
    direct = request.META.get("REMOTE_ADDR", "")
    heard = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    count = settings.TRUSTED_PROXIES
    return _valid(heard[-count]) if 0 < count <= len(heard) else _valid(direct)


def _valid(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None
