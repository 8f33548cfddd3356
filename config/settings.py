"""All settings, each from the environment or with a safe default.

`DATABASE_URL` and `REDIS_URL` name the servers; without them, commands attach to a running demo
(see ``config.servers``).
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

from config import servers, sign_on_settings

BASE_DIR = Path(__file__).resolve().parent.parent


def flag(name: str) -> bool:
    """True for 1, true, yes, on; False for the opposites and for absence; anything else stops the start."""
    value = os.environ.get(name, "").strip().lower()
    if value in {"", "0", "false", "no", "off"}:
        return False
    if value in {"1", "true", "yes", "on"}:
        return True
    sys.exit(f"{name} is {value!r}: set it to 1 or 0.")


def number(name: str, default: int) -> int:
    """A whole number from the environment, or a clear end."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    if not value.isdecimal():
        sys.exit(f"{name} is {value!r}: set it to a whole number.")
    return int(value)


# Plain HTTP on loopback: the demo and the tests. Production leaves it unset.
INSECURE_HTTP = flag("COUNTERSIGN_INSECURE_HTTP")
DEBUG = False

SECRET_KEY = os.environ.get("SECRET_KEY", "")
if not SECRET_KEY:
    if not INSECURE_HTTP and servers.needs_server(sys.argv):
        sys.exit("SECRET_KEY is not set: set it to at least 50 random characters, or start `make demo`.")
    SECRET_KEY = "demo-and-tests-only-" + "x" * 40

# Finds a customer's cases by a keyed digest. Its own key, so that SECRET_KEY can be changed.
CUSTOMER_KEY_SECRET = os.environ.get("CUSTOMER_KEY_SECRET", "") or SECRET_KEY

ALLOWED_HOSTS = [host for host in os.environ.get("ALLOWED_HOSTS", "").split(",") if host]
if INSECURE_HTTP:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "testserver"]
PUBLIC_URL = os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "config.apps.CountersignAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_fsm",
    "guardian",
    "simple_history",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "csp",
    "django_structlog",
    "cases",
    "queues",
    "approvals",
    "feedback",
]

MIDDLEWARE = [
    "cases.wire.problems.ProblemMiddleware",
    "cases.wire.ratelimit.RateLimitMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "cases.wire.content_policy.ContentPolicyMiddleware",
    "cases.admin.pages_only.PageSessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "cases.admin.pages_only.PageUsers",
    "cases.admin.pages_only.PageMessages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "cases.admin.sessions.SessionLimits",
    "cases.admin.sessions.SecondFactorGate",
    "cases.admin.refusals.KeepRefusals",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
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
            ],
        },
    }
]

# --- where things rest -------------------------------------------------------------------------------------------

DATA_DIR = Path(os.environ.get("COUNTERSIGN_DATA", BASE_DIR / ".countersign"))
try:
    _found = servers.find(os.environ, DATA_DIR)
except servers.NoServer as error:
    sys.exit(str(error))

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        **servers.database_settings(_found.database_url),
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": 0,
    }
}
if pool_size := number("DATABASE_POOL", 0):
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": 10}
    # Kept connections prepare what every request asks; an old PgBouncer between them and PostgreSQL loses such names.
    DATABASES["default"]["OPTIONS"]["prepare_threshold"] = None if flag("DATABASE_UNPREPARED") else 5

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": _found.cache_url}}

