"""The world outside: which of the working parts is used is decided here, by configuration alone."""

from dataclasses import dataclass, field

from pixshift.domain.roles import AuthProvider
from pixshift.gateways.picture_links import PictureLinks
from pixshift.gateways.ports import (
    ImageDecoder,
    ImageEditor,
    ImageStorage,
    JobQueue,
    OAuthProvider,
    OtpStore,
    PaymentGateway,
    RateLimits,
    SessionCache,
    SmsSender,
    StatusMirror,
)
from pixshift.gateways.rate_limits import MemoryRateLimits, RedisRateLimits
from pixshift.gateways.status_mirror import NoStatusMirror, RedisStatusMirror
from pixshift.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateways:
    """Everything outside that the product uses; services reach it through their toolbox."""

    editor: ImageEditor
    decoder: ImageDecoder
    storage: ImageStorage
    sms: SmsSender
    otp: OtpStore
    sessions: SessionCache
    queue: JobQueue
    links: PictureLinks
    statuses: StatusMirror = field(default_factory=NoStatusMirror)
    rates: RateLimits = field(default_factory=MemoryRateLimits)
    oauth: dict[AuthProvider, OAuthProvider] = field(default_factory=dict)
    payments: dict[str, PaymentGateway] = field(default_factory=dict)  # by name, the one that is offered first is first

    def notices(self) -> list[str]:
        """One sentence for every twin at work, for people to read on each page."""
        notices = []
        if self.editor.is_twin:
            notices.append("Preview: pictures come from simple filters, not from AI.")
        if self.sms.is_twin:
            notices.append("Codes are shown, not sent.")
        if any(gateway.is_twin for gateway in self.payments.values()):
            notices.append("Payments are practice, nobody is charged.")
        return notices

    def close(self) -> None:
        self.editor.close()
        self.decoder.close()


def build_gateways(settings: Settings, queue: JobQueue) -> Gateways:
    """The gateways the settings ask for. Vendor SDKs are imported by the adapters at their first use, not here."""
    from pixshift.gateways.image_decoder import PooledImageDecoder

    return Gateways(
        editor=_editor(settings),
        decoder=PooledImageDecoder(),
        storage=_storage(settings),
        sms=_sms(settings),
        otp=_otp(settings),
        sessions=_sessions(settings),
        queue=queue,
        links=PictureLinks(settings.secret_key.get_secret_value().encode()),
        statuses=_statuses(settings),
        rates=_rates(settings),
        oauth=_oauth(settings),
        payments=_payments(settings),
    )


def _editor(settings: Settings) -> ImageEditor:
    if settings.gemini.api_key:
        from pixshift.gateways.gemini import GeminiImageEditor

        return GeminiImageEditor(settings.gemini)
    from pixshift.gateways.preview_editor import PreviewEditor

    return PreviewEditor()


def _storage(settings: Settings) -> ImageStorage:
    from pixshift.gateways.storage import LocalStorage, S3Storage

    if settings.storage.bucket:
        return S3Storage(settings.storage)
    return LocalStorage(settings.instance / "pictures")


def _sms(settings: Settings) -> SmsSender:
    if settings.sms.twilio.account_sid:
        from pixshift.gateways.twilio import TwilioSmsSender

        # Twilio refuses an address it could never reach, such as a developer's own machine; a stand-in does not.
        is_real = settings.sms.twilio.api_base == "https://api.twilio.com"
        callback = f"{settings.app_url}/webhooks/twilio"
        return TwilioSmsSender(
            settings.sms.twilio, callback if not is_real or callback.startswith("https://") else None
        )
    from pixshift.gateways.console_sms import ConsoleSms

    return ConsoleSms()


def _oauth(settings: Settings) -> dict[AuthProvider, OAuthProvider]:
    from pixshift.gateways.oauth import FacebookSignIn, GoogleSignIn

    providers: dict[AuthProvider, OAuthProvider] = {}
    if settings.oauth.google.client_id:
        providers[AuthProvider.GMAIL] = GoogleSignIn(settings.oauth.google)
    if settings.oauth.facebook.client_id:
        providers[AuthProvider.FACEBOOK] = FacebookSignIn(settings.oauth.facebook)
    return providers


def _payments(settings: Settings) -> dict[str, PaymentGateway]:
    """The configured one first; others that have their keys stay, for what was paid with them and as another way."""
    gateways: dict[str, PaymentGateway] = {}
    if settings.gateway.stripe.api_key:
        from pixshift.gateways.stripe import StripeGateway

        gateways["stripe"] = StripeGateway(settings.gateway.stripe)
    if settings.gateway.paypal.client_id:
        from pixshift.gateways.paypal import PayPalGateway

        gateways["paypal"] = PayPalGateway(settings.gateway.paypal)
    if settings.gateway.type == "practice":
        from pixshift.gateways.practice_payments import PracticeGateway

        gateways["practice"] = PracticeGateway(settings.instance, settings.app_url)
    return {settings.gateway.type: gateways[settings.gateway.type], **gateways}


def _otp(settings: Settings) -> OtpStore:
    from pixshift.gateways.otp_store import MemoryOtpStore, RedisOtpStore

    if settings.redis_url:
        from pixshift.gateways.redis_client import connect

        return RedisOtpStore(connect(settings.redis_url))
    return MemoryOtpStore()


def _sessions(settings: Settings) -> SessionCache:
    from pixshift.gateways.session_cache import NoSessionCache, RedisSessionCache

    if settings.redis_url:
        from pixshift.gateways.redis_client import connect

        return RedisSessionCache(connect(settings.redis_url))
    return NoSessionCache()


def _statuses(settings: Settings) -> StatusMirror:
    if settings.redis_url:
        from pixshift.gateways.redis_client import connect

        return RedisStatusMirror(connect(settings.redis_url))
    return NoStatusMirror()


def _rates(settings: Settings) -> RateLimits:
    if settings.redis_url:
        from pixshift.gateways.redis_client import connect

        return RedisRateLimits(connect(settings.redis_url))
    return MemoryRateLimits()
