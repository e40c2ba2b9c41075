"""The admin exists for the networks of staff only; from anywhere else it is a page that is not."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse

from apps.core.networks import is_inside
from apps.core.web import answer, client_address, describe
from config.csp import ADMIN_PREFIX


class StaffNetwork:
    """Middleware: who is outside ``ADMIN_NETWORKS`` gets the same 404 as for any other address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_admin = f"{request.path_info}/".startswith(ADMIN_PREFIX)
        if is_admin and not is_inside(client_address(request), settings.ADMIN_NETWORKS):
            return answer(request, describe(Http404()))
        return self.get_response(request)
