"""The queue of compliance: what waits, longest first, and one page to decide on each.

Only who may decide sees any of it. Whoever opens a picture leaves a note of that.
"""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.accounts.kyc import actions, queries, rules
from apps.accounts.kyc.models import Verification
from apps.accounts.kyc.presentation import link_to
from apps.accounts.kyc.views import KINDS
from apps.accounts.models import User
from apps.core import clock
from apps.core.admin import ReadOnlyAdmin
from apps.core.errors import DomainError


class Standing(admin.SimpleListFilter):
    """What waits, where nothing else is asked for."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All"), *Verification.Status.choices]

    def choices(self, changelist: Any) -> Any:
        for value, words in (("", "In the queue"), *self.lookup_choices):
            yield {
                "selected": (self.value() or "") == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": words,
            }

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Verification]
    ) -> QuerySet[Verification]:
        if self.value() == "all":
            return queryset
        queue = (Verification.Status.WAITING, Verification.Status.PROPOSED)
        return queryset.filter(status__in=[self.value()] if self.value() else queue)


@admin.register(Verification)
class VerificationAdmin(ReadOnlyAdmin):
    list_display = ("address", "tier", "status", "submitted_at", "proposed_by", "decided_by",
                    "decided_at", "expires_at")  # fmt: skip
    list_filter = (Standing, "tier")
    list_select_related = ("person", "proposed_by", "decided_by")
    search_fields = ("person__email", "=id")
    ordering = ("submitted_at",)

    @admin.display(description="Person", ordering="person__email")
    def address(self, row: Verification) -> str:
        return row.person.email

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(queries.MAY_REVIEW)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One verification: what was said and shown, what was done, and the decision."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        actor = cast(User, request.user)
        row = queries.verification_by_id(viewer=actor, verification_id=_id_in(object_id))
        if request.method == "POST":
            return self._decide(request, actor, row)
        waits = row.status in (Verification.Status.WAITING, Verification.Status.PROPOSED)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Level {row.tier} of {row.person.email}",
            "row": row,
            "details": queries.details_of(row),
            "documents": [
                {"label": KINDS[each.kind], "link": link_to(each, viewer=actor), "each": each}
                for each in row.documents.order_by("uploaded_at")
            ],
            "events": row.events.select_related("actor").order_by("id"),
            "others": row.person.verifications.exclude(pk=row.pk).order_by("-began_at"),
            "takes_two": row.tier >= rules.TWO_DECIDE_FROM,
            "may_approve": waits and actor.pk not in (row.person_id, row.proposed_by_id),
            "may_refuse": waits and actor.pk != row.person_id,
            "reason_max": actions.REASON_MAX,
        }
        return render(request, "admin/accounts/verification.html", context)

    def _decide(self, request: HttpRequest, actor: User, row: Verification) -> HttpResponse:
        try:
            if request.POST.get("act") == "approve":
                decided = actions.approve(actor=actor, verification_id=row.pk, now=clock.now())
            else:
                decided = actions.refuse(
                    actor=actor, verification_id=row.pk,
                    reason=request.POST.get("reason", ""), now=clock.now(),
                )  # fmt: skip
        except DomainError as refusal:
            messages.error(request, refusal.message)
            return redirect(request.path)
        messages.success(request, f"{row.person.email}: {decided.get_status_display().lower()}.")
        return redirect("admin:accounts_verification_changelist")


def _id_in(text: str) -> uuid.UUID:
    """Return the id in an address; what is none names no verification."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)
