"""The API is spoken to over TLS only: what came in the clear is refused, and not led on.

A page is led on to HTTPS. A program that were led on, too, would go on sending its token in the
clear, and nobody would notice.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.core.errors import NotAllowed
from apps.core.web import answer, describe

PREFIX = "/api/"


class ApiOverTls:
    """Middleware: 403 for the API over plain HTTP, where HTTPS is demanded at all."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_api = request.path_info.startswith(PREFIX)
        if is_api and settings.SECURE_SSL_REDIRECT and not request.is_secure():
            refusal = NotAllowed(
                "https_required",
                "Use https://. What was sent just now could be read on its way: replace its token.",
            )
            return answer(request, describe(refusal))
        return self.get_response(request)
