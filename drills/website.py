"""The web server of a site, and people who talk to it without a browser: whole, in part, or breaking off."""

import http.client
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from flask import Flask

from pixshift.cli.operations import web_command
from pixshift.extensions import db
from pixshift.services import sessions
from pixshift.settings import load_settings
from tests import servers
from tests.sites import Site


@dataclass(frozen=True)
class Website:
    """`granian` as `flask up` starts it, for the database, queue and store of a site."""

    port: int

    def ask(self, path: str, token: str = "", method: str = "GET", **headers: str) -> tuple[int, bytes]:
        """Status and body; http.client.IncompleteRead when it ends too early."""
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, headers={"Cookie": f"session={token}"} | own)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def break_off(self, path: str, token: str) -> None:
        """Begin a GET, see its first bytes, and reset the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line:
            head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: session={token}\r\n\r\n"
            line.sendall(head.encode())
            assert line.recv(100).startswith(b"HTTP/1.1 200")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def is_up(self) -> bool:
        try:
            return self.ask("/healthz")[0] == 200
        except OSError:
            return False


@contextmanager
def website(site: Site) -> Iterator[Website]:
    """Running when it yields, stopped afterwards."""
    web = Website(servers.free_port())
    command = web_command(load_settings(site.env | {"PORT": str(web.port)}))
    inherited = {name: os.environ[name] for name in servers.INHERITED if name in os.environ}
    with (site.folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=servers.ROOT, env=inherited | site.env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        servers.wait_until(web.is_up, 30, "the web server")
        yield web
    finally:
        servers.end(process)


def signed_in(app: Flask, person: UUID) -> str:
    """The token of a new session."""
    with app.app_context():
        token = sessions.start(app.extensions["toolbox"], person, None)
        db.session.commit()
    return token
