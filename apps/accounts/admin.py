"""People and their API sign-ins, as staff see them."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from apps.accounts.keys.models import ApiKey
from apps.accounts.kyc.admin import VerificationAdmin as VerificationAdmin
from apps.accounts.models import Deletion, SignIn, User
from apps.core.admin import ReadOnlyAdmin
from apps.core.audit import REASON_LENGTH_MAX, because

# Second factors, addresses and what another site vouches for are their person's own: here nobody
# takes one away or adds his. Who may vouch for people the environment says.
admin.site.unregister([Authenticator, EmailAddress, SocialApp, SocialToken, SocialAccount])


class UserForm(forms.ModelForm):
    """Whoever changes a person says why; the audit trail keeps it."""

    reason = forms.CharField(
        max_length=REASON_LENGTH_MAX, help_text="Why. It is kept in the audit trail."
    )


@admin.register(User)
class UserAdmin(ModelAdmin):
    """Passwords are never shown or set here; people reset their own."""

    form = UserForm

    list_display = ("email", "display_name", "file", "is_active", "is_staff", "date_joined",
                    "last_login")  # fmt: skip
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "display_name", "public_id")
    ordering = ("-date_joined",)
    fields = (
        "public_id", "email", "display_name", "is_active", "is_staff", "is_superuser", "groups",
        "date_joined", "last_login", "wrong_passwords",
    )  # fmt: skip
    readonly_fields = ("public_id", "email", "date_joined", "last_login", "wrong_passwords")
    filter_horizontal = ("groups",)

    @admin.display(description="All there is")
    def file(self, obj: User) -> str:
        address = reverse("person_file", args=(obj.public_id,))
        return format_html('<a href="{}">Open</a>', address)

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        may_change = self.has_change_permission(request, obj)
        return (*self.fields, "reason") if may_change else self.fields

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only superusers change members of staff."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or not obj.is_staff or request.user.is_superuser)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        # Inside what the request says of itself already: all that it writes has the reason.
        because(form.cleaned_data["reason"])
        return super().save_form(request, form, change)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody who may have traded is deleted: switch them off."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Only superusers give out rights."""
        if request.user.is_superuser:
            return self.readonly_fields
        return (*self.readonly_fields, "is_staff", "is_superuser", "groups")


@admin.register(SignIn)
class SignInAdmin(ModelAdmin):
    list_display = ("user", "client", "address", "created_at", "ended_at", "end_reason")
    list_filter = ("end_reason",)
    search_fields = ("user__email", "address")
    list_select_related = ("user",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: SignIn | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SignIn | None = None) -> bool:
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Whose keys there are, and what they may do; nothing that signs is shown."""

    list_display = ("name", "person", "algorithm", "scopes", "networks", "created_at",
                    "expires_at", "last_used_at", "revoked_at")  # fmt: skip
    list_filter = ("algorithm",)
    search_fields = ("=id", "person__email")
    list_select_related = ("person",)
    fields = ("id", "person", "name", "algorithm", "scopes", "networks", "version", "created_at",
              "expires_at", "last_used_at", "last_used_address", "revoked_at",
              "revoke_reason")  # fmt: skip


@admin.register(Deletion)
class DeletionAdmin(ReadOnlyAdmin):
    """Who wants to be deleted, and what keeps it. It is their own to take back."""

    list_display = ("person", "asked_at", "due_at", "held_up_by", "closed_at", "done_at",
                    "taken_back_at")  # fmt: skip
    list_filter = ("held_up_by",)
    search_fields = ("=person__public_id", "person__email")
    list_select_related = ("person",)
    ordering = ("-asked_at",)
    fields = ("person", "asked_at", "due_at", "held_up_by", "closed_at", "done_at",
              "taken_back_at")  # fmt: skip