CELERY_BROKER_URL = _found.broker_url
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 100  # Below the visibility timeout: a task that outlasts it would run twice.
CELERY_TASK_PUBLISH_RETRY = False  # A nudge that cannot be sent is dropped; the sweep finds the row.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "deliver-webhooks": {"task": "cases.tasks.sweep_deliveries", "schedule": 5.0},
    "sweep-queues": {"task": "queues.tasks.sweep", "schedule": 15.0},
    "send-notices": {"task": "cases.tasks.send_notices", "schedule": 10.0},
    "tell-customers": {"task": "cases.tasks.tell_customers", "schedule": 10.0},
    "sweep-redrafts": {"task": "cases.tasks.sweep_redrafts", "schedule": 30.0},
    "sweep-recalls": {"task": "cases.tasks.sweep_recalls", "schedule": 15.0},
    "sweep-breakers": {"task": "cases.tasks.sweep_breakers", "schedule": 15.0},
    "test-the-switch": {"task": "cases.tasks.test_the_switch", "schedule": 15.0},
    "seal-audit": {"task": "cases.tasks.seal_audit", "schedule": 60.0},
    "verify-audit": {"task": "cases.tasks.verify_audit", "schedule": 300.0},
    "publish-heads": {"task": "cases.tasks.publish_heads", "schedule": 600.0},
    "erase-old-texts": {"task": "cases.tasks.erase_old_texts", "schedule": 3600.0},
    "purge-keys": {"task": "cases.tasks.purge_keys", "schedule": 3600.0},
    "forget-sessions": {"task": "cases.tasks.forget_sessions", "schedule": 3600.0},
    "sweep-actions": {"task": "approvals.tasks.sweep", "schedule": 15.0},
    "run-action-jobs": {"task": "approvals.tasks.run_jobs", "schedule": 5.0},
    "weekly-overrides": {"task": "feedback.tasks.export_overrides", "schedule": 900.0},
    "refresh-metrics": {"task": "feedback.metrics.tasks.refresh", "schedule": 10.0},
    "watch-releases": {"task": "feedback.tasks.watch_releases", "schedule": 300.0},
    "route-quality": {"task": "feedback.metrics.tasks.count_route_quality", "schedule": 300.0},
    "run-exports": {"task": "feedback.tasks.run_exports", "schedule": 15.0},
    "run-evidence-packs": {"task": "feedback.tasks.run_evidence_packs", "schedule": 15.0},
    "run-pushes": {"task": "feedback.tasks.run_pushes", "schedule": 15.0},
    "sweep-challenges": {"task": "feedback.tasks.sweep_challenges", "schedule": 15.0},
}

# Where exports are delivered: a folder, or any storage of django-storages by its path and options (JSON).
EXPORTS_STORAGE = {"BACKEND": os.environ.get("EXPORTS_STORAGE", "") or "feedback.folders.ExportFolder"}
if EXPORTS_STORAGE["BACKEND"] == "feedback.folders.ExportFolder":
    EXPORTS_STORAGE["OPTIONS"] = {"location": os.environ.get("EXPORTS_FOLDER", "") or DATA_DIR / "exports"}
elif options := os.environ.get("EXPORTS_STORAGE_OPTIONS", ""):
    EXPORTS_STORAGE["OPTIONS"] = json.loads(options)

EXPORT_SCRATCH = DATA_DIR / "unfinished-exports"  # Local disk: files grow here and reach the storage whole.

# --- seals over the audit trail, see docs/production.md ---------------------------------------------------------------

AUDIT_SIGNING_KEY = os.environ.get("AUDIT_SIGNING_KEY", "")  # The private key's path or its PEM; for who seals.
AUDIT_TRUSTED_KEYS = os.environ.get(
    "AUDIT_TRUSTED_KEYS", ""
)  # The list of public keys, old ones too, for who verifies.
# Where heads are published as files: best a place where this installation may add files and not change them.
AUDIT_HEADS_STORAGE = {"BACKEND": os.environ.get("AUDIT_HEADS_STORAGE", "") or "cases.head_folder.HeadFolder"}
if AUDIT_HEADS_STORAGE["BACKEND"] == "cases.head_folder.HeadFolder":
    AUDIT_HEADS_STORAGE["OPTIONS"] = {"location": os.environ.get("AUDIT_HEADS_FOLDER", "") or DATA_DIR / "audit-heads"}
elif options := os.environ.get("AUDIT_HEADS_STORAGE_OPTIONS", ""):
    AUDIT_HEADS_STORAGE["OPTIONS"] = json.loads(options)

