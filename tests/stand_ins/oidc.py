"""An OpenID provider at the wire: it describes itself, says yes at once, and signs its tokens."""

import base64
import hashlib
import json
import secrets
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.stand_ins.server import Exchange, StandIn

CLIENT_ID, CLIENT_SECRET = "google-client", "google-secret"


class OidcStandIn(StandIn):
    """Moods, of the step they are about: ok, down, refused, invalid_grant, no_id_token, wrong_nonce, wrong_aud,
    wrong_iss, expired, alg_none, hs256, other_key, no_subject."""

    def __init__(self, mood: str = "ok", port: int = 0) -> None:
        super().__init__(mood, port)
        self.claims: dict[str, Any] = {"sub": "g-1", "email": "ann@example.com", "email_verified": True}
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def environ(self) -> dict[str, str]:
        return {
            "GOOGLE_CLIENT_ID": CLIENT_ID,
            "GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
            "GOOGLE_SERVER_METADATA_URL": f"{self.url}/.well-known/openid-configuration",
        }

    def change_keys(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "two"})

    def answer(self, exchange: Exchange, mood: str) -> None:
        path = urlsplit(exchange.path)
        if mood == "down":
            exchange.reply(503, b"<html>Down</html>", "text/html")
        elif path.path == "/.well-known/openid-configuration":
            exchange.reply_json(200, self._metadata())
        elif path.path == "/jwks":
            exchange.reply_json(200, {"keys": [self.key.as_dict(private=False, alg="RS256", use="sig")]})
        elif path.path == "/authorize":
            self._authorize(exchange, dict(parse_qsl(path.query)), mood)
        elif path.path == "/token" and exchange.command == "POST":
            self._token(exchange, mood)
        else:
            exchange.reply_json(404, {"error": "not_found"})

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }

    def _authorize(self, exchange: Exchange, asked: dict[str, str], mood: str) -> None:
        is_right = (
            asked.get("client_id") == CLIENT_ID
            and asked.get("response_type") == "code"
            and asked.get("code_challenge_method") == "S256"
            and "openid" in asked.get("scope", "").split()
            and bool(asked.get("nonce"))
        )
        if not is_right:
            exchange.reply_json(400, {"error": "invalid_request"})
            return
        back = {"state": asked["state"]}
        if mood == "refused":
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe(16)
            self._codes[back["code"]] = asked
        exchange.reply(302, b"", Location=f"{asked['redirect_uri']}?{urlencode(back)}")

    def _token(self, exchange: Exchange, mood: str) -> None:
        form = dict(parse_qsl(exchange.body.decode()))
        asked = self._codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        is_right = (
            asked is not None
            and exchange.headers.get("Authorization") == f"Basic {basic}"
            and form.get("redirect_uri") == asked["redirect_uri"]
            and challenge.decode().rstrip("=") == asked["code_challenge"]
        )
        if mood == "invalid_grant" or asked is None or not is_right:
            exchange.reply_json(400, {"error": "invalid_grant"})
            return
        answer = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 3600}
        if mood != "no_id_token":
            answer["id_token"] = self._id_token(asked["nonce"], mood)
        exchange.reply_json(200, answer)

    def _id_token(self, nonce: str, mood: str) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 3600, "nonce": nonce, **self.claims}
        claims |= {
            "wrong_nonce": {"nonce": "another"},
            "wrong_aud": {"aud": "another-client"},
            "wrong_iss": {"iss": "https://elsewhere.example"},
            "expired": {"exp": now - 3600},
            "no_subject": {"sub": ""},
        }.get(mood, {})
        if mood == "alg_none":
            parts = (json.dumps(part).encode() for part in ({"alg": "none", "kid": "one"}, claims))
            return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."
        if mood == "hs256":
            secret = OctKey.import_key(CLIENT_SECRET * 4)
            return jwt.encode({"alg": "HS256", "kid": "one"}, claims, secret, algorithms=["HS256"])
        key = RSAKey.generate_key(2048, {"kid": "one"}) if mood == "other_key" else self.key
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)
