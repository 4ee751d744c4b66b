"""Requests as no browser sends them, byte for byte, with the status that must answer them."""

import socket


def ask(port: int, raw: bytes, more: bytes = b"") -> bytes:
    """Everything the server says to these bytes, until it closes; the request asks it to."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(raw)
        said = b""
        try:
            connection.sendall(more)
            while chunk := connection.recv(65536):
                said += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return said


def request(line: str, *headers: str, body: bytes = b"", host: str = "Host: x\r\n") -> bytes:
    head = "".join(f"{header}\r\n" for header in ("Connection: close", *headers))
    return f"{line} HTTP/1.1\r\n{host}{head}\r\n".encode("latin-1") + body


LOGIN = "Content-Type: application/x-www-form-urlencoded"
REFUSED_BY_THE_SERVER = {
    "101 headers": (request("GET /healthz", *["A: b"] * 101), 431),
    "headers of 200 kB": (request("GET /healthz", "A: " + "b" * 200_000), 431),
    "an address of 70 kB": (request("GET /" + "x" * 65_600), 414),
    "two lengths": (request("POST /login", "Content-Length: 3", "Content-Length: 4", body=b"abcd"), 400),
    "a negative length": (request("POST /login", "Content-Length: -3"), 400),
    "a signed length": (request("POST /login", "Content-Length: +3", body=b"abc"), 400),
    "an endless length": (request("POST /login", "Content-Length: 99999999999999999999999"), 400),
    "an unknown encoding": (request("POST /login", "Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 400),
    "a space before the colon": (request("POST /login", "Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
    "a header over two lines": (request("GET /healthz", "A: b\r\n c"), 400),
    "NUL in a header": (request("GET /healthz", "A: b\0c"), 400),
    "brackets in a header's name": (request("GET /healthz", "A(b): c"), 400),
    "raw bytes in the path": (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "a TLS greeting": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", 400),
}

ODD_BUT_SOUND = {
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    "a whole address": (request("GET http://other.example/healthz"), 200),
    "two hosts": (request("GET /login", "Host: y"), 200),
    "no host": (request("GET /login", host=""), 200),
    "a host that is none": (request("GET /login", host="Host: \xff\r\n"), 200),
    "a host left open": (request("GET /login", host="Host: [::1\r\n"), 200),
    "NUL and no UTF-8 in the path": (request("GET /%00%ff"), 404),
    "an unknown method": (request("FROB /"), 405),
    "the star": (request("OPTIONS *"), 404),
    "cookies of odd bytes": (request("GET /login", "Cookie: session=\xff\xfe; flow=\xff"), 200),
    "a caller who waits to be asked for the body": (
        request("POST /login", LOGIN, "Expect: 100-continue", "Content-Length: 3", body=b"a=b"),
        403,
    ),
    "a broken chunk": (request("POST /login", LOGIN, "Transfer-Encoding: chunked", body=b"zz\r\n"), 403),
    "ninety cookies": (request("GET /login", *[f"Cookie: c{number}=x" for number in range(90)]), 200),
}


# Larger than what the server takes in: it answers and closes, and whoever still sends may lose the answer with that.
MAY_BE_CUT = {"headers of 200 kB", "an address of 70 kB"}


def is_refused(port: int, name: str) -> bool:
    """Whether the server refuses this request as it should."""
    raw, status = REFUSED_BY_THE_SERVER[name]
    return status_of(ask(port, raw)) in ({status, 0} if name in MAY_BE_CUT else {status})


def status_of(said: bytes) -> int:
    """The status of an answer, after the line that asks for the body; 0 when there is none."""
    line = said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")[:12].split()
    return int(line[1]) if len(line) == 2 else 0
