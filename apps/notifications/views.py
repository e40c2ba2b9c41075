"""The inbox; its forms work without scripts too."""

from __future__ import annotations

from typing import Final, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Invalid
from apps.notifications import actions, queries
from apps.notifications.kinds import KINDS, Category
from apps.notifications.presentation import address_of, notice_json

PER_PAGE: Final = 30
UNREAD: Final = "unread"
SHOWN: Final = (
    ("", "All"),
    (UNREAD, "Unread"),
    (Category.SECURITY.value, "Security"),
    (Category.MONEY.value, "Money"),
    (Category.TRADING.value, "Trading"),
    (Category.ACCOUNT.value, "Account"),
)


@login_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    viewer, show = _viewer(request), request.GET.get("show", "")
    if show not in dict(SHOWN):
        raise Invalid("unknown_filter", "The inbox cannot be filtered by that.")
    page = queries.notices_page(
        viewer=viewer,
        limit=PER_PAGE,
        before=request.GET.get("before"),
        unread=show == UNREAD,
        category=show if show != UNREAD else None,
    )
    return render(
        request,
        "notifications/inbox.html",
        {
            "notices": [notice_json(notice) for notice in page.items],
            "next": page.next,
            "newest": page.items[0].pk if page.items else None,
            "unread": queries.unread_count(viewer=viewer),
            "show": show,
            "shown": SHOWN,
            "blank": {"id": 0, "category": "", "title": "", "text": "", "created_at": ""},
            "first_page": "before" not in request.GET,
        },
    )


@login_required
@require_POST
def open_notice(request: HttpRequest, notice_id: str) -> HttpResponse:
    notice = actions.mark_read(actor=_viewer(request), notice_id=notice_id, now=clock.now())
    return redirect(address_of(KINDS.get(notice.kind)) or "notifications:inbox")


@login_required
@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    up_to = request.POST.get("up_to") or None
    actions.mark_all_read(actor=_viewer(request), up_to=up_to, now=clock.now())
    return redirect("notifications:inbox")


def _viewer(request: HttpRequest) -> User:
    return cast(User, request.user)
