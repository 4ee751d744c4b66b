"""Examples: a value for each field, by its name where the name says more than its type."""

from typing import Any

ID = "5f0c7b9e-2d64-4b1c-9a37-1f4e8a6d2c10"
_LINK = "https://pixshift.example/pictures"
BY_NAME: dict[str, Any] = {
    "actionType": "ROLE_CHANGE",
    "actor": "admin",
    "after": {"role": "ADMIN"},
    "amount": 0.99,
    "aspectRatio": "1:1",
    "before": {"role": "GUEST"},
    "clientSecret": None,
    "costPerImage": 0.99,
    "costPerMonth": 9.99,
    "csrfToken": "IjQ2YzE5ZmU0YzQwMDNkIg.aR2c4A.uGJbFOvSk8s",
    "currency": "USD",
    "currencyCode": "USD",
    "description": "A crown of gold, as in an old painting.",
    "details": {"reason": "new colleague"},
    "email": "dana@pixshift.example",
    "entityType": "USER",
    "erasedAt": None,
    "errorCode": None,
    "errorMessage": None,
    "freeBonus": 0,
    "freeTierLimit": 5,
    "freeTierUsed": 2,
    "gateway": "stripe",
    "graceEndsAt": None,
    "height": 1200,
    "id": "basic",
    "imageUrl": f"{_LINK}/photo/{ID}?expires=1764280800&signature=3q2d",
    "instruction": None,
    "intentUrl": "https://www.facebook.com/sharer/sharer.php?u=https%3A%2F%2Fpixshift.example%2Fs%2FqX7",
    "limit": 10,
    "message": "OTP sent successfully",
    "model": None,
    "monthlyLimit": 50,
    "name": "Person wearing a crown",
    "notice": None,
    "originalImageUrl": f"{_LINK}/photo/{ID}?expires=1764280800&signature=3q2d",
    "otp": "482915",
    "page": 1,
    "pastDueAt": None,
    "paymentMethodId": "pm_1R2s3T",
    "phone": "+12025550123",
    "position": 1,
    "price": {"amount": 9.99, "currency": "USD"},
    "pricingTier": "basic",
    "promptTemplate": "Put a crown of gold on the person's head and change nothing else.",
    "q": "dana",
    "reason": "new colleague",
    "remaining": 3,
    "requestId": ID,
    "revenue": {"USD": 4950.0},
    "role": "GUEST",
    "session": "kJ9w2mQ0Zr7xT4vB8nL1cD5fG3hS6pYe",
    "shareUrl": "https://pixshift.example/s/qX7",
    "shownText": None,
    "slug": "crown",
    "status": "COMPLETED",
    "suspendedAt": None,
    "thumbnailUrl": "https://pixshift.example/static/0f3a9c/types/crown.webp",
    "total": 27,
    "totalSpent": 2.97,
    "transactionId": "pi_3R2s3T",
    "transformedImageUrl": f"{_LINK}/picture/{ID}?expires=1764280800&signature=9b1c",
    "url": "https://checkout.stripe.com/c/pay/cs_live_a1",
    "used": 12,
    "width": 1600,
}
_BY_FORMAT = {"uuid": ID, "date-time": "2026-11-27T10:00:00Z", "date": "2026-11-27"}
_BY_TYPE: dict[str, Any] = {"boolean": True, "number": 1.0, "string": "text", "null": None, "array": [], "object": {}}


def example(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Any:
    """A value that the schema takes; ``schemas`` are those that it refers to by name."""
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "enum" in schema or "const" in schema:
        words = schema.get("enum", [schema.get("const")])
        return BY_NAME[name] if BY_NAME.get(name) in words else words[0]
    if "properties" in schema:
        return {key: example(part, schemas, key) for key, part in schema["properties"].items()}
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    if name in BY_NAME:
        return BY_NAME[name]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return example(schema[key][0], schemas, name)
    return _plain(schema, schemas, name)


def _plain(schema: dict[str, Any], schemas: dict[str, Any], name: str) -> Any:
    kind = schema.get("type", "object")
    if kind == "array":
        return [example(schema["items"], schemas, name)]
    if kind == "integer":
        return schema.get("default", schema.get("minimum", 1))
    return _BY_TYPE[kind]
