"""The clock of the venue."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.endpoint import PublicEndpoint
from apps.core.openapi import documented


class TimeOutput(serializers.Serializer[dict[str, object]]):
    time = serializers.DateTimeField()
    unix_ms = serializers.IntegerField()


class TimeView(PublicEndpoint):
    cache_control = "no-store"

    @documented(
        summary="The time of the server",
        tag="venue",
        answer=TimeOutput,
        example={"time": "2026-11-21T12:00:00.123456Z", "unix_ms": 1795262400123},
        public=True,
        operation_id="time",
    )
    def get(self, request: Request) -> Response:
        at_ns = clock.now_ns()
        return Response({"time": clock.iso(clock.from_ns(at_ns)), "unix_ms": at_ns // 1_000_000})
