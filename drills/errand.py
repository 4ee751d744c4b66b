"""The whole way of a picture on S3: signed in, uploaded, made, downloaded, deleted, and nothing left."""

import json
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from typing import Any
from uuid import UUID

from flask import Flask

from drills.table import Ground, Row, Size, exactly
from tests import factories, jobs, servers
from tests.stand_ins.s3 import Bucket

AREA = "Storage"


def rows(ground: Ground, bucket: Bucket, size: Size) -> Iterator[Row]:
    """In full `flask up` is asked over HTTP, in small the application in this process."""
    if size is Size.SAMPLE:
        with (
            ground.database() as name,
            jobs.application(ground.postgres.url(name), ground.folder / "app", **bucket.environ) as app,
        ):
            taken, stored = _in_process(app, bucket)
    else:
        with servers.product(ground.folder / "product", bucket.environ) as product:
            taken, stored = _over_http(product.url, bucket)
    yield exactly(AREA, "S3 with the whole product: objects of one picture", len(stored), 2)
    odd = sum(not _is_made_of_uuids(key) for key in stored)
    yield exactly(AREA, "S3 with the whole product: names that are not made of UUIDs", odd, 0)
    yield exactly(AREA, "S3 with the whole product: whole downloads", int(taken), 1)
    yield exactly(AREA, "S3 with the whole product: objects left after the deletion", len(bucket.keys()), 0)


def _is_made_of_uuids(key: str) -> bool:
    _, *ids = key.rpartition(".")[0].split("/")
    try:
        return len(ids) in (2, 3) and all(str(UUID(word)) == word for word in ids)
    except ValueError:
        return False


def _in_process(app: Flask, bucket: Bucket) -> tuple[bool, list[str]]:
    who = factories.person(app)
    job = factories.picture(app, who, factories.style(app))
    stored = bucket.keys()
    answer = who.client.get(f"/api/v1/transformations/{job}/download")
    is_whole = len(answer.data) == answer.content_length
    who.client.post(f"/transformations/{job}/delete", headers=who.headers)
    return is_whole, stored


def _over_http(url: str, bucket: Bucket) -> tuple[bool, list[str]]:
    visitor = Visitor(url)
    visitor.sign_in()
    image = visitor.upload(factories.photo())["imageId"]
    style = visitor.ask("GET", "/api/v1/transformation-types")["types"][0]["id"]
    order = visitor.ask("POST", "/api/v1/transformations", {"transformationTypeId": style, "imageId": image})
    place = f"/api/v1/transformations/{order['transformation']['id']}"

    def is_ready() -> bool:
        return bool(visitor.ask("GET", place)["transformation"]["status"] == "COMPLETED")

    servers.wait_until(is_ready, 60, "the picture")
    stored = bucket.keys()
    body, length = visitor.send("GET", f"{place}/download")
    visitor.send("POST", f"/transformations/{order['transformation']['id']}/delete", b"")
    return len(body) == length, stored


class Visitor:
    """A program that keeps cookies."""

    def __init__(self, url: str) -> None:
        self._url, self._csrf = url, ""
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def sign_in(self) -> None:
        number = factories.phone()
        self._renew()
        code = factories.code_in(self.ask("POST", "/api/v1/auth/sms/request-otp", {"phone": number})["shownText"])
        self.ask("POST", "/api/v1/auth/sms/verify-otp", {"phone": number, "otp": code})
        self._renew()

    def _renew(self) -> None:
        self._csrf = self.ask("GET", "/api/v1/auth/csrf")["csrfToken"]

    def upload(self, data: bytes) -> Any:
        body, media_type = factories.multipart(data, "../../etc/passwd; rm -rf.jpg", {})
        return json.loads(self.send("POST", "/api/v1/transformations/upload", body, media_type)[0])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        return json.loads(self.send(method, path, data, "application/json")[0])

    def send(self, method: str, path: str, body: bytes | None = None, media_type: str = "") -> tuple[bytes, int]:
        """The body of the answer, and the length it said."""
        request = urllib.request.Request(self._url + path, data=body, method=method)
        request.add_header("X-CSRFToken", self._csrf)
        if media_type:
            request.add_header("Content-Type", media_type)
        with self._opener.open(request, timeout=30) as answer:
            return answer.read(), int(answer.headers.get("Content-Length") or 0)
