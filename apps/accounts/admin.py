"""People and their API sign-ins, as staff see them."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from apps.accounts.models import SignIn, User


@admin.register(User)
class UserAdmin(ModelAdmin):
    """Passwords are never shown or set here; people reset their own."""

    list_display = ("email", "display_name", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "display_name", "public_id")
    ordering = ("-date_joined",)
    fields = (
        "public_id", "email", "display_name", "is_active", "is_staff", "is_superuser", "groups",
        "date_joined", "last_login", "wrong_passwords",
    )  # fmt: skip
    readonly_fields = ("public_id", "email", "date_joined", "last_login", "wrong_passwords")
    filter_horizontal = ("groups",)

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
