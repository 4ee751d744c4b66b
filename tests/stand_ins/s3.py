"""S3 at the wire: moto on loopback, and a server in front of it that breaks what passes through."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from pydantic import SecretStr
from werkzeug.serving import make_server

from pixshift.gateways.storage import S3Storage
from pixshift.settings_sections import Storage
from tests.stand_ins.server import Exchange, StandIn

KEY, SECRET, REGION, BUCKET = "key-of-the-tests", "secret-of-the-tests", "eu-central-1", "pictures"
REFUSALS = {
    "error": (500, "InternalError"),
    "slow down": (503, "SlowDown"),
    "wrong key": (403, "InvalidAccessKeyId"),
    "wrong secret": (403, "SignatureDoesNotMatch"),
    "wrong clock": (403, "RequestTimeTooSkewed"),
}
FAULTS = (*REFUSALS, "hang", "cut", "html")


@dataclass
class Bucket:
    """A bucket of moto's own, empty at first."""

    url: str

    @property
    def client(self) -> Any:
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
        return boto3.client("s3", endpoint_url=self.url, region_name=REGION, **keys)

    @property
    def environ(self) -> dict[str, str]:
        """What makes the product store here."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_S3_BUCKET": BUCKET,
            "AWS_ENDPOINT_URL_S3": self.url,
        }

    def settings(self, bucket: str = BUCKET) -> Storage:
        return storage_settings(self.url, bucket)

    def storage(self) -> S3Storage:
        return S3Storage(self.settings())

    def keys(self) -> list[str]:
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]

    def make_older(self, span: timedelta) -> None:
        """As if everything in it had been stored that much earlier."""
        for account in s3_backends.values():
            for backend in account.values():
                for key in backend.buckets[BUCKET].keys.values() if BUCKET in backend.buckets else ():
                    key.last_modified -= span


def storage_settings(endpoint: str | None, bucket: str = BUCKET) -> Storage:
    secret = SecretStr(SECRET)
    return Storage(bucket=bucket, region=REGION, access_key_id=KEY, secret_access_key=secret, endpoint=endpoint)


@contextmanager
def moto() -> Iterator[str]:
    """The server; yields its URL. One request at a time: moto falls over two of them on one key."""
    app, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def one_at_a_time(environ: Any, start_response: Any) -> Any:
        with turn:
            return app(environ, start_response)

    server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def bucket(url: str) -> Iterator[Bucket]:
    """One bucket on a server, emptied and dropped afterwards."""
    made = Bucket(url)
    client = made.client
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    try:
        yield made
    finally:
        for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=item["Key"])
        client.delete_bucket(Bucket=BUCKET)
        client.close()


class FaultyS3(StandIn):
    """Passes everything on to ``behind``; moods are FAULTS, "slow", and "cut body", which ends a GET half-way."""

    def __init__(self, behind: str, mood: str = "ok", port: int = 0) -> None:
        self._behind = urlsplit(behind).netloc
        super().__init__(mood, port)

    def _handler(self) -> type[Exchange]:
        return type("BoundS3Exchange", (_S3Exchange,), {"stand_in": self})

    def answer(self, exchange: Exchange, mood: str) -> None:
        if mood in REFUSALS:
            status, code = REFUSALS[mood]
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
            exchange.reply(status, b"" if exchange.command == "HEAD" else text.encode(), "application/xml")
        elif mood == "html":
            exchange.reply(200, b"<!doctype html><p>Welcome to the hotel's network", "text/html")
        elif mood == "cut":
            exchange.cut()
        elif mood == "hang":
            exchange.hang()
        else:
            if mood == "slow":
                exchange.hang(0.5)
            self._pass_on(exchange, is_cut=mood == "cut body" and exchange.command == "GET")

    def _pass_on(self, exchange: Exchange, *, is_cut: bool) -> None:
        behind = http.client.HTTPConnection(self._behind, timeout=10)
        headers = {name: value for name, value in exchange.headers.items() if name.lower() != "expect"}
        behind.request(exchange.command, exchange.path, exchange.body or None, headers)
        answer = behind.getresponse()
        body = answer.read()
        exchange.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "date", "server", "transfer-encoding", "content-length"):
                exchange.send_header(name, value)
        length = answer.getheader("Content-Length") if exchange.command == "HEAD" else len(body)
        exchange.send_header("Content-Length", str(length))
        exchange.end_headers()
        behind.close()
        if is_cut:
            exchange.wfile.write(body[: len(body) // 2])
            exchange.wfile.flush()
            exchange.cut()
        else:
            exchange.wfile.write(body)


class _S3Exchange(Exchange):
    """Any method; everything has its length, as our client sends it."""

    do_PUT = do_HEAD = do_DELETE = Exchange.do_POST
