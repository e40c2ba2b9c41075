"""Notices through the API: what one was told, and that one has read it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.endpoint import Endpoint, PageQuery, open_cursor, page_body, seal_cursor
from apps.core.fields import QuerySerializer, StrictChoice, StrictSerializer, StrictText
from apps.core.openapi import documented
from apps.notifications import actions, queries
from apps.notifications.kinds import KINDS, Category
from apps.notifications.presentation import notice_json

_NOTICE = {
    "id": "412",
    "kind": "password_changed",
    "category": "security",
    "title": "Your password was changed",
    "text": "All other sign-ins have ended. If this was not you, freeze your account and choose a"
    " new password now.",
    "url": "/account/security",
    "created_at": "2026-11-22T12:00:00Z",
    "read_at": None,
}


class NoticesQuery(PageQuery):
    show = StrictChoice(
        choices=["all", "unread"], default="all", help_text="Only what you have not read."
    )
    category = StrictChoice(choices=[each.value for each in Category], required=False)


class NoticeOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.CharField()
    kind = serializers.ChoiceField(sorted(KINDS))
    category = serializers.ChoiceField([each.value for each in Category])
    title = serializers.CharField()
    text = serializers.CharField(allow_blank=True)
    url = serializers.CharField(allow_null=True, help_text="The page of the site it is about.")
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class NoticesOutput(serializers.Serializer[dict[str, object]]):
    items = NoticeOutput(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it back as `cursor`.")
    unread = serializers.IntegerField(help_text="Of all notices, not only of these.")


class UnreadOutput(serializers.Serializer[dict[str, object]]):
    unread = serializers.IntegerField()


class ReadAllInput(StrictSerializer):
    up_to = StrictText(
        max_length=18,
        required=False,
        help_text="The newest notice that was seen; what came after it stays unread.",
    )


class ReadAllOutput(UnreadOutput):
    marked = serializers.IntegerField(help_text="How many were not read before.")


class NoInput(StrictSerializer):
    """Nothing."""


class NoticesView(Endpoint):
    @documented(
        summary="What you were told, newest first",
        tag="notifications",
        query=NoticesQuery,
        answer=NoticesOutput,
        example={"items": [_NOTICE], "next": "412.VKPyQ8dX", "unread": 3},
        refusals={400: "invalid_cursor"},
        operation_id="notifications",
    )
    def get(self, request: Request) -> Response:
        query = self.read_query(NoticesQuery)
        page = queries.notices_page(
            viewer=self.person,
            limit=query["limit"],
            before=open_cursor(query.get("cursor"), "notifications"),
            unread=query["show"] == "unread",
            category=query.get("category"),
        )
        body: dict[str, Any] = page_body(
            [notice_json(notice) for notice in page.items],
            seal_cursor(page.next, "notifications"),
        )
        return Response({**body, "unread": queries.unread_count(viewer=self.person)})


class UnreadView(Endpoint):
    @documented(
        summary="How many notices you have not read",
        tag="notifications",
        query=QuerySerializer,
        answer=UnreadOutput,
        example={"unread": 3},
        operation_id="unread_notifications",
    )
    def get(self, request: Request) -> Response:
        self.read_query(QuerySerializer)
        return Response({"unread": queries.unread_count(viewer=self.person)})


class ReadView(Endpoint):
    @documented(
        summary="Note that you have read a notice",
        description="The second time changes nothing.",
        tag="notifications",
        body=NoInput,
        body_example={},
        answer=NoticeOutput,
        example={**_NOTICE, "read_at": "2026-11-22T12:03:11Z"},
        refusals={404: "notice_not_found"},
        operation_id="read_notification",
    )
    def post(self, request: Request, notice_id: str) -> Response:
        self.read_body(NoInput)
        notice = actions.mark_read(actor=self.person, notice_id=notice_id, now=clock.now())
        return Response(notice_json(notice))


class ReadAllView(Endpoint):
    @documented(
        summary="Note that you have read everything",
        tag="notifications",
        body=ReadAllInput,
        body_example={"up_to": "412"},
        answer=ReadAllOutput,
        example={"marked": 3, "unread": 0},
        refusals={404: "notice_not_found"},
        operation_id="read_notifications",
    )
    def post(self, request: Request) -> Response:
        up_to = self.read_body(ReadAllInput).get("up_to")
        marked = actions.mark_all_read(actor=self.person, up_to=up_to, now=clock.now())
        return Response({"marked": marked, "unread": queries.unread_count(viewer=self.person)})
