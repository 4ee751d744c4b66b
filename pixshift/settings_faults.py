"""What can be wrong with the settings, in words an operator can act on.

The name to set, never the value that was set.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

Place = tuple[str | int, ...]
Sources = dict[Place, str]  # where a setting comes from: the environment's name, or a key in a file

# The settings that come straight from the environment, by the name that pydantic gives them.
SOURCES: Sources = {
    ("env",): "PIXSHIFT_ENV",
    ("instance",): "PIXSHIFT_INSTANCE",
    ("secretKey",): "SECRET_KEY",
    ("appUrl",): "APP_URL",
    ("host",): "HOST",
    ("port",): "PORT",
    ("databaseUrl",): "DATABASE_URL",
    ("redisUrl",): "REDIS_URL",
    ("trustedProxies",): "TRUSTED_PROXIES",
    ("webConcurrency",): "WEB_CONCURRENCY",
    ("workerConcurrency",): "WORKER_CONCURRENCY",
    ("storage", "bucket"): "AWS_S3_BUCKET",
    ("storage", "region"): "AWS_REGION",
    ("storage", "accessKeyId"): "AWS_ACCESS_KEY_ID",
    ("storage", "secretAccessKey"): "AWS_SECRET_ACCESS_KEY",
    ("storage", "endpoint"): "AWS_ENDPOINT_URL_S3",
}
_TWILIO = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER")
_PAIRS = (("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"), ("FACEBOOK_CLIENT_ID", "FACEBOOK_CLIENT_SECRET"))
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def describe(location: Place, message: str, sources: Sources) -> str:
    """One line about a value that pydantic refused."""
    return f"{place(location, sources)}: {message}"


def place(location: Place, sources: Sources) -> str:
    """The environment's name behind a setting, else its key and the file it is in."""
    camel = tuple(_camel(part) for part in location)
    if name := sources.get(camel):
        return name
    file = sources.get(camel[:1], "").partition(" in ")[2]
    return ".".join(str(part) for part in camel) + (f" in {file}" if file else "")


def _camel(part: str | int) -> str | int:
    """pydantic names a field as it was given: ``webConcurrency`` or ``web_concurrency``."""
    if isinstance(part, int):
        return part
    first, *others = part.split("_")
    return first + "".join(word.capitalize() for word in others)


def missing(env: Mapping[str, str], values: Mapping[str, Any]) -> list[str]:
    """Names that must be set because another one is, or because this is production."""
    gateway = _gateway(values)
    needed: dict[str, str] = {}
    if any(env.get(name) for name in _TWILIO):
        needed |= dict.fromkeys(_TWILIO, "others of the Twilio account are")
    for first, second in _PAIRS:
        if env.get(first) or env.get(second):
            needed |= {first: f"{second} is", second: f"{first} is"}
    if env.get("AWS_S3_BUCKET"):
        needed |= dict.fromkeys(("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "AWS_S3_BUCKET is")
    if gateway == "stripe":
        needed["STRIPE_API_KEY"] = "the payment gateway is stripe"
    if gateway == "paypal":
        needed |= dict.fromkeys(("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET"), "the payment gateway is paypal")
    if values.get("env") == "production":
        needed |= _needed_in_production(gateway)
    return [f"{name} is not set, but {reason}" for name, reason in needed.items() if not env.get(name)]


def _needed_in_production(gateway: str | None) -> dict[str, str]:
    names = ["SECRET_KEY", "APP_URL", "DATABASE_URL", "REDIS_URL", "GEMINI_API_KEY", *_TWILIO]
    if gateway == "stripe":
        names.append("STRIPE_WEBHOOK_SECRET")
    if gateway == "paypal":
        names.append("PAYPAL_WEBHOOK_ID")
    return dict.fromkeys(names, "this is production")


def contradictions(env: Mapping[str, str], values: Mapping[str, Any]) -> list[str]:
    """What each value alone cannot show; values are as written, none of them is checked yet."""
    faults = []
    tiers = values.get("pricingTiers")
    if isinstance(tiers, list):
        ids = [tier.get("id") for tier in tiers if isinstance(tier, dict)]
        if sorted(map(str, ids)) != ["basic", "premium"]:
            faults.append("config/pricing-tiers.yaml must hold exactly the tiers basic and premium")
    concurrency = str(values.get("web_concurrency"))
    is_production = values.get("env") == "production"
    if not values.get("redis_url") and not is_production and concurrency.isdecimal() and int(concurrency) > 1:
        faults.append("WEB_CONCURRENCY above 1 needs REDIS_URL: codes and limits live in one process without it")
    return faults + _production_faults(env, values) if is_production else faults


def _production_faults(env: Mapping[str, str], values: Mapping[str, Any]) -> list[str]:
    faults = []
    secret = values["secret_key"]
    if secret and len(secret.encode()) < 32:
        faults.append("SECRET_KEY is shorter than 32 bytes")
    if _gateway(values) == "practice":
        faults.append("STRIPE_API_KEY or PayPal's keys must be set in production: the practice gateway charges nobody")
    if env.get("FLASK_DEBUG", "0").lower() not in ("", "0", "false", "no"):
        faults.append("FLASK_DEBUG must not be set in production")
    if not _is_https_or_loopback(values["app_url"]):
        faults.append("APP_URL must begin with https:// in production")
    return faults


def _is_https_or_loopback(url: str) -> bool:
    try:
        address = urlsplit(url)
    except ValueError:  # no address at all: said by the setting's own check
        return True
    return address.scheme == "https" or address.hostname in _LOOPBACK


def _gateway(values: Mapping[str, Any]) -> str | None:
    gateway = values.get("gateway")
    return gateway.get("type") if isinstance(gateway, dict) else None
