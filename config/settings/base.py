"""Settings that hold everywhere. Values that differ between machines come from ``config.env``."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

from django.templatetags.static import static
from redis.backoff import NoBackoff
from redis.retry import Retry
from whitenoise.compress import Compressor

from apps.matching import compiled
from config import csp, env
from config.settings.api import (  # noqa: F401  # They are settings too.
    API_BURST,
    API_PER_SECOND,
    REST_FRAMEWORK,
    SIGN_IN_RATE_PER_ADDRESS,
    SPECTACULAR_SETTINGS,
)
from config.settings.files import private_files
from config.settings.mail import TIMEOUT_SECONDS, mail_by
from config.settings.social import form_targets, social_apps

BASE_DIR = env.BASE_DIR
DATA_DIR = env.data_dir()
PORT = env.number("PORT", 8000)

# Before anything loads the engine: from then on it is one or the other.
COMPILED_ENGINE = env.text("COMPILED_ENGINE")
if COMPILED_ENGINE:
    compiled.use(env.path("COMPILED_ENGINE", compiled.FOLDER))

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "django_cotton",
    "django_htmx",
    "csp",
    "pgtrigger",
    "pghistory",
    "apps.core",
    "apps.matching",
    "apps.accounts",
    "apps.wallets",
    "apps.markets",
    "apps.notifications",
    "apps.trades",
    "apps.pages",
    "apps.local",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Before the static files: a picture opened on its own can hold scripts too.
    "config.csp.SitePolicy",
    "config.transport.ApiOverTls",
    # Before anything that knows of sessions: its host has none.
    "apps.accounts.kyc.serving.DocumentHost",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "apps.core.web.PrivateAnswers",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.core.audit.AuditContext",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.staff.StaffNetwork",
    "apps.core.web.ProblemPages",
    "apps.accounts.confirming.AskAgain",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    }
]


# Nothing that a person waits for may hold the database longer; jobs that must are given more.
STATEMENT_TIMEOUT_MS = env.number("STATEMENT_TIMEOUT_MS", 5000)


def _database(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "ENGINE": "apps.core.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **dict(parse_qsl(parts.query)),
            "connect_timeout": 3,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout=2000",
        },
    }


DATABASE_URL = env.text("DATABASE_URL", "postgresql://sum1@127.0.0.1:5432/sum1")
DATABASES = {"default": _database(DATABASE_URL)}
REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
KEY_PREFIX = env.text("KEY_PREFIX", "sum1:")

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{KEY_PREFIX}cache",
        # Whoever finds Valkey gone is told so at once, and not after tries that take seconds.
        "OPTIONS": {
            "socket_timeout": 1.0,
            "socket_connect_timeout": 0.5,
            "retry": Retry(NoBackoff(), 1),
        },
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"{KEY_PREFIX}layer"},
    }
}

# How many proxies of our own stand in front; X-Forwarded-For is believed only from these.
TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXY_COUNT", 0)
# From where the admin can be reached; for everybody else it does not exist.
ADMIN_NETWORKS = env.words(
    "ADMIN_NETWORKS",
    "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
)
# How many sockets one address may hold open on one web process.
LIVE_SOCKETS_PER_ADDRESS = env.number("LIVE_SOCKETS_PER_ADDRESS", 200)

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", DATA_DIR / "static")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Documents of people: sealed, and never served as files.
    "private": private_files(DATA_DIR / "private"),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Pages name hashed files only; source maps are for developers, who can wait for them.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")

# How commands reach the engine: "stream" through Valkey, "inprocess" in tests.
MATCHING_GATEWAY = env.text("MATCHING_GATEWAY", "stream")
MATCHING_SHARD = 0
# The matching processes keep sessions of their own: past a pooler, name the server itself here.
MATCHING_DATABASE_URL = env.text("MATCHING_DATABASE_URL")
# How many threads of one process may wait for the engine at once; the next one gets a 503.
MATCHING_WAITERS_MAX = env.number("MATCHING_WAITERS_MAX", 16)

# Demo people and play money. Never true unless somebody says so.
# Only the crash campaign sets this: see apps/matching/failpoints.py.
FAILPOINTS = env.text("FAILPOINTS")
DEMO = env.flag("DEMO")
# Who keeps the coins: the dotted path of a class. A demo has simulated chains where none is named.
CUSTODY = env.text("CUSTODY")
# Worth less, in USDT, a withdrawal goes out by itself; from there on two of staff must agree.
WITHDRAWAL_AUTOMATIC_BELOW = env.number("WITHDRAWAL_AUTOMATIC_BELOW", 1000)
DEMO_HISTORY_DAYS = env.number("DEMO_HISTORY_DAYS", 60)
# Capture files that drive BTC-USDT in place of the synthetic feed.
REPLAY = env.paths("REPLAY")
# How fast they are played: decimal text, 1 is as recorded.
REPLAY_SPEED = env.text("REPLAY_SPEED", "1")

# The audit trail: the database itself refuses to change it.
PGHISTORY_APPEND_ONLY = True
AUDIT_KEPT_DAYS = env.number("AUDIT_KEPT_DAYS", 2555)

SILENCED_SYSTEM_CHECKS = ["django_ratelimit.W001"]

CONTENT_SECURITY_POLICY = {"DIRECTIVES": csp.STRICT}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

PASSWORD_HASHERS = [
    "apps.accounts.hashers.BoundedArgon2",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "apps.accounts.validators.GoodEnough"}]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
CSRF_FAILURE_VIEW = "apps.core.web.csrf_failure"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "apps.accounts.adapters.AccountAdapter"
ACCOUNT_FORMS = {"signup": "apps.accounts.forms.SignupForm"}
# Wrong passwords are counted by our own action, for site and API together.
MFA_ADAPTER = "apps.accounts.adapters.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
# Signing in by other sites, where the environment names any.
SOCIAL_APPS = social_apps()
SOCIAL_FORM_TARGETS = form_targets(SOCIAL_APPS)
SOCIALACCOUNT_ADAPTER = "apps.accounts.social.adapter.SocialAdapter"
SOCIALACCOUNT_EMAIL_REQUIRED = True
SOCIALACCOUNT_QUERY_EMAIL = True
ACCOUNT_RATE_LIMITS = {"login_failed": None}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = env.text("EMAIL_VERIFICATION", "optional")
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "SUM+1: "
MAIL = mail_by(env.text("EMAIL_URL", "console:"))
EMAIL_BACKEND = MAIL.backend
EMAIL_FILE_PATH = MAIL.file_path
EMAIL_HOST = MAIL.host
EMAIL_PORT = MAIL.port
EMAIL_HOST_USER = MAIL.user
EMAIL_HOST_PASSWORD = MAIL.password
EMAIL_USE_TLS = MAIL.starts_tls
EMAIL_USE_SSL = MAIL.is_tls
EMAIL_TIMEOUT = TIMEOUT_SECONDS
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "SUM+1 <noreply@localhost>")

# Who looks at documents, what signs that company's messages, and whom we cannot serve.
KYC_VENDOR = env.text("KYC_VENDOR", "manual")
KYC_WEBHOOK_SECRET = env.text("KYC_WEBHOOK_SECRET")
KYC_COUNTRIES_REFUSED = tuple(env.words("KYC_COUNTRIES_REFUSED"))
# A host name of documents alone, to which no cookie of the site goes; and for how long after
# somebody was refused, or has left, they are kept.
KYC_HOST = env.text("KYC_HOST")
KYC_DOCUMENTS_KEPT_YEARS = env.number("KYC_DOCUMENTS_KEPT_YEARS", 5)
# What somebody has read is kept so long; what nobody has read stays.
NOTICES_KEPT_DAYS = env.number("NOTICES_KEPT_DAYS", 180)

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": f"{KEY_PREFIX}celery:"}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE

UNFOLD = {
    "SITE_TITLE": "SUM+1",
    "SITE_HEADER": "SUM+1",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "STYLES": [lambda request: static("css/staff.css")],
    "DASHBOARD_CALLBACK": "apps.pages.desk.dashboard.dashboard",
    "SIDEBAR": {
        "show_all_applications": True,
        "navigation": "apps.pages.desk.menu.navigation",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "apps.core.logs.Line",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        },
    },
    "filters": {
        "plain": {"()": "apps.core.logs.Plain"},
        "untold": {"()": "apps.core.logs.Untold"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        "refused": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["plain"]},
    },
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        # Otherwise Django adds handlers of its own, and each line comes twice.
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # Hostile requests: a line each, in the log and not as a traceback on the terminal.
        "django.security": {"handlers": ["refused"], "propagate": False},
        # What a visitor asks wrongly is no trouble of ours.
        "django.request": {"level": "ERROR", "filters": ["untold"]},
        # One line per task and per tick of the clock says nothing.
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}
