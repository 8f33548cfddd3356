"""The one page that customers see: whoever holds the link of their own message says whether they want more of them."""

import hashlib

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from .opt_out_words import WORDS, language_for
from .services import opt_outs
from .wire.ratelimit import Quota, count_in

PER_LINK = 20  # requests a minute
PER_ADDRESS = 600  # A proxy's, where one stands in front: many customers share it.


@csrf_exempt  # The signed link is what authenticates; there is no session that another site could borrow.
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def opt_out(request: HttpRequest, token: str) -> HttpResponse:
    """Asks on GET, stores on POST: mail scanners follow links and press no buttons. A link that is none of ours gets
    the same pages."""
    language = language_for([tag for tag, _ in parse_accept_lang_header(request.headers.get("Accept-Language", ""))])
    context = {"words": WORDS[language], "language": language}
    if quota := _exceeded(request, token):
        response = render(request, "customers/opt_out.html", context | {"step": "too_often"}, status=429)
        response["Retry-After"] = str(quota.reset)
    elif request.method != "POST":
        response = render(request, "customers/opt_out.html", context | {"step": "ask"})
    else:
        wants_notices = request.POST.get("wish") == "on"
        opt_outs.store(token, wants_notices=wants_notices)
        response = render(request, "customers/opt_out.html", context | {"step": "on" if wants_notices else "off"})
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response


def _exceeded(request: HttpRequest, token: str) -> Quota | None:
    windows = (
        (f"opt-out:link:{hashlib.sha256(token.encode()).hexdigest()[:32]}", PER_LINK),
        (f"opt-out:from:{request.META.get('REMOTE_ADDR', '')}", PER_ADDRESS),
    )
    for key, limit in windows:
        quota = count_in(key, lambda limit=limit: limit)
        if quota and quota.is_exceeded:
            return quota
    return None
