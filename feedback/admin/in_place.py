"""Deciding without leaving the page: where its script sends the form, the answer itself carries the next page.

One request instead of two. The script says so by ``X-In-Place``. The page in the answer names its own address in
``Content-Location``, and the script puts that into the history. A redirect it could not read, as browsers hide where
one leads: it becomes a 204 that names the address in ``Location``. Every other answer is what a form gets anyhow. All
of them bear ``X-In-Place`` as well; what does not, such as the page of a lost session, was not written for the script.
"""

from collections.abc import Callable

import structlog
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirectBase
from django.template.response import TemplateResponse

HEADER = "X-In-Place"

logger = structlog.get_logger(__name__)


def is_asked(request: HttpRequest) -> bool:
    """Whether the page's script sent this form; what a browser sends by itself has no such header."""
    return HEADER in request.headers


def carried(request: HttpRequest, address: str, show: Callable[[], TemplateResponse]) -> HttpResponse:
    """The page at ``address``, drawn by ``show``, within the answer to a decision that is in.

    So a fault of that page is its own and does not say that the decision failed: the answer leads there instead.
    """
    try:
        answer = show().render()
    except Exception:
        logger.exception("The next page could not be drawn within the answer", address=address)
        messages.get_messages(request).used = False  # Nobody has seen them.
        return _leading(address)
    answer["Content-Location"] = address
    return answer


def readable(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """``answer``, in the form in which whoever asked can follow it."""
    if not is_asked(request):
        return answer
    if isinstance(answer, HttpResponseRedirectBase):
        answer = _leading(answer.url)
    answer[HEADER] = "1"
    return answer


def _leading(address: str) -> HttpResponse:
    return HttpResponse(status=204, headers={"Location": address})
