"""Limits of an account: the house's, the owner's own, and what they keep him from."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import User
from apps.core import clock
from apps.core.endpoint import Endpoint
from apps.core.fields import StrictAmount, StrictChoice, StrictField, StrictSerializer
from apps.core.openapi import documented
from apps.trades.risk.actions import set_own_limits
from apps.trades.risk.entry import ACTION_OF, limits_asked
from apps.trades.risk.models import OPEN_ORDERS_MAX, PER_SECOND_MAX
from apps.trades.risk.presentation import limits_of_json, losses_json, standing_json
from apps.trades.risk.queries import limits_of, losses_of, standing_of
from apps.wallets.api import AccountQuery
from apps.wallets.models import TradingAccount
from apps.wallets.welcome import account_of

_ACCOUNT: Final = "5f0c1e7a-6d0b-4c1e-9a55-0d8a3a3f7a10"
_NONE: Final = {
    "max_open_orders": None, "orders_per_second": None, "repeated_orders_per_second": None,
    "max_order_value": None, "max_daily_loss": None, "max_drawdown_percent": None,
    "on_breach": None,
}  # fmt: skip
_HOUSE: Final = {
    **_NONE, "max_open_orders": 200, "orders_per_second": 100, "repeated_orders_per_second": 10,
    "on_breach": "reduce_only",
}  # fmt: skip
_OWN: Final = {
    **_NONE, "max_order_value": "500.00", "max_daily_loss": "100.00", "on_breach": "kill",
}  # fmt: skip
_EXAMPLE: Final = {
    "account": _ACCOUNT,
    "house": _HOUSE,
    "own": _OWN,
    "later": {**_OWN, "max_daily_loss": "200.00", "in_force_at": "2026-11-22T12:00:00Z"},
    "effective": {
        **_HOUSE, "max_order_value": "500.00", "max_daily_loss": "100.00", "on_breach": "kill",
    },
    "standing": {
        "state": "blocked", "applied": True,
        "restrictions": [
            {
                "id": "17", "state": "blocked", "cause": "daily_loss", "own_limit": True,
                "measured": "104.20", "limit": "100.00", "since": "2026-11-21T12:00:00.5Z",
                "until": "2026-11-22T00:00:00Z", "lifted_at": None,
                "words": "You lost 104.20 USDT today, and your own limit is 100.00 USDT."
                " You can trade again when the day (UTC) is over.",
            }
        ],
    },
    "losses": {
        "equity": "9895.80", "day": "2026-11-21", "day_result": "-104.20", "day_loss": "104.20",
        "drawdown_percent": "1.04", "judged": True,
    },
}  # fmt: skip
_ON_BREACH: Final = (
    "What a breach of the loss or the fall does: `reduce_only` leaves sales alone, `kill` cancels "
    "everything and blocks the account."
)


class StrictCount(StrictField):
    """A whole number, as a number: not text, not 1.0, not true."""

    def __init__(self, *, high: int, **options: Any) -> None:
        self.high = high
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int or not 1 <= data <= self.high:
            raise serializers.ValidationError(
                f"Write a whole number from 1 to {self.high}.", code="invalid_limit"
            )
        return data

    def described(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1, "maximum": self.high}


class OwnLimitsInput(StrictSerializer):
    """What is not named, or null, is no limit of yours."""

    max_open_orders = StrictCount(high=OPEN_ORDERS_MAX, required=False, allow_null=True)
    orders_per_second = StrictCount(high=PER_SECOND_MAX, required=False, allow_null=True)
    repeated_orders_per_second = StrictCount(high=PER_SECOND_MAX, required=False, allow_null=True)
    max_order_value = StrictAmount(required=False, allow_null=True, help_text="In USDT.")
    max_daily_loss = StrictAmount(required=False, allow_null=True, help_text="In USDT.")
    max_drawdown_percent = StrictAmount(
        required=False, allow_null=True, help_text="Below the highest value, at most 100."
    )
    on_breach = StrictChoice(list(ACTION_OF), required=False, allow_null=True, help_text=_ON_BREACH)


class LimitsOutput(serializers.Serializer[dict[str, object]]):
    max_open_orders = serializers.IntegerField(allow_null=True)
    orders_per_second = serializers.IntegerField(allow_null=True)
    repeated_orders_per_second = serializers.IntegerField(
        allow_null=True, help_text="How often in a second the same order may follow itself."
    )
    max_order_value = serializers.CharField(
        allow_null=True,
        help_text="Of one order in any market, in USDT at the last price of what it is paid in.",
    )
    max_daily_loss = serializers.CharField(
        allow_null=True, help_text="Realised and unrealised, fees included, from 0:00 UTC."
    )
    max_drawdown_percent = serializers.CharField(allow_null=True)
    on_breach = serializers.ChoiceField(list(ACTION_OF), allow_null=True, help_text=_ON_BREACH)


class LaterLimitsOutput(LimitsOutput):
    in_force_at = serializers.DateTimeField()


class RestrictionOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.CharField()
    state = serializers.ChoiceField(["reduce_only", "blocked"])
    cause = serializers.ChoiceField(["daily_loss", "drawdown", "staff"])
    own_limit = serializers.BooleanField(help_text="It was your own limit, not the house's.")
    measured = serializers.CharField(allow_null=True)
    limit = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="Null: until staff lift it.")
    lifted_at = serializers.DateTimeField(allow_null=True)
    words = serializers.CharField()


class StandingOutput(serializers.Serializer[dict[str, object]]):
    state = serializers.ChoiceField(["normal", "reduce_only", "blocked"])
    applied = serializers.BooleanField(help_text="The engine knows of the last change.")
    restrictions = RestrictionOutput(many=True)


class LossesOutput(serializers.Serializer[dict[str, object]]):
    equity = serializers.CharField()
    day = serializers.DateField()
    day_result = serializers.CharField()
    day_loss = serializers.CharField()
    drawdown_percent = serializers.CharField()
    judged = serializers.BooleanField(
        help_text="False while prices are older than 10 seconds: then nobody is restricted."
    )


class RiskOutput(serializers.Serializer[dict[str, object]]):
    account = serializers.UUIDField()
    house = LimitsOutput(help_text="What your account has.")
    own = LimitsOutput(help_text="What you have set yourself; null where you set none.")
    later = LaterLimitsOutput(
        allow_null=True, help_text="Your own limits once the day of their loosening is over."
    )
    effective = LimitsOutput(help_text="What holds: for each the narrower of the two.")
    standing = StandingOutput()
    losses = LossesOutput(allow_null=True, help_text="Null while nothing of yours is at risk.")


class RiskLimitsView(Endpoint):
    @documented(
        summary="What your account may risk, and where it stands",
        description=(
            "`effective` holds. Whoever loses `max_daily_loss` since 0:00 UTC, or falls below his "
            "highest value by `max_drawdown_percent`, may only sell from then on, and his open "
            "purchases are cancelled; or, with `on_breach` `kill`, all his orders are cancelled "
            "and he trades no more. `standing` says why and until when."
        ),
        tag="risk", query=AccountQuery, answer=RiskOutput, example=_EXAMPLE,
        refusals={404: "unknown_account"}, operation_id="risk_limits",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        query = self.read_query(AccountQuery)
        account = account_of(viewer=self.person, public_id=query.get("account"))
        return Response(_risk(self.person, account))

    @documented(
        summary="Set limits of your own",
        description=(
            "They can only be narrower than the house's, as `kill` is than `reduce_only`; "
            "`on_breach` of yours counts also when it is the house's limit that is breached. "
            "Narrower ones hold at once; wider ones, "
            "and those left out, 24 hours later. Sent again, it changes nothing."
        ),
        tag="risk", query=AccountQuery, answer=RiskOutput, example=_EXAMPLE, body=OwnLimitsInput,
        body_example={"max_order_value": "500", "max_daily_loss": "100"},
        refusals={400: "looser_than_house", 404: "unknown_account"},
        operation_id="set_risk_limits",
    )  # fmt: skip
    def put(self, request: Request) -> Response:
        query = self.read_query(AccountQuery)
        wanted = limits_asked(self.read_body(OwnLimitsInput))
        account = account_of(viewer=self.person, public_id=query.get("account"))
        set_own_limits(actor=self.person, account=account, wanted=wanted, now=clock.now())
        return Response(_risk(self.person, account))


def _risk(person: User, account: TradingAccount) -> dict[str, object]:
    standing = standing_of(viewer=person, account=account)
    losses = losses_of(viewer=person, account=account, now=clock.now())
    return {
        "account": str(account.public_id),
        **limits_of_json(limits_of(viewer=person, account=account)),
        "standing": {**standing_json(standing), "applied": standing.applied},
        "losses": None if losses is None else losses_json(losses),
    }
