"""Tests: real PostgreSQL and Valkey, an engine inside the process, nothing slow on purpose.

The addresses of the servers come from the environment, where ``tests.services`` puts them.
"""

from config import env

from .base import *  # noqa: F403
from .base import REDIS_URL, STATICFILES_DIRS, STORAGES

DEBUG = False
DEMO = True
SECRET_KEY = "tests-only-" + "0123456789abcdef" * 4
FIELD_KEYS = ["dGVzdHMtb25seS1maWVsZC1rZXktMDEyMzQ1Njc4OSE"]
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost", "[::1]"]
MATCHING_GATEWAY = env.text("MATCHING_GATEWAY", "inprocess")

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# No collectstatic before the tests: files are found where they are written.
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
STATICFILES_DIRS = [folder for folder in STATICFILES_DIRS if folder.exists()]
CELERY_TASK_ALWAYS_EAGER = False
CELERY_BROKER_URL = REDIS_URL
