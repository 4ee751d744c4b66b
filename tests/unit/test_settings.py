"""The settings: every fault at once, by the name to set, and never a secret."""

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from pixshift.errors import ConfigurationError
from pixshift.settings import ROOT, Settings, load_settings

Load = Callable[..., Settings]

PRODUCTION = {
    "PIXSHIFT_ENV": "production",
    "SECRET_KEY": "a-secret-of-more-than-thirty-two-bytes",
    "APP_URL": "https://pixshift.example",
    "DATABASE_URL": "postgresql://pixshift:database-secret@db.example/pixshift",
    "REDIS_URL": "rediss://:redis-secret@redis.example/0",
    "GEMINI_API_KEY": "gemini-secret",
    "TWILIO_ACCOUNT_SID": "AC0000",
    "TWILIO_AUTH_TOKEN": "twilio-secret",
    "TWILIO_PHONE_NUMBER": "+12025550100",
    "STRIPE_API_KEY": "stripe-secret",
    "STRIPE_WEBHOOK_SECRET": "webhook-secret",
}
PAYPAL = {
    **{name: value for name, value in PRODUCTION.items() if not name.startswith("STRIPE")},
    "PAYMENT_GATEWAY": "paypal",
    "PAYPAL_CLIENT_ID": "client",
    "PAYPAL_CLIENT_SECRET": "paypal-secret",
    "PAYPAL_WEBHOOK_ID": "webhook",
}


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Settings of exactly these names, and a folder of this test alone."""

    def from_names(**environ: str) -> Settings:
        return load_settings({"PIXSHIFT_INSTANCE": str(tmp_path / "instance"), **environ})

    return from_names


def faults_of(load: Load, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(**environ)
    return caught.value.faults


def test_nothing_needs_to_be_set_in_development(load: Load) -> None:
    settings = load()
    assert settings.env == "development"
    assert (settings.host, settings.port, settings.app_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert settings.database_url == f"sqlite:///{settings.instance / 'pixshift.sqlite3'}"
    assert settings.gateway.type == "practice"
    assert settings.gemini.api_key is None
    assert settings.sms.twilio.account_sid is None


def test_the_tiers_are_what_the_design_says(load: Load) -> None:
    settings = load()
    assert settings.free_tier.limit == 5
    assert settings.tier("basic").cost_per_image == Decimal("0.99")
    assert settings.tier("premium").monthly_limit == 100


def test_host_and_port_come_from_the_environment(load: Load) -> None:
    settings = load(HOST="0.0.0.0", PORT="9001")
    assert (settings.host, settings.port, settings.app_url) == ("0.0.0.0", 9001, "http://127.0.0.1:9001")


def test_a_name_in_a_file_is_filled_from_the_environment_or_its_default(load: Load) -> None:
    assert load().gemini.model == "gemini-nano-banana-2.1"
    assert load(GEMINI_MODEL="another-model").gemini.model == "another-model"
    assert load(GEMINI_MODEL="").gemini.model == "gemini-nano-banana-2.1"


def test_a_name_without_a_default_must_be_set(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    file = folder / "gemini-api.yaml"
    file.write_text(file.read_text().replace('apiVersion: "v1beta"', 'apiVersion: "${GEMINI_VERSION}"'))
    environ = {"PIXSHIFT_INSTANCE": str(tmp_path)}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ, folder)
    assert caught.value.faults == [
        "GEMINI_VERSION is not set, but gemini.apiVersion in config/gemini-api.yaml asks for it"
    ]
    assert load_settings(environ | {"GEMINI_VERSION": "v1"}, folder).gemini.api_version == "v1"


def test_the_development_secret_is_made_once_and_only_its_owner_may_read_it(load: Load) -> None:
    first, second = load(), load()
    assert first.secret_key == second.secret_key
    assert len(first.secret_key.get_secret_value()) >= 32
    assert (first.instance / "secret_key").stat().st_mode & 0o777 == 0o600


def test_a_stripe_key_chooses_stripe_unless_another_gateway_is_named(load: Load) -> None:
    assert load(STRIPE_API_KEY="key").gateway.type == "stripe"
    assert load(STRIPE_API_KEY="key", PAYMENT_GATEWAY="practice").gateway.type == "practice"


def test_the_driver_that_we_ship_is_put_into_a_postgresql_url(load: Load) -> None:
    assert load(DATABASE_URL="postgresql://db/x").sqlalchemy_url == "postgresql+psycopg://db/x"
    assert load(DATABASE_URL="sqlite:////tmp/x").sqlalchemy_url == "sqlite:////tmp/x"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PIXSHIFT_ENV", "staging"),
        ("HOST", "two words"),
        ("PORT", "abc"),
        ("PORT", "65536"),
        ("APP_URL", "pixshift.example"),
        ("APP_URL", "http://[bad"),
        ("DATABASE_URL", "mysql://db/x"),
        ("REDIS_URL", "http://redis"),
        ("TRUSTED_PROXIES", "-1"),
        ("WEB_CONCURRENCY", "many"),
        ("WORKER_CONCURRENCY", "0"),
        ("AWS_ENDPOINT_URL_S3", "minio:9000"),
        ("GEMINI_ENDPOINT", "ftp://gemini"),
        ("PAYMENT_GATEWAY", "barter"),
        ("PAYPAL_MODE", "test"),
        ("STRIPE_API_BASE", "stripe"),
        ("TWILIO_API_BASE", "twilio"),
    ],
)
def test_a_wrong_value_is_one_line_that_begins_with_the_name_to_set(load: Load, name: str, value: str) -> None:
    (fault,) = faults_of(load, **{name: value})
    assert fault.startswith(f"{name}: ")
    assert value not in fault.removeprefix(name)


def test_every_fault_is_listed_at_once(load: Load) -> None:
    faults = faults_of(
        load,
        PIXSHIFT_ENV="production",
        SECRET_KEY="short",
        APP_URL="http://pixshift.example",
        PORT="abc",
        WEB_CONCURRENCY="x",
        FLASK_DEBUG="1",
        AWS_S3_BUCKET="pictures",
    )
    names = [
        "SECRET_KEY is shorter", "APP_URL must begin with https", "PORT:", "WEB_CONCURRENCY:", "FLASK_DEBUG",
        "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "REDIS_URL", "GEMINI_API_KEY",
        "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER", "STRIPE_API_KEY",
    ]  # fmt: skip
    for name in names:
        assert len([fault for fault in faults if fault.startswith(name)]) == 1, name
    assert len(faults) == len(names)


def test_no_fault_shows_the_value_of_a_secret(load: Load) -> None:
    environ = PRODUCTION | {
        "PORT": "abc",
        "DATABASE_URL": "mysql://u:database-secret@db",
        "REDIS_URL": "x://redis-secret",
    }
    environ["SECRET_KEY"] = "session-secret"
    environ["TWILIO_PHONE_NUMBER"] = "call-secret"
    text = "\n".join(faults_of(load, **environ))
    assert "SECRET_KEY is shorter than 32 bytes" in text
    assert "-secret" not in text


def test_settings_do_not_print_their_secrets(load: Load) -> None:
    shown = repr(load(**PRODUCTION))
    for secret in ("a-secret-of-more", "gemini-secret", "twilio-secret", "stripe-secret", "webhook-secret"):
        assert secret not in shown


def test_production_starts_with_all_it_needs(load: Load) -> None:
    assert load(**PRODUCTION).is_production
    assert load(**PAYPAL).gateway.type == "paypal"


@pytest.mark.parametrize("name", [name for name in PRODUCTION if name != "PIXSHIFT_ENV"])
def test_without_one_of_its_keys_production_refuses_in_one_line_that_names_it(load: Load, name: str) -> None:
    (fault,) = faults_of(load, **{key: value for key, value in PRODUCTION.items() if key != name})
    assert fault.startswith(name)


@pytest.mark.parametrize("name", [name for name in PAYPAL if name.startswith("PAYPAL")])
def test_without_one_of_its_paypal_keys_production_refuses_in_one_line(load: Load, name: str) -> None:
    (fault,) = faults_of(load, **{key: value for key, value in PAYPAL.items() if key != name})
    assert fault.startswith(name)


@pytest.mark.parametrize(
    ("names", "word"),
    [
        ({"GEMINI_API_KEY": ""}, "GEMINI_API_KEY"),
        ({"PAYMENT_GATEWAY": "practice"}, "practice gateway charges nobody"),
        ({"TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": "", "TWILIO_PHONE_NUMBER": ""}, "TWILIO_ACCOUNT_SID"),
    ],
)
def test_a_twin_is_refused_in_production(load: Load, names: dict[str, str], word: str) -> None:
    assert word in "\n".join(faults_of(load, **(PRODUCTION | names)))


@pytest.mark.parametrize("value", ["1", "true", "True", "yes"])
def test_debugging_is_refused_in_production(load: Load, value: str) -> None:
    assert faults_of(load, **PRODUCTION, FLASK_DEBUG=value) == ["FLASK_DEBUG must not be set in production"]


def test_plain_http_is_for_loopback_only_in_production(load: Load) -> None:
    assert load(**(PRODUCTION | {"APP_URL": "http://127.0.0.1:8000"})).is_production
    (fault,) = faults_of(load, **(PRODUCTION | {"APP_URL": "http://pixshift.example"}))
    assert fault == "APP_URL must begin with https:// in production"


def test_part_of_a_twilio_account_is_a_fault(load: Load) -> None:
    assert faults_of(load, TWILIO_ACCOUNT_SID="AC00") == [
        "TWILIO_AUTH_TOKEN is not set, but others of the Twilio account are",
        "TWILIO_PHONE_NUMBER is not set, but others of the Twilio account are",
    ]


def test_several_web_processes_need_redis(load: Load) -> None:
    (fault,) = faults_of(load, WEB_CONCURRENCY="2")
    assert fault.startswith("WEB_CONCURRENCY above 1 needs REDIS_URL")
    assert load(WEB_CONCURRENCY="2", REDIS_URL="redis://127.0.0.1").web_concurrency == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [("gemini: [", "cannot be read"), ("", "is empty or not a mapping"), ("- 1", "is empty or not a mapping")],
)
def test_a_file_that_is_no_yaml_mapping_is_a_fault(tmp_path: Path, content: str, words: str) -> None:
    folder = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    (folder / "gemini-api.yaml").write_text(content)
    with pytest.raises(ConfigurationError, match=f"config/gemini-api.yaml {words}"):
        load_settings({"PIXSHIFT_INSTANCE": str(tmp_path)}, folder)


def test_a_wrong_value_in_a_file_is_said_with_its_key_and_file(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    file = folder / "pricing-tiers.yaml"
    file.write_text(
        file.read_text().replace('costPerImage: "0.99"', 'costPerImage: "-1"').replace("limit: 5", "limits: 5")
    )
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"PIXSHIFT_INSTANCE": str(tmp_path)}, folder)
    assert {fault.partition(":")[0] for fault in caught.value.faults} == {
        "freeTier.limit in config/pricing-tiers.yaml",
        "freeTier.limits in config/pricing-tiers.yaml",
        "pricingTiers.0.costPerImage in config/pricing-tiers.yaml",
    }


def test_there_are_exactly_two_tiers(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    file = folder / "pricing-tiers.yaml"
    file.write_text(file.read_text().replace('id: "premium"', 'id: "gold"'))
    with pytest.raises(ConfigurationError, match="exactly the tiers basic and premium"):
        load_settings({"PIXSHIFT_INSTANCE": str(tmp_path)}, folder)


def test_settings_cannot_be_changed(load: Load) -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]
