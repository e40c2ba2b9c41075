"""The description of the API: the schema for programs, a page for people, both without network."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView


class SchemaView(SpectacularAPIView):
    """The OpenAPI 3 schema, as YAML or (``?format=json``) JSON; open to everybody."""

    authentication_classes = ()
    permission_classes = ()


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The schema as a page on which requests can be tried."""
    return render(request, "pages/api_docs.html")
