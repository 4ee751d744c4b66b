"""Who holds a thread of the web server and for how long: nobody who went away, nobody who moves nothing."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixshift.blueprints import places, stalled
from pixshift.blueprints.stalled import Watch
from tests import servers
from tests.integration.conftest import MakeApp
from tests.odd_requests import LOGIN, ask, request, status_of

Pair = tuple[socket.socket, socket.socket]


class Site:
    """A port, connections to it, and a clock that is set by hand."""

    def __init__(self, stack: contextlib.ExitStack, family: socket.AddressFamily = socket.AF_INET) -> None:
        host = "127.0.0.1" if family is socket.AF_INET else "::1"
        self._stack, self.now = stack, 1000.0
        self._listener = stack.enter_context(socket.create_server((host, 0), family=family))
        self.watch = Watch(self._listener.getsockname()[1], lambda: self.now)

    def connect(self) -> Pair:
        """The client's end and ours."""
        client = self._stack.enter_context(socket.create_connection(self._listener.getsockname()[:2], timeout=5))
        ours, _ = self._listener.accept()
        ours.settimeout(5)
        return client, self._stack.enter_context(ours)

    def wait_and_look(self, seconds: float) -> int:
        self.now += seconds
        return self.watch.look()


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        yield Site(stack, request.param)


def send(by: socket.socket, to: socket.socket, size: int) -> None:
    """All of it has come when this returns."""
    sending = threading.Thread(target=by.sendall, args=(b"x" * size,))
    sending.start()
    while size > 0:
        size -= len(to.recv(65536))
    sending.join()


def test_a_connection_on_which_nothing_moves_is_closed_after_a_minute(site: Site) -> None:
    client, ours = site.connect()
    send(client, ours, 100)
    assert [site.wait_and_look(10) for _ in range(7)] == [0, 0, 0, 0, 0, 0, 1]
    assert (ours.recv(1), client.recv(1)) == (b"", b"")


def test_a_byte_a_second_is_not_enough(site: Site) -> None:
    client, ours = site.connect()
    for _ in range(6):
        assert site.wait_and_look(10) == 0
        send(client, ours, 10)
    assert site.wait_and_look(10) == 1


def test_who_sends_something_sizeable_is_waited_for(site: Site) -> None:
    client, ours = site.connect()
    for _ in range(12):
        assert site.wait_and_look(30) == 0
        send(client, ours, stalled.LEAST_BYTES // 2)


def test_who_takes_something_is_waited_for(site: Site) -> None:
    client, ours = site.connect()
    for _ in range(4):
        assert site.wait_and_look(50) == 0
        send(ours, client, 1)


def test_other_sockets_of_the_process_are_left_alone(site: Site) -> None:
    with contextlib.ExitStack() as stack:
        other = Site(stack)
        client, ours = other.connect()
        left, right = socket.socketpair()
        site.watch.look()
        assert site.wait_and_look(61) == 0
        for connection in (left, right):
            connection.close()
        send(client, ours, 1)


def test_what_ended_meanwhile_is_forgotten(site: Site) -> None:
    client, ours = site.connect()
    site.watch.look()
    for connection in (client, ours):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert site.wait_and_look(61) == 0


def test_only_one_watch_is_kept_by_a_process(make_app: MakeApp, sqlite_url: str) -> None:
    waiting = places.of(make_app(DATABASE_URL=sqlite_url))
    before = threading.active_count()
    for _ in range(3):
        waiting.watch(1)
    assert threading.active_count() <= before + 1


def test_the_places_of_those_who_went_away_are_given_back(tmp_path: Path) -> None:
    """As many half-sent forms as one address has places, closed, reset or half closed: then forms are taken again."""
    half = request("POST /login", LOGIN, "Content-Length: 60000", body=b"a=").replace(b"Connection: close\r\n", b"")
    form = request("POST /login", LOGIN, "Content-Length: 1", body=b"a")
    with servers.product(tmp_path, {}) as product, contextlib.ExitStack() as stack:
        port = int(product.url.rpartition(":")[2])
        callers: list[socket.socket] = []

        def come() -> None:
            callers.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5)))
            callers[-1].sendall(half)

        def is_full() -> bool:
            come()  # whoever asks takes a place for a moment, which somebody of the crowd did not get
            return b"Too many at once" in ask(port, form)

        for _ in range(places.EACH_ADDRESS):
            come()
        servers.wait_until(is_full, timeout=30, what="the last place")
        for number, caller in enumerate(callers):
            if number % 3 == 0:
                caller.shutdown(socket.SHUT_WR)
                continue
            if number % 3 == 1:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            caller.close()
        servers.wait_until(lambda: b"Too many at once" not in ask(port, form), what="a free place")
        servers.wait_until(lambda: status_of(ask(port, form)) == 403, what="a place and a free call")
