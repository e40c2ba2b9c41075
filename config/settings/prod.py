"""Production: everything from the environment, no default secret, HTTPS only."""

from config import env

from .base import *  # noqa: F403
from .base import BASE_DIR, KYC_HOST

DEBUG = False
SECRET_KEY = env.required("SECRET_KEY")
FIELD_KEYS = [key.strip() for key in env.required("FIELD_KEYS").split(",")]
ALLOWED_HOSTS = env.required("ALLOWED_HOSTS").split(",") + ([KYC_HOST] if KYC_HOST else [])
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
# Only a crash campaign asks processes to die, whatever the environment says here.
FAILPOINTS = ""
env.required("DATABASE_URL")
env.required("REDIS_URL")

STATIC_ROOT = env.path("STATIC_ROOT", BASE_DIR / "staticfiles")

SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=True)
# Probes of an orchestrator come over plain HTTP from inside; the API refuses it by itself.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^api/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_PROXY") else None
SECURE_HSTS_SECONDS = env.number("SECURE_HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken"

ACCOUNT_EMAIL_VERIFICATION = env.text("EMAIL_VERIFICATION", "mandatory")
# One address, or the parts of one for a mail server.
if not env.text("EMAIL_URL"):
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
    EMAIL_PORT = env.number("EMAIL_PORT", 587)
    EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
    EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
    EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=True)