# --- people ------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "cases.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None  # guardian: nobody signs in as nobody.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AXES_FAILURE_LIMIT = number("SIGN_IN_TRIES", 10)
AXES_COOLOFF_TIME = timedelta(minutes=number("SIGN_IN_LOCK_MINUTES", 15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "cases.client_address.client_address"
AXES_WHITELIST_CALLABLE = "cases.admin.sign_in.guesses_no_name"
AXES_ENABLE_ADMIN = False  # Its pages know no tenants; a person's own page shows and takes away their lock.
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "cases.admin.sign_in.locked_out"
AXES_VERBOSE = False
SESSION_HOURS = number("SESSION_HOURS", 12)  # since the sign-in, however busy
SESSION_IDLE_MINUTES = number("SESSION_IDLE_MINUTES", 60)
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SECOND_FACTOR_REQUIRED = flag("SECOND_FACTOR_REQUIRED")  # Of everybody; a tenant may ask it of some roles.
SINGLE_SIGN_ON = False
if _sign_on := sign_on_settings.read(os.environ, insecure_http=INSECURE_HTTP):
    globals().update(_sign_on)
    AUTHENTICATION_BACKENDS.insert(1, "config.sign_on.IdentityBackend")
LOCAL_PASSWORDS = not flag("LOCAL_PASSWORDS_OFF")  # Without them everybody signs in at the identity provider.
if not (LOCAL_PASSWORDS or SINGLE_SIGN_ON):
    sys.exit("LOCAL_PASSWORDS_OFF without OIDC_ISSUER lets nobody in: see docs/single-sign-on.md.")
OTP_TOTP_ISSUER = "Countersign"
STEP_UP_MINUTES = number("STEP_UP_MINUTES", 15)  # So recent a sign-in must be to sign an action of high impact.

# --- the wire ----------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["cases.wire.tokens.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["cases.wire.parser.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "cases.wire.openapi.StrictAutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["cases.wire.ratelimit.TokenRateThrottle"],
    "DEFAULT_PAGINATION_CLASS": "cases.wire.pages.CursorPages",
    "EXCEPTION_HANDLER": "cases.api.doors.handle",
    "PAGE_SIZE": 50,
}
REST_KNOX = {"TOKEN_TTL": None, "AUTH_HEADER_PREFIX": "Token", "TOKEN_PREFIX": "cs_"}
SPECTACULAR_SETTINGS = {
    "TITLE": "Countersign",
    "VERSION": "1",
    "DESCRIPTION": "Send what an AI drafted, decided or proposed; hear what became of it. A person countersigns "
    "whatever the tenant's policy does not let through.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "RiskEnum": "cases.vocabulary.Risk",
        "CaseStateEnum": "cases.states.State",
        "ActionStateEnum": "approvals.states.ActionState",
        "CaseKindEnum": "cases.vocabulary.Kind",
        "ExportKindEnum": "feedback.kinds.Kind",
        "ExportStateEnum": "feedback.states.ExportState",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
MAX_BODY_BYTES = 1_000_000  # one case
MAX_BULK_BYTES = 8_000_000
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BULK_BYTES + 1  # The strict parser refuses earlier, with a problem document.

# --- signals that are computed here, see docs/evaluators.md -----------------------------------------------------------

# {"answer_groundedness": "cases.groundedness.evaluate"}: per signal a Python callable. Its word replaces the caller's.
SIGNAL_EVALUATORS: dict[str, str] = json.loads(os.environ.get("SIGNAL_EVALUATORS", "") or "{}")
SIGNAL_EVALUATION_SECONDS = number("SIGNAL_EVALUATION_MILLISECONDS", 1_000) / 1_000  # for each case that is sent
SIGNAL_EVALUATION_SECONDS_AT_MOST = number("SIGNAL_EVALUATION_SECONDS_AT_MOST", 10)  # for all cases of one request
SIGNAL_EVALUATOR_THREADS = number("SIGNAL_EVALUATOR_THREADS", 4)  # of each evaluator, in each process

# --- the seams: going up from `cases`, called in the same transaction, touching only the database ---------------------

CASE_FACT_PROVIDERS = ["approvals.facts.action_facts", "feedback.facts.route_quality"]
CASE_DETAIL_PROVIDERS = [
    "queues.details.case_details",
    "approvals.details.case_details",
    "feedback.details.case_details",
]
ACTION_STAND_INS = "feedback.services.planting.preview_of"
FRICTION_CAP = "feedback.services.friction.is_used_up"
CASE_OUTCOME_VEILS = ["feedback.services.looks.cases_veiled_from"]
# In this order: a case's action is stored before its queue is chosen, since its authority has a say in that.
# Shadow policies judge before anything follows from a case, by the facts that triage had.
CASE_EVENT_HANDLERS = [
    "feedback.services.shadows.on_events",
    "approvals.handlers.on_events",
    "queues.handlers.on_events",
    "feedback.handlers.on_events",
    "feedback.services.planting.on_events",
    "feedback.metrics.marks.on_events",
    "cases.services.customer_notices.on_events",
]
# What else each room holds of cases whose texts are erased, see cases/services/erasure.py.
ERASURE_PARTS = ["approvals.erasure.found", "feedback.erasure.found"]
# The same seam sideways: what queues ask of approvals, which they may not import.
QUEUE_AUTHORITIES = {"needed": "approvals.routing.needed_authorities", "codes": "approvals.routing.authority_codes"}

# Executors in Python that an action type may name: {"name": "dotted.path.of.a.class"}, see docs/executors.md.
ACTION_EXECUTORS: dict[str, str] = {}

SWITCH_IMPACT_PROVIDERS = ["cases.services.impact.case_impact", "approvals.services.switch_impact.action_impact"]
RESUME_EVERYWHERE_NEEDS_TWO = flag("RESUME_EVERYWHERE_NEEDS_TWO")  # For one tenant it is a setting of the tenant.

# What carries out a change that a second person has confirmed (``cases.services.changes``).
CHANGE_KINDS = {
    "policy": "cases.services.policy_changes.PolicyChange",
    "tenant": "cases.services.tenant_settings.TenantChange",
    "roles": "cases.services.role_changes.RoleChange",
    "periods": "cases.services.periods.PeriodChange",
    "authority": "approvals.services.changes.AuthorityChange",
    "grant": "approvals.services.changes.GrantChange",
    "action": "approvals.services.changes.ActionTypeChange",
}

DELEGATE_CHECKS = [
    "queues.services.delegates.lacks",
    "approvals.services.delegates.lacks",
]  # What a delegate lacks of somebody's authority, in words.

# --- history, security, texts ------------------------------------------------------------------------------------

SIMPLE_HISTORY_REVERT_DISABLED = True
SIMPLE_HISTORY_ENFORCE_HISTORY_MODEL_PERMISSIONS = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],  # Swagger's own icons.
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not INSECURE_HTTP
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_HTTP
TRUSTED_PROXIES = number("TRUSTED_PROXIES", 1) if flag("BEHIND_PROXY") else 0  # So many write X-Forwarded-For.
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Webhooks and executors go to public HTTPS addresses; a demo and a test may call themselves.
OUTBOUND_ALLOW_LOOPBACK = INSECURE_HTTP or flag("OUTBOUND_ALLOW_LOOPBACK")

# --- notices to people --------------------------------------------------------------------------------------------

EMAIL_HOST = os.environ.get("EMAIL_HOST", "")
EMAIL_PORT = number("EMAIL_PORT", 587 if EMAIL_HOST else 25)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = bool(EMAIL_HOST) and not flag("EMAIL_WITHOUT_TLS")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("EMAIL_FROM", "countersign@localhost")
if not EMAIL_HOST and INSECURE_HTTP:  # A demo without a mail server writes its mails into files.
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = Path(os.environ.get("COUNTERSIGN_DATA", BASE_DIR / ".countersign")) / "mails"
# The services that channels may name, by their apprise schemes: those whose address apprise itself knows. A scheme
# whose URL names a host (json, mailto, mmost, …) would let whoever edits channels reach the inner network.
NOTICE_SCHEMES = frozenset(
    (os.environ.get("NOTICE_SCHEMES") or "discord,opsgenie,pagerduty,slack,tgram,twilio,vonage,wxteams")
    .replace(" ", "")
    .split(",")
)

# Prometheus asks /metrics with this bearer token; without one there is no such page.
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")

LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = ["config.formats"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]
WHITENOISE_USE_FINDERS = INSECURE_HTTP
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "exports": EXPORTS_STORAGE,
    "audit-heads": AUDIT_HEADS_STORAGE,
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if INSECURE_HTTP
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # It believes any X-Forwarded-For: ``cases.wire.problems`` binds ours.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.logs.formatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {"axes": {"level": "WARNING"}, "django_structlog": {"level": "WARNING"}},
}
