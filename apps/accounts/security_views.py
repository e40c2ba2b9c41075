"""The page of an account's security: how one gets in, from where, and what to do about it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.accounts.factors import queries as factors


@login_required
def security(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    shown = {
        "person": person,
        "factors": factors.factors_of(viewer=person),
        "codes_left": factors.recovery_codes_left(viewer=person),
    }
    return render(request, "account/security.html", shown)
