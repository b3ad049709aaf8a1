#!/usr/bin/env python3
"""Malformed and hostile HTTP from a raw socket: refused with the right status, connection
closed, nothing passed on to a provider, and the next caller served as if nothing had been.

Run: test/e2e/hostile_http_test.py
"""

from __future__ import annotations

import re
import socket
import sys

from fake import MODEL, PROVIDER, FakeProvider
from harness import Checks, Home, Server

ANSWER_SECONDS_MAX = 5.0
HEAD_BYTES_HUGE = 1 << 20
HIDDEN = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"


def post(*lines: bytes, body: bytes = b"", path: bytes = b"/v1/chat/completions") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def get(path: bytes, *lines: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked"

# name, bytes, the statuses that are right
CASES: list[tuple[str, bytes, set[int]]] = [
    ("both lengths", post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + HIDDEN), {400}),
    ("both lengths, the other way round", post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN), {400}),
    ("two different lengths", post(b"Content-Length: 3", b"Content-Length: 39", body=b"{}\n" + HIDDEN), {400}),
    ("two lengths in one line", post(b"Content-Length: 3, 39", body=b"{}\n" + HIDDEN), {400}),
    ("a signed length", post(b"Content-Length: +3", body=b"{}\n"), {400}),
    ("a negative length", post(b"Content-Length: -1", body=b"{}\n"), {400}),
    ("a length in hex", post(b"Content-Length: 0x3", body=b"{}\n"), {400}),
    ("a length beyond 64 bits", post(b"Content-Length: 99999999999999999999999", body=b"{}"), {400, 413}),
    ("a length beyond the bound", post(b"Content-Length: 9999999999999", body=b"{}"), {413}),
    ("an empty length", post(b"Content-Length: ", body=b"{}"), {400}),
    ("chunked twice", post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), {400}),
    ("chunked in disguise", post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + HIDDEN), {400, 501}),
    ("chunked with a tab", post(b"Transfer-Encoding:\tchunked, identity", body=b"0\r\n\r\n" + HIDDEN), {400, 501}),
    ("gzip, then chunked", post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), {400, 501}),
    ("a space before the colon", post(b"Content-Length : 3", body=b"{}\n"), {400}),
    ("a folded line", post(b"Content-Length: 3\r\n Transfer-Encoding: chunked", body=b"{}\n"), {400}),
    ("a bare line feed", b"POST /v1/chat/completions HTTP/1.1\nHost: x\nContent-Length: 3\n\n{}\n", {400}),
    ("a bare carriage return", post(b"X: a\rTransfer-Encoding: chunked", b"Content-Length: 3", body=b"{}\n"), {400}),
    ("a NUL in a value", post(b"X: a\0b", b"Content-Length: 3", body=b"{}\n"), {400}),
    ("a name that is no token", post(b"X Y: a", b"Content-Length: 3", body=b"{}\n"), {400}),
    ("a chunk size that is none", post(CHUNKED, body=b"zz\r\n{}\r\n0\r\n\r\n"), {400}),
    ("a chunk size beyond 64 bits", post(CHUNKED, body=b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), {400, 413}),
    ("a chunk that is longer than said", post(CHUNKED, body=b"1\r\n{}\r\n0\r\n\r\n"), {400}),
    ("a chunk line with a bare line feed", post(CHUNKED, body=b"2\n{}\n0\n\n"), {400}),
    ("no host", b"GET /v1/models HTTP/1.1\r\n\r\n", {400}),
    ("two hosts", get(b"/v1/models", b"Host: y"), {400}),
    (
        "HTTP/1.0 with chunked",
        b"POST /v1/chat/completions HTTP/1.0\r\nHost: x\r\n" + CHUNKED + b"\r\n\r\n0\r\n\r\n",
        {400},
    ),
    ("HTTP/3.0", b"GET /v1/models HTTP/3.0\r\nHost: x\r\n\r\n", {400, 505}),
    ("no version", b"GET /v1/models\r\n\r\n", {400}),
    ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200 + b"\r\n\r\n", {400}),
    ("two spaces in the request line", b"GET  /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("a huge head", get(b"/v1/models", b"X: " + b"a" * HEAD_BYTES_HUGE), {400, 431}),
    ("a huge target", get(b"/v1/models/" + b"a" * HEAD_BYTES_HUGE), {400, 414, 431}),
    ("a thousand headers", get(b"/v1/models", *(b"X-%d: a" % number for number in range(1000))), {400, 431}),
    ("CONNECT", b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", {400, 404, 405, 501}),
]

# The bytes are proper HTTP, so the connection may live on: they ask to close it.
TARGETS: list[tuple[str, bytes, set[int]]] = [
    ("dots in the path", get(b"/v1/../v1/models"), {400}),
    ("encoded dots in the path", get(b"/v1/%2e%2e/v1/models"), {400}),
    ("double slashes in the path", get(b"//v1/models"), {400}),
    ("a backslash in the path", get(b"/v1\\models"), {400}),
    ("an encoded NUL in the path", get(b"/v1/models/%00"), {400}),
    ("a broken escape in the path", get(b"/v1/models/%zz"), {400}),
    ("another host as target", b"GET http://example.com/v1/models HTTP/1.1\r\nHost: x\r\n\r\n", {400, 401, 404, 421}),
    ("TRACE", b"TRACE /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", {400, 401, 404, 405}),
]


class Caller:
    """A raw connection."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_SECONDS_MAX)

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # Refused before all of it was sent; the answer is there to be read.

    def receive_all(self) -> tuple[bytes, bool]:
        """What comes until the server closes, and whether it did."""
        received = b""
        while True:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                return received, True
            except TimeoutError:
                return received, False
            if not piece:
                return received, True
            received += piece


# At the start or behind a body; an error's own words may speak of HTTP/1.1 too.
STATUS_LINE = re.compile(rb"(?:\A|[}\n])HTTP/1\.1 \d{3} ")


def refuses(checks: Checks, server: Server, key: str, name: str, data: bytes, right: set[int]) -> None:
    """With a good key, so that it is refused for what it is and not for who sends it."""
    caller = Caller(server)
    caller.send(data.replace(b"Host: x\r\n", b"Host: x\r\nAuthorization: Bearer " + key.encode() + b"\r\n", 1))
    received, closed = caller.receive_all()
    caller.socket.close()
    status = int(received[9:12]) if received.startswith(b"HTTP/1.") and received[9:12].isdigit() else 0
    checks.check(f"{name} is refused", status in right, (status, received[:200]))
    checks.check(f"{name}: the connection is closed", closed, "it is still open")
    checks.equal(f"{name}: there is one answer only", len(STATUS_LINE.findall(received)), 1)


def request(key: str, body: bytes, *more: bytes) -> bytes:
    return post(b"Authorization: Bearer " + key.encode(), b"Content-Length: %d" % len(body), *more, body=body)


def proper_callers_are_served(checks: Checks, server: Server, key: str) -> None:
    """What looks odd and is right: split into single bytes, pipelined, chunked, Expect."""
    body = b'{"model": "%s", "max_tokens": 4, "messages": [{"role": "user", "content": "x"}]}' % MODEL.encode()
    close = b"Connection: close"
    last = request(key, body, close)

    caller = Caller(server)
    for position in range(len(last)):
        caller.send(last[position : position + 1])
    checks.matches("a request in single bytes is answered", caller.receive_all()[0].decode(), r"^HTTP/1.1 200")

    caller = Caller(server)
    caller.send(request(key, body) * 2 + last)
    received, _ = caller.receive_all()
    checks.equal("three requests in one piece are answered in turn", received.count(b"HTTP/1.1 200"), 3)

    caller = Caller(server)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7))
    caller.send(post(b"Authorization: Bearer " + key.encode(), CHUNKED, close, body=chunks + b"0\r\n\r\n"))
    checks.matches("a chunked request is answered", caller.receive_all()[0].decode(), r"^HTTP/1.1 200")

    caller = Caller(server)
    caller.send(last[: -len(body)].replace(close, close + b"\r\nExpect: 100-continue"))
    first = caller.socket.recv(65536)
    caller.send(body)
    received = first + caller.receive_all()[0]
    continued = received.startswith(b"HTTP/1.1 100") and b"HTTP/1.1 200" in received
    checks.check("Expect: 100-continue is continued", continued, received[:200])


def bad_bodies(checks: Checks, server: Server, key: str) -> None:
    def status(body: bytes) -> int:
        return server.call("POST", "/v1/chat/completions", body, key)[0]

    message = b'"messages": [{"role": "user", "content": "x"}]'
    model = b'"model": "%s"' % MODEL.encode()
    for name, body, right in (
        ("no JSON", b"hello", {400}),
        ("an empty body", b"", {400}),
        ("an array", b"[]", {400}),
        ("JSON that ends too early", b'{"model": "x", "messages": [', {400}),
        ("no model", b"{" + message + b"}", {400}),
        ("a repeated key", b"{" + model + b"," + model + b"," + message + b"}", {400}),
        ("a repeated key that is escaped", b"{" + model + b', "mode\\u006c": "y",' + message + b"}", {400}),
        (
            "a repeated key deep inside",
            b"{" + model + b',"messages": [{"role": "user", "role": "system", "content": "x"}]}',
            {400},
        ),
        ("broken UTF-8", b"{" + model + b',"messages": [{"role": "user", "content": "\xff\xfe"}]}', {400}),
        ("nested too deeply", b"{" + model + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {400, 413}),
        ("max_tokens below zero", b"{" + model + b', "max_tokens": -5,' + message + b"}", {400}),
        (
            "max_tokens beyond all numbers",
            b"{" + model + b', "max_tokens": 99999999999999999999,' + message + b"}",
            {400},
        ),
        ("max_tokens as text", b"{" + model + b', "max_tokens": "many",' + message + b"}", {400}),
        ("n of a million", b"{" + model + b', "n": 1000000,' + message + b"}", {400}),
        ("stream as text", b"{" + model + b', "stream": "yes",' + message + b"}", {400}),
        ("a body of 64 MiB", b"{" + model + b', "x": "' + b"a" * (64 << 20) + b'",' + message + b"}", {413}),
    ):
        try:
            seen = status(body)
        except (BrokenPipeError, ConnectionResetError):
            seen = 413 if len(body) > (8 << 20) else 0  # Closed while we were still sending.
        checks.check(f"body: {name} is refused", seen in right, seen)


def main() -> int:
    checks = Checks("hostile-http")
    with checks.story("a server"), FakeProvider() as fake, Home() as home:
        home.init()
        with Server(home) as server:
            home.do("owner", "add", "alice")
            home.do("app", "add", "notes")
            home.add_credential("alice", PROVIDER, fake.base_url, "sk-fake-hostile-0123456789abcdef")
            key = home.create_key("alice", "notes")
            before = fake.bill()["requests"]
            for name, data, right in CASES:
                with checks.story(name):
                    refuses(checks, server, key, name, data, right)
            for name, data, right in TARGETS:
                with checks.story(name):
                    closing = data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
                    refuses(checks, server, key, name, closing, right)
            with checks.story("bodies"):
                bad_bodies(checks, server, key)
            checks.equal("none of this reached the provider", fake.bill()["requests"], before)
            with checks.story("proper callers"):
                proper_callers_are_served(checks, server, key)
            status, _, answer = server.chat(key, MODEL, max_tokens=4)
            checks.check("the server is alive and well", status == 200, answer)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
