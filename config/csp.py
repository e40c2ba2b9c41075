"""Content-Security-Policy: strict everywhere, looser under /admin/ alone; data may do nothing."""

from __future__ import annotations

from csp.constants import HEADER, NONCE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

STRICT: dict[str, list[object]] = {
    "default-src": [SELF],
    "script-src": [SELF, NONCE],
    "style-src": [SELF, NONCE],
    "img-src": [SELF, "data:"],
    "connect-src": [SELF],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": [SELF],
    "frame-ancestors": ["'none'"],
}
# The admin's Alpine evaluates expressions and writes inline styles; staff only, so only there.
ADMIN: dict[str, list[str]] = {
    "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
}
ADMIN_PREFIX = "/admin/"
# Where forms begin a sign-in by another site: browsers ask the policy where such a form ends.
ENTRANCES = ("/accounts/", "/security")
DATA = "default-src 'none'; frame-ancestors 'none'"
DATA_TYPES = ("application/json", "application/problem+json")


class SitePolicy(CSPMiddleware):
    """Adds the policy that fits the answer."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if response.headers.get("Content-Type") in DATA_TYPES:
            response.headers[HEADER] = DATA
            return response
        return super().process_response(request, response)

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(ADMIN_PREFIX):
            parts.replace = {**(parts.replace or {}), **ADMIN}
        if settings.SOCIAL_FORM_TARGETS and request.path_info.startswith(ENTRANCES):
            parts.update = {**(parts.update or {}), "form-action": settings.SOCIAL_FORM_TARGETS}
        return parts
