"""One machine, for trying and developing: `make up` and `manage.py` use it.

A running `make up` writes down where its servers are, so that `manage.py` in another terminal
finds the same database and the same Valkey without being told.
"""

from config import env

env.remember(env.data_dir() / "run" / "environment")

from .base import *  # noqa: E402, F403

DEBUG = env.flag("DEBUG")
DEMO = env.flag("DEMO", default=True)
SECRET_KEY = env.text("SECRET_KEY", "development-only-key-that-is-never-used-in-production")
# Thirty-two zero bytes: for commands without a running copy, which has keys of its own.
FIELD_KEYS = env.words("FIELD_KEYS", "A" * 43)
STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "apps.local.statics.LocalStaticFilesStorage"},
}
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")

# What `manage.py up` was told; an address that is not given means: start that server yourself.
UP_PORT = int(env.given("PORT") or 8000)
UP_DATABASE_URL = env.given("DATABASE_URL")
UP_REDIS_URL = env.given("REDIS_URL")
UP_ENVIRONMENT = env.everything()
