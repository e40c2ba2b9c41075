"""The page of what the venue owes, each person's proof, and the script that checks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.wallets.liabilities import check_proof
from apps.wallets.liabilities.queries import proof_of, published
from apps.wallets.presentation import amount_text


@require_safe
def proof_page(request: HttpRequest) -> HttpResponse:
    """Roots and totals, for everybody; the way to one's own proof, for who is signed in."""
    rows: list[dict[str, Any]] = [
        {"tree": tree, "total": amount_text(int(tree.total_minor), tree.asset)}
        for tree in published()
    ]
    return render(request, "wallets/proof.html", {"rows": rows})


@require_safe
@login_required
def download(request: HttpRequest, asset: str) -> HttpResponse:
    """One's own proof as a file."""
    proof = proof_of(viewer=cast(User, request.user), asset=asset)
    name = f"proof-{proof['asset'].lower()}-{proof['made_at'][:10]}.json"
    return _file(json.dumps(proof, indent=2), "application/json", name)


@require_safe
def checking_script(request: HttpRequest) -> HttpResponse:
    """The script that checks a proof without us."""
    text = Path(check_proof.__file__).read_text(encoding="utf-8")
    return _file(text, "text/x-python; charset=utf-8", "check_proof.py")


def _file(text: str, kind: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type=kind, headers=headers)
