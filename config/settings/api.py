"""Settings of the API: REST framework, its schema, and how much one caller may ask."""

from __future__ import annotations

from config import env

# Per person, or per address of those who are not signed in: so many at once, so many per second.
API_BURST = env.number("API_BURST", 400)
API_PER_SECOND = env.number("API_PER_SECOND", 200)
# Tries to sign in through the API from one address, whoever they are for.
SIGN_IN_RATE_PER_ADDRESS = env.text("SIGN_IN_RATE_PER_ADDRESS", "60/m")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.BearerAuthentication",
        "apps.accounts.keys.authentication.SignedAuthentication",
        "apps.accounts.authentication.SiteSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.core.web.api_exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "SUM+1 API",
    "VERSION": "1",
    "DESCRIPTION": (
        "Trade on SUM+1. Amounts are decimal strings, times are ISO 8601 in UTC. Every refusal is "
        "an `application/problem+json` with a stable `code`. Lists are `{items, next}`; send "
        "`next` back as `cursor`. Answers to writes carry `seq`; a read with `min_seq` waits "
        "until it shows at least that."
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "DepositStateEnum": "apps.wallets.deposits.models.ChainDeposit.State",
        "WithdrawalStateEnum": "apps.wallets.withdrawals.moving.SHOWN_STATES",
        "DocumentKindEnum": "apps.accounts.kyc.rules.DOCUMENT_KINDS",
    },
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SORT_OPERATIONS": False,
    "TAGS": [
        {"name": "sign-in", "description": "Tokens for apps and browsers."},
        {"name": "personal data", "description": "A copy of what is held about you, and its end."},
        {"name": "keys", "description": "API keys: how programs sign their requests."},
        {"name": "markets", "description": "Public market data; no sign-in needed."},
        {"name": "orders", "description": "Placing, watching and cancelling orders."},
        {"name": "positions", "description": "What is held, what it cost and what it has made."},
        {"name": "risk", "description": "What an account may risk, and what stops it."},
        {"name": "wallet", "description": "Balances and every movement of value."},
        {"name": "verification", "description": "How well you are known: limits follow from it."},
        {"name": "notifications", "description": "What you are told, and that you have read it."},
        {"name": "deposits", "description": "Coins that come in over their networks."},
        {"name": "liabilities", "description": "What the venue owes, and the proof of your part."},
        {"name": "withdrawals", "description": "Coins that leave, and where they may go."},
        {"name": "venue", "description": "The clock and the health of this installation."},
    ],
}
