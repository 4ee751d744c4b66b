"""Facebook Login at the wire: the dialog, the token exchange and ``/me``, strict about the proof of the app."""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.stand_ins.server import Exchange, StandIn

CLIENT_ID, CLIENT_SECRET = "123456789", "facebook-secret"


class FacebookStandIn(StandIn):
    """Moods, of the step they are about: ok, down, refused, cut."""

    def __init__(self, mood: str = "ok", port: int = 0) -> None:
        super().__init__(mood, port)
        self.me: dict[str, Any] = {"id": "f-1", "name": "Ann", "email": "ann@example.com"}
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: set[str] = set()

    @property
    def environ(self) -> dict[str, str]:
        return {
            "FACEBOOK_CLIENT_ID": CLIENT_ID,
            "FACEBOOK_CLIENT_SECRET": CLIENT_SECRET,
            "FACEBOOK_GRAPH_URL": f"{self.url}/v26.0",
            "FACEBOOK_DIALOG_URL": f"{self.url}/v26.0/dialog/oauth",
        }

    def answer(self, exchange: Exchange, mood: str) -> None:
        path = urlsplit(exchange.path)
        asked = dict(parse_qsl(path.query))
        if mood == "down":
            exchange.reply_json(500, {"error": {"message": "An unknown error occurred", "code": 1}})
        elif mood == "cut":
            exchange.cut()
        elif path.path == "/v26.0/dialog/oauth" and asked.get("client_id") == CLIENT_ID:
            self._dialog(exchange, asked, mood)
        elif path.path == "/v26.0/oauth/access_token":
            self._token(exchange, dict(parse_qsl(exchange.body.decode())))
        elif path.path == "/v26.0/me":
            self._me(exchange, asked)
        else:
            exchange.reply_json(404, {"error": {"message": "Unknown path", "code": 2500}})

    def _dialog(self, exchange: Exchange, asked: dict[str, str], mood: str) -> None:
        back = {"state": asked["state"]}
        if mood == "refused":
            back |= {"error": "access_denied", "error_reason": "user_denied"}
        else:
            back["code"] = secrets.token_urlsafe(16)
            self._codes[back["code"]] = asked
        exchange.reply(302, b"", Location=f"{asked['redirect_uri']}?{urlencode(back)}#_=_")

    def _token(self, exchange: Exchange, form: dict[str, str]) -> None:
        is_app = (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        begun = self._codes.pop(form.get("code", ""), None)
        is_login = begun is not None and begun["redirect_uri"] == form.get("redirect_uri")
        if not is_app or not (is_login or form.get("grant_type") == "client_credentials"):
            exchange.reply_json(400, {"error": {"message": "Invalid verification code", "code": 100}})
            return
        token = secrets.token_urlsafe(16)
        self._tokens.add(token)
        exchange.reply_json(200, {"access_token": token, "token_type": "bearer", "expires_in": 5_000_000})

    def _me(self, exchange: Exchange, asked: dict[str, str]) -> None:
        token = exchange.headers.get("Authorization", "").removeprefix("Bearer ")
        proof = hmac.new(CLIENT_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
        if token not in self._tokens or asked.get("appsecret_proof") != proof:
            exchange.reply_json(400, {"error": {"message": "Invalid appsecret_proof", "code": 100}})
            return
        fields = asked.get("fields", "id").split(",")
        exchange.reply_json(200, {name: value for name, value in self.me.items() if name in fields})


def signed_request(subject: str, secret: str = CLIENT_SECRET) -> str:
    """What Facebook posts when somebody removes the app and asks for the deletion of their data."""
    content = {"algorithm": "HMAC-SHA256", "issued_at": 1_790_000_000, "user_id": subject}
    payload = _encoded(json.dumps(content).encode())
    return _encoded(hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest()) + "." + payload


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
