"""Verifications, their documents, and everything that was done about them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from apps.core.sealed import SealedField


class Verification(models.Model):
    """One person's way to one tier. What was said is sealed, and so is the key of each document."""

    class Status(models.TextChoices):
        OPEN = "open", "Being filled in"
        WAITING = "waiting", "Waiting for a decision"
        PROPOSED = "proposed", "Waiting for the second of two"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"
        EXPIRED = "expired", "Expired"

    UNDECIDED: ClassVar = (Status.OPEN, Status.WAITING, Status.PROPOSED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="verifications"
    )
    tier = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    details = SealedField(null=True, editable=False)
    vendor = models.CharField(max_length=20, blank=True)
    vendor_reference = models.CharField(max_length=100, blank=True)
    began_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True, help_text="Its person reads this.")
    expires_at = models.DateTimeField(null=True)
    warned_at = models.DateTimeField(null=True)

    class Meta:
        permissions: ClassVar = [("review_verification", "Can decide on verifications")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(tier__gte=1, tier__lte=3), name="verification_tier_is_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(proposed_by=models.F("decided_by")),
                name="verification_two_are_two",
            ),
            models.UniqueConstraint(
                fields=["person"],
                condition=models.Q(status__in=["open", "waiting", "proposed"]),
                name="verification_one_undecided",
            ),
            models.UniqueConstraint(
                fields=["vendor", "vendor_reference"],
                condition=~models.Q(vendor_reference=""),
                name="verification_reference_unique",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["status", "submitted_at"], name="verification_queue"),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(status="approved"),
                name="verification_expires",
            ),
        ]

    def __str__(self) -> str:
        return f"Level {self.tier} of {self.person_id}"


class Document(models.Model):
    """A picture in private storage, sealed with a key of its own that only this row has."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    verification = models.ForeignKey(
        Verification, on_delete=models.CASCADE, related_name="documents"
    )
    kind = models.CharField(max_length=20)
    file = models.CharField(max_length=100, help_text="Its name in the storage: nothing of ours.")
    key = SealedField(editable=False)
    sha256 = models.BinaryField(max_length=32, help_text="Of the picture as it was uploaded.")
    size_bytes = models.PositiveIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    uploaded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["verification", "kind"], name="document_one_of_each_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.verification_id}"


class VerificationEvent(models.Model):
    """What was done, by whom (nobody: by the rules or the vendor), and why. Never changed."""

    verification = models.ForeignKey(Verification, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    what = models.CharField(max_length=20)
    words = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.what} at {self.at:%Y-%m-%d %H:%M}"


class VendorMessage(models.Model):
    """A message of a vendor that was received: the same one again has no effect."""

    vendor = models.CharField(max_length=20)
    message_id = models.CharField(max_length=100)
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["vendor", "message_id"], name="vendor_message_unique")
        ]

    def __str__(self) -> str:
        return f"{self.vendor} {self.message_id}"
