"""The page of a person's verification; every form of it works without scripts too."""

from __future__ import annotations

import uuid
from typing import Any, Final, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.kyc import actions, pictures, queries, rules, serving
from apps.accounts.kyc.models import Verification
from apps.accounts.kyc.presentation import document_by_link, link_to, status_json
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError, Invalid
from apps.core.web import describe

KINDS: Final = {
    rules.IDENTITY_FRONT: "Passport, or the front of an identity card",
    rules.IDENTITY_BACK: "Back of the identity card",
    rules.SELFIE: "A picture of you, holding it",
    rules.PROOF_OF_ADDRESS: "Proof of where you live",
}
HINTS: Final = {
    rules.IDENTITY_FRONT: "All four corners in the picture, every word readable.",
    rules.IDENTITY_BACK: "Not needed for a passport.",
    rules.SELFIE: "Your face and the document, no glasses or hat.",
    rules.PROOF_OF_ADDRESS: "A bill or bank letter with your name, of the last three months.",
}
TIERS: Final = (
    (1, "Who you are", "Your name, date of birth and country."),
    (2, "That it is you", "A picture of an identity document, and one of you with it."),
    (3, "Where you live", "Proof of your address, and where your money comes from."),
)


@login_required
@require_safe
def verification(request: HttpRequest) -> HttpResponse:
    return _page(request)


@login_required
@require_POST
def details(request: HttpRequest) -> HttpResponse:
    names = {name for tier in rules.DETAILS.values() for name in tier}
    given = {name: request.POST[name] for name in names if name in request.POST}
    try:
        row = actions.begin(actor=_viewer(request), details=given, now=clock.now())
        if row.tier == rules.DECLARED_TIER:
            actions.submit(actor=_viewer(request), now=clock.now())
    except DomainError as refusal:
        return _page(request, refusal, given)
    return redirect("kyc:verification")


@login_required
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES.get("file")
    try:
        if file is None:
            raise Invalid("file_required", "Choose a picture first.", field="file")
        # One byte more than is taken tells that there is too much.
        data = file.read(pictures.FILE_BYTES_MAX + 1)
        kind = request.POST.get("kind", "")
        _begin_where_nothing_is_said(_viewer(request))
        actions.add_document(actor=_viewer(request), kind=kind, data=data, now=clock.now())
    except DomainError as refusal:
        return _page(request, refusal)
    return redirect("kyc:verification")


@login_required
@require_POST
def submit(request: HttpRequest) -> HttpResponse:
    try:
        actions.submit(actor=_viewer(request), now=clock.now())
    except DomainError as refusal:
        return _page(request, refusal)
    messages.success(request, "Sent. You will hear from us.")
    return redirect("kyc:verification")


@login_required
@require_safe
def document(request: HttpRequest, document_id: uuid.UUID) -> HttpResponse:
    viewer = _viewer(request)
    found = document_by_link(
        viewer=viewer, document_id=document_id, link=request.GET.get("link", "")
    )
    actions.note_view(actor=viewer, document=found, now=clock.now())
    if settings.KYC_HOST:
        return redirect(serving.address_of(found, viewer=viewer, is_secure=request.is_secure()))
    return serving.shown(found)


def _begin_where_nothing_is_said(viewer: User) -> None:
    """A tier that asks for pictures alone begins with the first of them."""
    if queries.undecided_of(viewer=viewer) is None:
        actions.begin(actor=viewer, details={}, now=clock.now())


def _page(
    request: HttpRequest, refusal: DomainError | None = None, typed: dict[str, Any] | None = None
) -> HttpResponse:
    viewer, now = _viewer(request), clock.now()
    row = queries.undecided_of(viewer=viewer)
    is_open = row is not None and row.status == Verification.Status.OPEN
    status = status_json(viewer=viewer, now=now)
    said = queries.details_of(row) if row is not None and is_open else {}
    uploaded = {} if row is None else {each.kind: each for each in row.documents.all()}
    wanted = status["next"] or {"documents": [], "optional_documents": []}
    documents = [
        {
            "kind": kind,
            "label": KINDS[kind],
            "hint": HINTS[kind],
            "is_optional": kind in wanted["optional_documents"],
            "link": link_to(uploaded[kind], viewer=viewer) if kind in uploaded else "",
        }
        for kind in (*wanted["documents"], *wanted["optional_documents"])
    ]
    shown = {
        "status": status,
        "tiers": TIERS,
        "row": row,
        "is_waiting": row is not None and not is_open,
        "documents": documents,
        "is_complete": is_open and all(each["link"] or each["is_optional"] for each in documents),
        "needs_details": bool(rules.DETAILS.get(wanted.get("tier", 0), ())),
        "typed": {**said, **(typed or {})},
        "countries": rules.COUNTRIES,
        "problem": refusal.message if refusal else "",
        "field": refusal.data.get("field", "") if refusal else "",
        "bytes_max": pictures.FILE_BYTES_MAX,
        "side_max": pictures.SIDE_PIXELS_KEPT,
    }
    code = describe(refusal).status if refusal else 200
    return render(request, "account/kyc.html", shown, status=code)


def _viewer(request: HttpRequest) -> User:
    return cast(User, request.user)
