"""The parts of the settings, one class for each mapping of ``config/*.yaml``: frozen, typed, nothing extra allowed."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from pixshift.domain.lifecycle import MAX_ATTEMPTS


def empty_to_none(value: Any) -> Any:
    return None if value == "" else value


def _readable_url(value: str) -> str:
    try:
        host = urlsplit(value).hostname
    except ValueError:
        host = None
    if not host:
        raise PydanticCustomError("url", "this is not an address")
    return value


OptionalText = Annotated[str | None, BeforeValidator(empty_to_none)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(empty_to_none)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/]+"), AfterValidator(_readable_url)]
OptionalUrl = Annotated[HttpUrl | None, BeforeValidator(empty_to_none)]
PhoneNumber = Annotated[str, Field(pattern=r"^\+[1-9]\d{6,14}$")]
RedisUrl = Annotated[str, Field(pattern=r"^(rediss?|unix)://")]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Retry(Section):
    max_attempts: int = Field(ge=1, le=MAX_ATTEMPTS)
    backoff_multiplier: float = Field(ge=1)
    initial_delay: int = Field(ge=0)  # milliseconds


class ModelPrices(Section):
    """US dollars."""

    per_million_prompt_tokens: Decimal = Field(ge=0)
    per_million_output_tokens: Decimal = Field(ge=0)
    per_call: Decimal = Field(ge=0)

    def cost(self, prompt_tokens: int | None, output_tokens: int | None) -> Decimal:
        """Of one call; one that reported no tokens costs what calls usually do."""
        if prompt_tokens is None and output_tokens is None:
            return self.per_call
        prompt = self.per_million_prompt_tokens * (prompt_tokens or 0)
        return (prompt + self.per_million_output_tokens * (output_tokens or 0)) / 1_000_000


class Gemini(Section):
    api_key: OptionalSecret
    endpoint: HttpUrl
    api_version: str
    model: str = Field(min_length=1, max_length=80)
    timeout: int = Field(ge=1000, le=300_000)  # milliseconds
    image_size: Literal["1K", "2K", "4K"]
    calls_per_minute: int = Field(ge=1)
    retry: Retry
    prices: ModelPrices
    models: tuple[str, ...] = ()  # that a style may ask instead of ``model``
    retires: dict[str, date] = {}  # the last day of a model, as its vendor announced it

    @property
    def known_models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.model, *self.models)))


class Stripe(Section):
    api_key: OptionalSecret
    publishable_key: OptionalText
    webhook_secret: OptionalSecret
    api_base: OptionalUrl


class PayPal(Section):
    client_id: OptionalText
    client_secret: OptionalSecret
    webhook_id: OptionalText
    api_base: OptionalUrl
    mode: Literal["sandbox", "live"]


class PaymentGateway(Section):
    type: Literal["stripe", "paypal", "practice"]
    stripe: Stripe
    paypal: PayPal


class FreeTier(Section):
    limit: int = Field(ge=0)


class PricingTier(Section):
    id: str
    name: str
    description: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    cost_per_image: Decimal | None = Field(default=None, gt=0, decimal_places=2)
    cost_per_month: Decimal | None = Field(default=None, gt=0, decimal_places=2)
    monthly_limit: int | None = Field(default=None, ge=1)


class SpendCaps(Section):
    """US dollars a day (UTC)."""

    per_person: Decimal = Field(gt=0)
    all: Decimal = Field(gt=0)
    alert_at: Decimal = Field(gt=0, le=1)


class Seller(Section):
    name: str = Field(min_length=1, max_length=120)
    address: OptionalText
    email: OptionalText
    tax_id: OptionalText


class Tax(Section):
    name: str
    rate: Annotated[Decimal | None, Field(gt=0, lt=100), BeforeValidator(empty_to_none)]


class Billing(Section):
    unpaid_hours: int = Field(ge=1, le=72)
    grace_days: int = Field(ge=0, le=30)
    not_good_per_month: int = Field(ge=0)
    unpaid_jobs: int = Field(ge=1)
    spend_caps: SpendCaps
    seller: Seller
    tax: Tax


class Twilio(Section):
    account_sid: OptionalText
    auth_token: OptionalSecret
    from_number: Annotated[PhoneNumber | None, BeforeValidator(empty_to_none)]
    api_base: HttpUrl
    timeout: int = Field(ge=500, le=30_000)  # milliseconds


class Otp(Section):
    length: int = Field(ge=6, le=6)  # the pages say "six digits"
    expiration_minutes: int = Field(ge=1, le=10)
    max_attempts: int = Field(ge=1, le=5)
    resend_seconds: int = Field(ge=0)


class SmsLimits(Section):
    per_number_15_minutes: int = Field(ge=1, alias="perNumber15Minutes")
    per_number_day: int = Field(ge=1)
    per_address_hour: int = Field(ge=1)
    per_block_hour: int = Field(ge=1)
    per_country_day: int = Field(ge=1)
    all_day: int = Field(ge=1)
    day_spend_cap: Decimal = Field(gt=0, decimal_places=2)  # US dollars


class Sms(Section):
    provider: Literal["twilio"]
    twilio: Twilio
    otp: Otp
    regions: tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...] = Field(min_length=1)
    limits: SmsLimits
    price: dict[Annotated[str, Field(pattern=r"^([A-Z]{2}|default)$")], Annotated[Decimal, Field(ge=0)]]

    @field_validator("price")
    @classmethod
    def _has_default(cls, value: dict[str, Decimal]) -> dict[str, Decimal]:
        if "default" not in value:
            raise PydanticCustomError("price", "default is missing")
        return value

    def price_of(self, region: str) -> Decimal:
        return self.price.get(region, self.price["default"])


class RateLimit(Section):
    per_minute: int = Field(ge=1)
    burst: int = Field(ge=1)


class RateLimits(Section):
    """By the class of a route, see ``blueprints/limits.py``."""

    auth: RateLimit
    upload: RateLimit
    create: RateLimit
    write: RateLimit
    report: RateLimit
    vendor: RateLimit
    poll: RateLimit
    read: RateLimit


class GoogleLogin(Section):
    client_id: OptionalText
    client_secret: OptionalSecret
    server_metadata_url: HttpUrl


class FacebookLogin(Section):
    client_id: OptionalText
    client_secret: OptionalSecret
    graph_url: HttpUrl
    dialog_url: HttpUrl


class OAuth(Section):
    """Accounts elsewhere that people may sign in with."""

    google: GoogleLogin
    facebook: FacebookLogin


class Storage(Section):
    bucket: OptionalText
    region: OptionalText
    access_key_id: OptionalText
    secret_access_key: OptionalSecret
    endpoint: OptionalUrl
