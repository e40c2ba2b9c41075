"""People, their sign-ins through the API, and letters to them. An e-mail address is one person."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Group, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower

from apps.accounts import password_rules
from apps.accounts.casework.models import StaffFreeze as StaffFreeze
from apps.accounts.casework.models import StaffNote as StaffNote
from apps.accounts.keys.models import ApiKey as ApiKey
from apps.accounts.kyc.models import Document as Document
from apps.accounts.kyc.models import VendorMessage as VendorMessage
from apps.accounts.kyc.models import Verification as Verification
from apps.accounts.kyc.models import VerificationEvent as VerificationEvent
from apps.accounts.personal.models import DataExport as DataExport
from apps.accounts.personal.models import Deletion as Deletion
from apps.core.audit import tracked
from apps.core.sealed import SealedField

# The host of addresses that nobody has: those of people who are deleted.
DELETED_HOST = "deleted.invalid"


class People(BaseUserManager["User"]):
    """Lets Django's own commands and backends make and find a person."""

    def create_superuser(self, email: str, password: str) -> User:
        user = self.model(email=email.lower(), is_staff=True, is_superuser=True)
        user.set_password(password)
        user.save()
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").lower())


@tracked(exclude=("password", "last_login", "wrong_passwords", "wrong_codes"))
class User(AbstractBaseUser, PermissionsMixin):
    """``email`` is kept in lower case, so that one address is one person."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(unique=True)
    display_name = models.CharField(max_length=40, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(auto_now_add=True)
    wrong_passwords = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Tries since somebody last got in with the password."
    )
    wrong_codes = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Tries since a second factor was last right."
    )
    password_is_short = models.BooleanField(
        default=False, editable=False, help_text="Long enough beside a second factor only."
    )
    security_changed_at = models.DateTimeField(
        null=True, editable=False, help_text="Last change of password, address or second factors."
    )
    frozen_at = models.DateTimeField(
        null=True, editable=False, help_text="Since when its owner has had the account frozen."
    )
    sessions_epoch = models.PositiveIntegerField(
        default=0, editable=False, help_text="Goes up where all sessions are to end at once."
    )
    kyc_tier = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="How well the person is known: 0 to 3."
    )

    objects = People()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="user_email_is_lower_case"
            ),
            models.CheckConstraint(
                condition=models.Q(kyc_tier__lte=3), name="user_kyc_tier_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.display_name or self.email

    @property
    def is_deleted(self) -> bool:
        """Whether nobody is behind the account any more; what it did stays on record."""
        return self.email.endswith(f"@{DELETED_HOST}")

    @cached_property
    def brought(self) -> dict[str, Any]:
        """What the query that found this person has brought along: ``queries.bring_along``."""
        return {}

    def set_password(self, raw_password: str | None) -> None:
        """Take a new password; what was guessed about the old one counts no more."""
        super().set_password(None if raw_password is None else password_rules.plain(raw_password))
        self.password_is_short = password_rules.is_short(raw_password or "")
        self.wrong_passwords = 0
        self.wrong_codes = 0

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What sessions rest on: the password, and that nobody has ended all of them since."""
        found: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        return f"{found}.{self.sessions_epoch}" if self.sessions_epoch else found

    def check_password(self, raw_password: str | None) -> bool:
        """Whether it is the password, in whichever of Unicode's forms it was typed."""
        return super().check_password(password_rules.plain(raw_password or ""))


class SignIn(models.Model):
    """One sign-in: of an app or a browser through the API, or of a browser on the site.

    Of the API it is the family of its refresh tokens; access tokens name it, so that ending it ends
    them too, at once. Of the site it names the session.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins")
    client = models.CharField(max_length=200, blank=True, help_text="What the client calls itself.")
    address = models.CharField(max_length=45, blank=True)
    created_at = models.DateTimeField()
    proved_at = models.DateTimeField(
        null=True, help_text="When password and second factor were last given."
    )
    session_key = models.CharField(max_length=40, blank=True, help_text="Of the site's session.")
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["session_key"],
                condition=~models.Q(session_key=""),
                name="sign_in_session_is_one",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"


class SignInRecord(models.Model):
    """One try to sign in, as its person sees it in the history; kept for 90 days."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_records")
    at = models.DateTimeField()
    outcome = models.CharField(max_length=20, help_text="How it ended.")
    way = models.CharField(max_length=10, help_text="site or api.")
    client = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=45, blank=True)
    is_new_device = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["user", "-at"], name="sign_in_record_of_person")]

    def __str__(self) -> str:
        return f"{self.outcome} at {self.at:%Y-%m-%d %H:%M}"


class RefreshToken(models.Model):
    """One link of the chain; only the hash of the token is kept. It is good for one use."""

    sign_in = models.ForeignKey(SignIn, on_delete=models.CASCADE, related_name="refresh_tokens")
    token_hash = models.BinaryField(max_length=32, unique=True)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Refresh token of {self.sign_in_id}"


class SigningKey(models.Model):
    """A key that signs access tokens, or did until it was replaced; the private half is sealed."""

    name = models.CharField(max_length=16, unique=True)
    public = models.BinaryField(max_length=32)
    private = SealedField()
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["retired_at"],
                condition=models.Q(retired_at=None),
                nulls_distinct=False,
                name="signing_key_one_signs",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Letter(models.Model):
    """A letter that waits to be sent as e-mail; once sent it is gone."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="letters")
    subject = models.CharField(max_length=100)
    text = models.TextField()
    written_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.subject} to {self.person_id}"


@tracked(name="RoleEvent", app="accounts")
class Role(Group):
    """What a member of staff may do is what his roles may; ``roles`` says what each is for."""

    class Meta:
        proxy = True


@tracked(name="RoleHolderEvent", app="accounts")
class RoleHolder(User.groups.through):  # type: ignore[name-defined]
    """That somebody has a role."""

    class Meta:
        proxy = True


@tracked(name="RolePermissionEvent", app="accounts")
class RolePermission(Group.permissions.through):  # type: ignore[name-defined]
    """That a role may do something."""

    class Meta:
        proxy = True


@tracked(name="OwnPermissionEvent", app="accounts")
class OwnPermission(User.user_permissions.through):  # type: ignore[name-defined]
    """That somebody may do something without a role."""

    class Meta:
        proxy = True
