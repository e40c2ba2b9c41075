"""How documents leave: as a download that can do nothing, from a host of their own if there is one.

The site finds out who somebody is and whether he may look. ``KYC_HOST``, where it is set, leads to
this same server; no cookie of the site goes there, and nothing is there but documents, each for
who brings the pass that the site has given out a minute ago.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from apps.accounts.kyc import pictures, queries
from apps.accounts.kyc.models import Document
from apps.accounts.models import User
from apps.core.errors import DomainError, NotFound
from apps.core.web import describe

PASS_LIFE: Final = timedelta(minutes=1)
PREFIX: Final = "/documents/"
_SIGNER: Final = "sum1 document pass"
# No page shows these by themselves: a picture can do nothing, and nobody keeps it.
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def shown(document: Document) -> HttpResponse:
    """Return the answer that holds a document; whoever gets it has been let in already."""
    data = queries.picture_of(document)
    response = HttpResponse(data, content_type=pictures.CONTENT_TYPE, headers=_HEADERS)
    response["Content-Disposition"] = f'attachment; filename="{document.kind}.jpg"'
    return response


def address_of(document: Document, *, viewer: User, is_secure: bool) -> str:
    """Return where the host of documents shows this one, for a minute."""
    given = signing.TimestampSigner(salt=_SIGNER).sign(f"{document.pk}:{viewer.pk}")
    return f"{'https' if is_secure else 'http'}://{settings.KYC_HOST}{PREFIX}{given}"


class DocumentHost:
    """Middleware: answers for ``KYC_HOST``, before anything that knows of cookies."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.KYC_HOST or request.get_host() != settings.KYC_HOST:
            return self.get_response(request)
        try:
            return shown(_document_for(request))
        except DomainError as refusal:
            told = describe(refusal)
            return HttpResponse(
                told.detail, status=told.status, content_type="text/plain; charset=utf-8",
                headers=_HEADERS,
            )  # fmt: skip


def _document_for(request: HttpRequest) -> Document:
    given = request.path_info.removeprefix(PREFIX)
    signer = signing.TimestampSigner(salt=_SIGNER)
    try:
        if request.method not in ("GET", "HEAD") or given == request.path_info:
            raise signing.BadSignature
        document_id, _, viewer_id = signer.unsign(given, max_age=PASS_LIFE).partition(":")
    except signing.BadSignature:
        raise NotFound("document_not_found", "There is no such document.") from None
    # Whoever lost the right to look in the meantime, or was switched off, does not.
    viewer = User.objects.filter(pk=viewer_id, is_active=True).first()
    if viewer is None:
        raise NotFound("document_not_found", "There is no such document.")
    return queries.document_by_id(viewer=viewer, document_id=uuid.UUID(document_id))
