"""What the breach of a limit does to an account: it may only sell, or it is blocked."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("trades", "0006_linked_orders")]

    operations = [
        migrations.AddField(
            "risklimits",
            "breach_action",
            models.PositiveSmallIntegerField(
                blank=True, choices=[(1, "kill"), (2, "reduce only")], null=True
            ),
        ),
        migrations.AddConstraint(
            "risklimits",
            models.CheckConstraint(
                condition=Q(breach_action=None) | Q(breach_action__in=(1, 2)),
                name="risk_limits_breach_action_known",
            ),
        ),
    ]
