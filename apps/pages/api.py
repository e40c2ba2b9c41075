"""The description of the API: the schema for programs, a page for people, both without network."""

from __future__ import annotations

from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """The OpenAPI 3 schema, as YAML or (``?format=json``) JSON; open to everybody."""
    renderer = OpenApiJsonRenderer if request.GET.get("format") == "json" else OpenApiYamlRenderer
    response = HttpResponse(_rendered(renderer), content_type=renderer.media_type)
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The schema as a page on which requests can be tried."""
    return render(request, "pages/api_docs.html")


@lru_cache(maxsize=2)
def _rendered(renderer: type[OpenApiJsonRenderer] | type[OpenApiYamlRenderer]) -> bytes:
    """Return the schema's bytes; making them takes a second, and they never change."""
    made = SchemaGenerator().get_schema(request=None, public=True)
    rendered: bytes = renderer().render(made, renderer.media_type, {})
    return rendered
