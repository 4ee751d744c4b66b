"""How PayPal reads a request: our own strict list of what we send, and PayPal's own description where there is one."""

import re
import warnings
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

CONTRACTS = Path(__file__).parents[3] / "shared" / "contracts"
_FILES = {
    "/v2/checkout/": "paypal_checkout_orders_v2",
    "/v2/payments/": "paypal_payments_payment_v2",
    "/v1/billing/": "paypal_billing_subscriptions_v1",
    "/v1/catalogs/": "paypal_catalogs_products_v1",
    "/v1/notifications/": "paypal_notifications_webhooks_v1",
}
Check = Any  # a nested dict, a list of one, or a callable


def words(*allowed: Any) -> Callable[[Any], bool]:
    return lambda value: value in allowed


def text(longest: int, pattern: str = r"(?s).+") -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, str) and len(value) <= longest and bool(re.fullmatch(pattern, value, re.DOTALL))
    )


def _money(value: Any) -> bool:
    """A positive amount with as many places as its currency has."""
    if not isinstance(value, dict) or set(value) != {"currency_code", "value"}:
        return False
    places = {"USD": r"\.\d\d", "EUR": r"\.\d\d", "GBP": r"\.\d\d", "JPY": ""}.get(value["currency_code"])
    if places is None or not isinstance(value["value"], str):
        return False
    return bool(re.fullmatch(rf"\d{{1,13}}{places}", value["value"])) and Decimal(value["value"]) > 0


_MONEY: Check = _money
_URL = text(4000, r"https?://\S+")
_OURS = text(127, r"[0-9a-f-]{36}:[0-9a-f-]{36}")
_CONTEXT: Check = {
    "shipping_preference!": words("NO_SHIPPING"),
    "user_action!": words("PAY_NOW"),
    "payment_method_preference": words("UNRESTRICTED", "IMMEDIATE_PAYMENT_REQUIRED"),
    "return_url!": _URL,
    "cancel_url!": _URL,
}
ORDER: Check = {
    "intent!": words("AUTHORIZE"),
    "purchase_units!": [
        {
            "reference_id!": text(256),
            "invoice_id!": text(127),
            "custom_id!": _OURS,
            "description": text(127),
            "amount!": _MONEY,
        }
    ],
    "payment_source!": {"paypal!": {"experience_context!": _CONTEXT}},
}
CAPTURE: Check = {"amount": _MONEY, "final_capture!": words(True), "invoice_id": text(127), "note_to_payer": text(255)}
REFUND: Check = {"amount": _MONEY, "custom_id": text(127), "invoice_id": text(127), "note_to_payer": text(255)}
PRODUCT: Check = {
    "id": text(50, r".{6,50}"),
    "name!": text(127),
    "type!": words("PHYSICAL", "DIGITAL", "SERVICE"),
    "category": words("SOFTWARE"),
}
PLAN: Check = {
    "product_id!": text(50),
    "name!": text(127),
    "status": words("ACTIVE"),
    "billing_cycles!": [
        {
            "frequency!": {"interval_unit!": words("MONTH"), "interval_count": words(1)},
            "tenure_type!": words("REGULAR"),
            "sequence!": words(1),
            "total_cycles": words(0),
            "pricing_scheme!": {"fixed_price!": _MONEY},
        }
    ],
    "payment_preferences!": {"auto_bill_outstanding": words(True, False), "payment_failure_threshold": words(1, 2, 3)},
}
SUBSCRIPTION: Check = {
    "plan_id!": text(50),
    "custom_id": text(127),
    "application_context": {
        "shipping_preference": words("NO_SHIPPING"),
        "user_action": words("SUBSCRIBE_NOW"),
        "return_url!": _URL,
        "cancel_url!": _URL,
    },
}
CANCEL: Check = {"reason!": text(128)}


def fault(value: Any, check: Check, where: str = "") -> str | None:
    """The first field that is missing, unknown or wrong."""
    if isinstance(check, list):
        if not isinstance(value, list) or len(value) != 1:
            return where
        return fault(value[0], check[0], f"{where}/0")
    if not isinstance(check, dict):
        return None if check(value) else where
    if not isinstance(value, dict):
        return where or "/"
    rules = {name.rstrip("!"): rule for name, rule in check.items()}
    missing = [name[:-1] for name in check if name.endswith("!") and name[:-1] not in value]
    unknown = [name for name in value if name not in rules]
    if missing or unknown:
        return f"{where}/{[*missing, *unknown][0]}"
    found = (fault(value[name], rules[name], f"{where}/{name}") for name in value)
    return next((each for each in found if each), None)


def contract_fault(method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> str | None:
    """What PayPal's own description says against a request; None where it is not at hand or has no such path."""
    name = next((name for start, name in _FILES.items() if path.startswith(start)), None)
    file = CONTRACTS / f"{name}.json"
    # its description calls every field of an event read-only, even where the event is what is to be verified
    if name is None or path.endswith("/verify-webhook-signature") or not file.is_file():
        return None
    from openapi_core.testing import MockRequest

    request = MockRequest(
        "https://api-m.sandbox.paypal.com",
        method.lower(),
        path,
        args=query,
        headers=headers,
        data=body,
        content_type=headers.get("content-type", "application/json"),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that it knows no OAuth2
            _description(file).validate_request(request)
    except Exception as error:  # every kind of its errors is a fault of the request
        return f"{type(error).__name__}: {error.__cause__ or error}"
    return None


@cache
def _description(file: Path) -> Any:
    from openapi_core import Config, OpenAPI

    # the description as a whole has patterns that no checker of descriptions reads; requests are validated all the same
    return OpenAPI.from_file_path(str(file), config=Config(spec_validator_cls=None))
