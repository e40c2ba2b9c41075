"""The API keys of people. A key that was revoked stays as a record; it can never be used again."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.audit import tracked
from apps.core.scopes import SCOPES, WITHDRAW
from apps.core.sealed import SealedField


@tracked(exclude=("secret", "public_key", "last_used_at", "last_used_address"))
class ApiKey(models.Model):
    """Either a sealed secret (HMAC) or a public key (Ed25519) checks its signatures."""

    class Algorithm(models.TextChoices):
        HMAC_SHA256 = "hmac-sha256", "HMAC-SHA256"
        ED25519 = "ed25519", "Ed25519"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys"
    )
    name = models.CharField(max_length=40)
    algorithm = models.CharField(max_length=12, choices=Algorithm)
    secret = SealedField(null=True, editable=False)
    public_key = models.BinaryField(max_length=32, null=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=10))
    networks = ArrayField(
        models.CharField(max_length=43), help_text="From where it may be used; empty: anywhere."
    )
    version = models.PositiveIntegerField(default=1, help_text="Grows with every change.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    last_used_address = models.CharField(max_length=45, blank=True)
    revoked_at = models.DateTimeField(null=True)
    revoke_reason = models.CharField(max_length=20, blank=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                condition=(
                    models.Q(algorithm="hmac-sha256", public_key=None, secret__isnull=False)
                    | models.Q(algorithm="ed25519", public_key__isnull=False, secret=None)
                ),
                name="api_key_has_what_its_algorithm_needs",
            ),
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=list(SCOPES), scopes__len__gt=0),
                name="api_key_scopes_are_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(scopes__contains=[WITHDRAW]) | models.Q(networks__len__gt=0),
                name="api_key_withdraws_from_known_networks",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.person_id}"
