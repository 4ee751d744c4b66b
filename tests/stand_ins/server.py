"""What every stand-in of a vendor shares: a threaded HTTP server on loopback, moods in a queue, requests on record."""

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Recorded:
    """One request as it came in; ``mood`` is how it was answered."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    mood: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Call:
    """That there was a call: kept of every one, however many. ``at`` is of ``time.monotonic``."""

    at: float
    path: str
    mood: str


class StandIn:
    """A vendor at the wire. ``mood`` is how it answers.

    Moods that are pushed come first, one for each request; then ``choose`` is asked, with the path.
    """

    keep = 500  # requests remembered

    def __init__(self, mood: str = "ok", port: int = 0) -> None:
        self.mood = mood
        self.requests: deque[Recorded] = deque(maxlen=self.keep)
        self.timeline: list[Call] = []
        self.choose: Callable[[str], str] | None = None
        self.in_flight = 0
        self.most_in_flight = 0
        self.stopping = threading.Event()
        self._moods: deque[str] = deque()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self._handler())
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def calls(self) -> int:
        return len(self.timeline)

    def answer(self, exchange: "Exchange", mood: str) -> None:
        """Answer one request; each vendor writes this."""
        raise NotImplementedError

    def counts(self, exchange: "Exchange") -> bool:
        """Whether this request is one of those that moods, ``calls`` and ``requests`` are about."""
        return True

    def push(self, *moods: str) -> None:
        with self._lock:
            self._moods.extend(moods)

    def reset(self, mood: str = "ok") -> None:
        with self._lock:
            self._moods.clear()
            self.requests.clear()
            self.timeline.clear()
            self.mood, self.choose, self.most_in_flight = mood, None, 0

    def start(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """End every wait and every connection at once."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def handle(self, exchange: "Exchange") -> None:
        if not self.counts(exchange):
            self.answer(exchange, self.mood)
            return
        with self._lock:
            mood = self._next_mood(exchange.path)
            headers = {name.lower(): value for name, value in exchange.headers.items()}
            self.requests.append(Recorded(exchange.command, exchange.path, headers, exchange.body, mood))
            self.timeline.append(Call(time.monotonic(), exchange.path, mood))
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            self.answer(exchange, mood)
        finally:
            with self._lock:
                self.in_flight -= 1

    def _next_mood(self, path: str) -> str:
        if self._moods:
            return self._moods.popleft()
        return self.choose(path) if self.choose else self.mood

    def _handler(self) -> type["Exchange"]:
        return type("BoundExchange", (Exchange,), {"stand_in": self})


class _Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is what many moods are about."""


class Exchange(BaseHTTPRequestHandler):
    """One connection; ``body`` is the current request's."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stand_in: StandIn
    body: bytes

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.stand_in.handle(self)

    do_GET = do_POST
    do_DELETE = do_POST

    def reply(self, status: int, content: bytes, media_type: str = "application/json", **headers: str) -> None:
        self.head(status, len(content), media_type, **headers)
        self.wfile.write(content)

    def reply_json(self, status: int, value: Any, **headers: str) -> None:
        self.reply(status, json.dumps(value).encode(), "application/json; charset=UTF-8", **headers)

    def head(self, status: int, length: int | None, media_type: str = "application/json", **headers: str) -> None:
        """Without a ``length`` the body comes in chunks."""
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def drip(self, content: bytes, seconds: float = 1.0) -> None:
        """One byte every ``seconds``, of a body whose head was sent or of an answer from its first byte."""
        for start in range(len(content)):
            if self.stand_in.stopping.wait(seconds):
                return
            self.wfile.write(content[start : start + 1])

    def chunk(self, content: bytes) -> None:
        """One chunk of a body whose head says ``Transfer-Encoding: chunked``."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def hang(self, seconds: float | None = None) -> None:
        self.stand_in.stopping.wait(seconds)

    def cut(self) -> None:
        """Reset the connection in the middle of nowhere."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        pass
