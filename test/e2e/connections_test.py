#!/usr/bin/env python3
"""Connections as they come: TLS, slow callers, ten thousand at once, and a server that is
stopped while it answers.

Run: test/e2e/connections_test.py   (needs openssl)
"""

from __future__ import annotations

import contextlib
import http.client
import pathlib
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator

from fake import MODEL, PROVIDER, FakeProvider
from harness import Checks, Home, Server, Skip

CONNECTIONS = 10_000
STREAMS = 50
ANSWER_SECONDS_MAX = 10.0


def make_certificate(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
         "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def set_config(home: Home, **settings: str) -> None:
    """Replaces commented defaults of claviger.toml: name=value as it stands there."""
    path = home.path / "claviger.toml"
    lines = path.read_text().splitlines()
    for name, value in settings.items():
        places = [i for i, line in enumerate(lines) if line.startswith(f"# {name} = ")]
        if len(places) != 1:
            raise AssertionError(f"claviger.toml has no single `# {name} = …`")
        lines[places[0]] = f"{name} = {value}"
    path.write_text("\n".join(lines) + "\n")


class SecureServer(Server):
    """The same, called over TLS with a certificate that is checked."""

    certificate: pathlib.Path

    def connect(self) -> http.client.HTTPConnection:
        trust = ssl.create_default_context(cafile=str(self.certificate))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=trust)


def furnish(home: Home, fake: FakeProvider) -> str:
    """Somebody with a key at the fake provider, and an application with a key of ours."""
    home.do("owner", "add", "alice")
    home.do("app", "add", "notes")
    home.add_credential("alice", PROVIDER, fake.base_url, "sk-planted-0123456789")
    return home.create_key("alice", "notes")


@contextlib.contextmanager
def served(fake: FakeProvider, **settings: str) -> Iterator[tuple[Home, Server, str]]:
    with Home() as home:
        home.init()
        set_config(home, **settings)
        with Server(home) as server:
            yield home, server, furnish(home, fake)


def tls(checks: Checks) -> None:
    with Home() as home, FakeProvider() as fake:
        home.init()
        certificate, key_file = make_certificate(home.folder)
        set_config(home, tls_certificate=f'"{certificate}"', tls_key=f'"{key_file}"')
        SecureServer.certificate = certificate
        with SecureServer(home) as server:
            key = furnish(home, fake)
            status, headers, answer = server.chat(key, MODEL, max_tokens=10)
            checks.equal("an answer over TLS", status, 200)
            checks.check("with its cost", "x-claviger-cost" in headers and answer["usage"]["cost"] > 0, headers)
            connection, stream = server.open_stream(key, MODEL, max_tokens=10)
            checks.check("a stream over TLS ends with its end", stream.read().rstrip().endswith(b"data: [DONE]"))
            connection.close()
            with socket.create_connection(("127.0.0.1", server.port), ANSWER_SECONDS_MAX) as plain:
                plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                checks.check("plain HTTP gets no answer there", b" 200 " not in first_line(plain))
            checks.equal("and the next caller is served", server.call("GET", "/healthz")[0], 200)


def first_line(connection: socket.socket) -> bytes:
    connection.settimeout(ANSWER_SECONDS_MAX)
    with contextlib.suppress(OSError):
        return connection.recv(4096).split(b"\r\n", 1)[0]
    return b""


def slow_callers(checks: Checks) -> None:
    limits = {"head_seconds_max": "1", "body_seconds_max": "1", "keep_alive_seconds_max": "2"}
    with FakeProvider() as fake, served(fake, **limits) as (_, server, key):
        address = ("127.0.0.1", server.port)
        began = time.monotonic()
        with socket.create_connection(address) as slow:
            slow.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            checks.check("a head that does not end: 408", b" 408 " in first_line(slow))
        checks.check("within its time", time.monotonic() - began < 5, time.monotonic() - began)
        with socket.create_connection(address) as slow:
            slow.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key.encode()
                + b"\r\nContent-Length: 100\r\n\r\n{"
            )  # fmt: skip
            checks.check("a body that does not end: 408", b" 408 " in first_line(slow))
        with socket.create_connection(address) as silent:
            checks.equal("a connection without a request is closed without a word", first_line(silent), b"")
        checks.equal("nothing was asked of the provider", fake.bill()["cost_nanos"], 0)
        checks.equal("and the next caller is served", server.chat(key, MODEL, max_tokens=5)[0], 200)


def resident_mb(pid: int) -> float:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS:"))


def with_many_descriptors() -> None:
    wanted = CONNECTIONS + 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Skip(f"{CONNECTIONS} connections need {wanted} descriptors, and the hard limit here is {hard}")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def many(checks: Checks) -> None:
    """Ten thousand callers who are there and ask now and then."""
    with_many_descriptors()
    with FakeProvider() as fake, served(fake) as (_, server, key), contextlib.ExitStack() as stack:
        request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        before = resident_mb(server.pid)
        open_ones = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), ANSWER_SECONDS_MAX))
            for _ in range(CONNECTIONS)
        ]
        for one in open_ones:
            one.sendall(request)
        statuses = [first_line(one) for one in open_ones]
        checks.equal(
            f"{CONNECTIONS} callers at once are answered", statuses.count(b"HTTP/1.1 200 OK"), CONNECTIONS
        )
        per_connection = (resident_mb(server.pid) - before) * 1024 / CONNECTIONS
        checks.check("each costs less than 8 KiB while it waits", per_connection < 8, f"{per_connection:.1f} KiB")
        checks.equal("another one gets its answer", server.chat(key, MODEL, max_tokens=5)[0], 200)
        for one in open_ones:
            one.sendall(request)
        statuses = [first_line(one) for one in open_ones]
        checks.equal("and all of them may ask again", statuses.count(b"HTTP/1.1 200 OK"), CONNECTIONS)
    # Leaving the stack closed them all; the server ended gracefully behind them.


def drain(checks: Checks) -> None:
    """SIGTERM while streams are open: they end as they should, and nobody new comes in."""
    with FakeProvider() as fake, served(fake) as (home, server, key):
        budget = home.set_budget("owner:alice", "5.00")
        fake.behave(delay_ms_between_events=40)
        connections = [server.open_stream(key, MODEL, max_tokens=40) for _ in range(STREAMS)]
        with socket.create_connection(("127.0.0.1", server.port), ANSWER_SECONDS_MAX) as idle:
            server.process.send_signal(signal.SIGTERM)
            checks.equal("a caller who waits is let go", first_line(idle), b"")
        time.sleep(0.2)
        refused = False
        try:
            refused = server.call("GET", "/v1/models", key=key)[0] == 503
        except OSError:
            refused = True
        checks.check("nobody new is let in", refused)
        whole = 0
        for connection, stream in connections:
            whole += stream.read().rstrip().endswith(b"data: [DONE]")
            connection.close()
        checks.equal(f"{STREAMS} open streams come to their end", whole, STREAMS)
        status = server.process.wait(ANSWER_SECONDS_MAX)
        checks.equal("then the server ends, with status 0", status, 0)
        billed = fake.bill()["cost_nanos"]
        server.start()
        balance = home.balance(budget)
        checks.equal("what was spent is what was billed", balance["spent"], billed)
        checks.equal("and nothing is left in doubt", (balance["held"], balance["unconfirmed"]), (0, 0))


def main() -> int:
    checks = Checks("connections")
    for story in (tls, slow_callers, many, drain):
        with checks.story(story.__name__):
            story(checks)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
