"""The admin exists for the networks of staff only; from anywhere else it is a page that is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
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

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        args: Sequence[object],
        kwargs: Mapping[str, object],
    ) -> None:
        """Turn away who may not see a model before any row of it is looked up.

        Django looks for the row first on its page of history, and what it answered then told any
        member of staff which rows there are.
        """
        shown = getattr(view, "model_admin", None)
        if shown is None or "object_id" not in kwargs or not admin.site.has_permission(request):
            return
        if not (
            shown.has_view_or_change_permission(request) or shown.has_delete_permission(request)
        ):
            raise PermissionDenied
