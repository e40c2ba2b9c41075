"""One machine, for trying and developing: `make up` and `manage.py` use it."""

from config import env

from .base import *  # noqa: F403

DEBUG = env.flag("DEBUG")
DEMO = env.flag("DEMO", default=True)
SECRET_KEY = env.text("SECRET_KEY", "development-only-key-that-is-never-used-in-production")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
