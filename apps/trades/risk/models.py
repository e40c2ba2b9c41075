"""What an account may risk, what it has lost, and what was taken from it for that.

Written by actions and by the watch, never by the projector: these are decisions of people and of
the house about accounts. What the engine makes of them is in its own events.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.engine.messages import BLOCKED, REDUCE_ONLY
from apps.trades.risk.rules import KILL, ONLY_SELL

PER_SECOND_MAX = 10_000
OPEN_ORDERS_MAX = 100_000
DRAWDOWN_BPS_MAX = 10_000


class RiskLimits(models.Model):
    """One set of limits of one account; a field without a value limits nothing.

    The house's set is staff's to change. The owner's own set only ever narrows it. What he has
    asked to have loosened waits as a third set until ``in_force_at``.
    """

    class Source(models.TextChoices):
        HOUSE = "house"
        OWN = "own"
        OWN_LATER = "own_later"

    pk = models.CompositePrimaryKey("account_id", "source")
    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    source = models.CharField(max_length=10, choices=Source)
    max_open_orders = models.PositiveIntegerField(null=True, blank=True)
    orders_per_second = models.PositiveIntegerField(null=True, blank=True)
    repeated_orders_per_second = models.PositiveIntegerField(null=True, blank=True)
    max_order_value_minor = models.BigIntegerField(null=True, blank=True)
    max_daily_loss_minor = models.BigIntegerField(null=True, blank=True)
    max_drawdown_bps = models.PositiveIntegerField(null=True, blank=True)
    breach_action = models.PositiveSmallIntegerField(
        choices=[(KILL, "kill"), (ONLY_SELL, "reduce only")], null=True, blank=True
    )
    in_force_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+",
        db_index=False,
    )  # fmt: skip

    class Meta:
        verbose_name_plural = "risk limits"
        indexes = [
            models.Index(
                fields=["in_force_at"], name="risk_limits_later", condition=Q(source="own_later")
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=(Q(max_open_orders=None) | Q(max_open_orders__range=(1, OPEN_ORDERS_MAX)))
                & (Q(orders_per_second=None) | Q(orders_per_second__range=(1, PER_SECOND_MAX)))
                & (
                    Q(repeated_orders_per_second=None)
                    | Q(repeated_orders_per_second__range=(1, PER_SECOND_MAX))
                )
                & (Q(max_order_value_minor=None) | Q(max_order_value_minor__gt=0))
                & (Q(max_daily_loss_minor=None) | Q(max_daily_loss_minor__gt=0))
                & (Q(max_drawdown_bps=None) | Q(max_drawdown_bps__range=(1, DRAWDOWN_BPS_MAX))),
                name="risk_limits_in_range",
            ),
            models.CheckConstraint(
                condition=Q(breach_action=None) | Q(breach_action__in=(KILL, ONLY_SELL)),
                name="risk_limits_breach_action_known",
            ),
            models.CheckConstraint(
                condition=Q(source="own_later", in_force_at__isnull=False)
                | Q(~Q(source="own_later"), in_force_at=None),
                name="risk_limits_later_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.source}"


class RiskState(models.Model):
    """What the watch remembers of an account, and what the engine has yet to be told of it.

    Profit is unrealised and realised less fees, so money that comes and goes is none.
    ``wanted_version`` rises with every change of limits or state; as long as it is ahead of
    ``applied_version`` the engine is told again. ``wanted_state`` zero leaves its state alone.
    """

    account = models.OneToOneField(
        "wallets.TradingAccount", on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    day = models.DateField(null=True, help_text="Of which day (UTC) the beginning is known.")
    day_profit_minor = models.BigIntegerField(default=0, help_text="At the beginning of the day.")
    peak_profit_minor = models.BigIntegerField(null=True, help_text="The highest since it counts.")
    paid_in_minor = models.BigIntegerField(default=0, help_text="When the peak was last looked at.")
    wanted_version = models.BigIntegerField(default=0)
    applied_version = models.BigIntegerField(default=0)
    wanted_state = models.SmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(
                fields=["account"], name="risk_state_untold",
                condition=Q(wanted_version__gt=models.F("applied_version")),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return str(self.account_id)


class RiskMark(models.Model):
    """The last price of a market that was fresh when it was seen: what holdings are valued at."""

    instrument = models.OneToOneField(
        "markets.Instrument", on_delete=models.PROTECT, primary_key=True, related_name="+",
        db_constraint=False,
    )  # fmt: skip
    price_ticks = models.BigIntegerField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.instrument_id)


class Restriction(models.Model):
    """An account may only sell, or nothing at all, for a reason, until it is lifted."""

    class Cause(models.TextChoices):
        DAILY_LOSS = "daily_loss"
        DRAWDOWN = "drawdown"
        STAFF = "staff"
        OWNER = "owner"

    class State(models.IntegerChoices):
        REDUCE_ONLY = REDUCE_ONLY, "reduce only"
        BLOCKED = BLOCKED, "blocked"

    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    cause = models.CharField(max_length=12, choices=Cause)
    state = models.SmallIntegerField(choices=State)
    own_limit = models.BooleanField(help_text="It was the owner's own limit, and not the house's.")
    measured = models.BigIntegerField(help_text="Loss in minor units, or drawdown in 0.01 %.")
    limit = models.BigIntegerField()
    reason = models.CharField(max_length=200, blank=True)
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+",
        db_index=False,
    )  # fmt: skip
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, help_text="When it ends by itself, if it does.")
    # The orders that the restriction ends are cancelled when this is set.
    applied_seq = models.BigIntegerField(null=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+",
        db_index=False,
    )  # fmt: skip
    lift_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["account", "-id"], name="restriction_account"),
            models.Index(fields=["until"], name="restriction_ends", condition=Q(lifted_at=None)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "cause"], condition=Q(lifted_at=None),
                name="restriction_once_per_cause",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.account_id} {self.cause}"
