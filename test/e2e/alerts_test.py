#!/usr/bin/env python3
"""Warnings reach people: by signed webhook, by mail, in headers, as live events; once for each
thing, under one id, also when the server is killed between finding and delivering.

Run: test/e2e/alerts_test.py
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time
from typing import Any, Self

from fake import MODEL, PROVIDER, FakeProvider
from harness import Checks, Home, Server, Skip, wait_until

PROVIDER_KEY = "sk-fake-alerts-0123456789abcdefghijklmnop"
MAIL_PASSWORD = "correct-horse-battery-staple"
PROMPT = "Say hello."  # What harness.Server.chat() asks.
WITHIN_SECONDS = 15.0


class Receiver:
    """A webhook's other end: keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes, str]] = []

    def __enter__(self) -> Self:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body, self.path))
                self.send_response(receiver.status)
                if receiver.status in (301, 302, 307, 308):
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def messages(self, kind: str) -> list[dict[str, Any]]:
        return [m for m in (json.loads(body) for _, body, _ in self.got) if m["type"] == kind]


class MailServer:
    """A real SMTP server with STARTTLS and AUTH (Debian's python3-aiosmtpd), in its own process."""

    PROGRAM = r"""
import json, ssl, sys
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
cert, key, out, user, password = sys.argv[1:6]
class Keep:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        with open(out, "a") as file:
            file.write(json.dumps({"to": envelope.rcpt_tos, "from": envelope.mail_from,
                                   "tls": session.ssl is not None, "login": bool(session.authenticated),
                                   "text": envelope.content.decode()}) + "\n")
        return "250 OK"
def log_in(server, session, envelope, mechanism, data):
    good = data.login == user.encode() and data.password == password.encode()
    return AuthResult(success=good, handled=good)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
class OnAnyPort(Controller):
    def factory(self):
        return SMTP(self.handler, tls_context=context, require_starttls=True,
                    authenticator=log_in, auth_required=True, hostname="localhost")
controller = OnAnyPort(Keep(), hostname="127.0.0.1", port=int(sys.argv[6]))
controller.start()
print("ready", flush=True)
sys.stdin.read()
controller.stop()
"""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.out = folder / "mail.jsonl"

    def __enter__(self) -> Self:
        check = subprocess.run(["/usr/bin/python3", "-c", "import aiosmtpd"], capture_output=True)
        if check.returncode != 0:
            raise Skip("no SMTP server; apt-get install python3-aiosmtpd")
        self.certificate = self.folder / "mail.pem"
        key = self.folder / "mail.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key),
             "-out", str(self.certificate), "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
            check=True, capture_output=True,
        )  # fmt: skip
        self.port = free_port()
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", self.PROGRAM, str(self.certificate), str(key), str(self.out), "claviger",
             MAIL_PASSWORD, str(self.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != "ready":
            raise AssertionError("the SMTP server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def mails(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text().splitlines()] if self.out.is_file() else []


def free_port() -> int:
    """A port that nobody has at this moment: aiosmtpd does not say which one it was given."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As any library of Standard Webhooks would check it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    is_fresh = abs(int(headers["webhook-timestamp"]) - time.time()) < 300
    return is_fresh and hmac.compare_digest(expected, headers["webhook-signature"])


def set_up(home: Home, fake: FakeProvider) -> str:
    home.do("owner", "add", "alice")
    home.do("app", "add", "notes")
    home.add_credential("alice", PROVIDER, fake.base_url, PROVIDER_KEY)
    return home.create_key("alice", "notes")


def write_settings(home: Home, receiver: Receiver, mail: MailServer | None) -> None:
    allowed = [f'"127.0.0.1:{receiver.port}"']
    text = ""
    if mail is not None:
        allowed.append(f'"127.0.0.1:{mail.port}"')
        text = (
            f'[mail]\nhost = "127.0.0.1"\nport = {mail.port}\nuser = "claviger"\npassword_env = "MAIL_PASSWORD"\n'
            f'from = "claviger@example.com"\nca_file = "{mail.certificate}"\n'
        )
    (home.path / "claviger.toml").write_text(f"[egress]\nallow = [{', '.join(allowed)}]\n" + text)


def spend_until(server: Server, key: str, condition: Any) -> tuple[int, dict[str, str]]:
    """Small requests until `condition` of the last answer holds."""
    for _ in range(5000):
        status, headers, _ = server.chat(key, MODEL, max_tokens=16)
        if condition(status, headers):
            return status, headers
    raise AssertionError("the condition never held")


class Stream:
    """Server-sent events as they come."""

    def __init__(self, server: Server, home: Home, last: int | None = None) -> None:
        self.connection = server.connect()
        headers = {"Authorization": f"Bearer {home.admin_key}", "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self.connection.request("GET", "/api/v1/events", headers=headers)
        self.answer = self.connection.getresponse()

    def event(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        while True:
            line = self.answer.readline().decode().rstrip("\n")
            if not line and "data" in fields:
                return fields
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value

    def close(self) -> None:
        self.answer.close()  # It may own the socket.
        self.connection.close()


def thresholds_story(checks: Checks, home: Home, server: Server, receiver: Receiver, key: str, secret: str) -> str:
    budget = home.set_budget("owner:alice", "0.002", "total", "refuse")
    stream = Stream(server, home)
    checks.equal("events can be followed", stream.answer.status, 200)
    _, headers = spend_until(server, key, lambda status, headers: status == 402)
    for kind, percent in (("budget.threshold", 50), ("budget.threshold", 80), ("budget.exhausted", 100)):
        wait_until(
            f"{percent} % is delivered",
            lambda k=kind, p=percent: any(m["data"]["threshold_percent"] == p for m in receiver.messages(k)),
            WITHIN_SECONDS,
        )
    got = [(m["type"], m["data"]["threshold_percent"]) for m in map(json.loads, (b for _, b, _ in receiver.got))]
    time.sleep(3)
    checks.equal("each is delivered once", sorted(set(got)), sorted(got))
    checks.check("every message is signed", all(is_signed(secret, h, b) for h, b, _ in receiver.got), receiver.got)
    message = receiver.messages("budget.threshold")[0]
    checks.equal("it has the documented shape", sorted(message), ["data", "id", "text", "timestamp", "type", "version"])
    checks.equal("and its version", message["version"], 1)
    checks.equal("it names budget and scope", (message["data"]["budget"], message["data"]["scope"]), (budget, "owner:alice"))
    checks.equal("the webhook's id is the message's", {h["webhook-id"] for h, _, _ in receiver.got},
                 {json.loads(b)["id"] for _, b, _ in receiver.got})  # fmt: skip
    event = stream.event()
    checks.equal("a live event has its number and says what", event["event"], "alert")
    checks.check("and the alert itself", json.loads(event["data"])["type"].startswith("budget."), event)
    stream.close()
    resumed = Stream(server, home, last=int(event["id"]))
    following = resumed.event()
    checks.check("after a break it goes on behind the last one", int(following["id"]) == int(event["id"]) + 1, following)
    resumed.close()
    status, headers = wait_until(
        "the header is there",
        lambda: next((x for x in [server.chat(key, MODEL, max_tokens=16)[:2]] if "x-claviger-budget-warning" in x[1]), None),
        WITHIN_SECONDS,
    )
    checks.matches("a header warns while a threshold is passed", headers["x-claviger-budget-warning"], rf"{budget}; used=\d+%; threshold=")
    return message["id"]


def command_line_story(checks: Checks, home: Home, receiver: Receiver, alert: str) -> None:
    rows = home.do("alert", "list", "--json").rows()
    checks.check("alerts are listed", any(row["id"] == alert and row["delivered"] == 1 for row in rows), rows)
    shown = home.do("alert", "show", alert, "--json").json()
    checks.equal("one is shown with its delivery", shown["deliveries"][0]["state"], "delivered")
    checks.matches("and in words", home.do("alert", "show", alert).out, "budget on owner:alice")
    home.do("alert", "ack", alert)
    open_ones = home.do("alert", "list", "--open", "--json").rows()
    checks.check("an acknowledged one is not open", all(row["id"] != alert for row in open_ones), open_ones)
    answer = home.run("alert", "show", "alr_nobody")
    checks.equal("a wrong id is wrong usage", answer.status, 2)
    receiver.status = 307
    before = len(receiver.got)
    answer = home.run("alert", "channel", "test", "chn_1")
    checks.matches("a redirect is said, and not followed", answer.err, "redirects are not followed")
    checks.check("nobody was called at its target", all(path == "/hook" for _, _, path in receiver.got[before:]), receiver.got)
    receiver.status = 200
    checks.equal("a test message is taken", home.run("alert", "channel", "test", "chn_1").status, 0)
    refused = home.do("alert", "channel", "add", "webhook", "--url", "http://127.0.0.1:9/private").found(r"chn_\d+")
    answer = home.run("alert", "channel", "test", refused)
    checks.matches("loopback is reached only where it is allowed", answer.err, r"\[egress\] allow")
    home.do("alert", "channel", "remove", refused)


def crash_story(checks: Checks, home: Home, server: Server, receiver: Receiver, key: str) -> None:
    """Killed between finding and delivering: delivered after the restart, under the same id."""
    receiver.status = 503
    receiver.got.clear()
    home.set_budget("owner:alice", "0.0008", "day", "refuse")
    home.set_budget("owner:alice", "1.00", "total", "refuse")
    spend_until(server, key, lambda status, headers: status == 402)
    tried = wait_until("an attempt is made", lambda: receiver.messages("budget.exhausted"), WITHIN_SECONDS)
    server.kill()
    receiver.got.clear()
    receiver.status = 200
    server.start()
    again = wait_until("it is delivered after the restart", lambda: receiver.messages("budget.exhausted"), 60)
    checks.equal("what a crash left is delivered under the same id", again[0]["id"], tried[0]["id"])
    ids = [row["id"] for row in home.do("alert", "list", "--json", "--last", "1000").rows()]
    checks.equal("and found once", ids.count(tried[0]["id"]), 1)
    time.sleep(3)
    occasions = [(m["type"], m["data"]["budget"], m["data"]["threshold_percent"])
                 for m in (json.loads(b) for _, b, _ in receiver.got) if m["type"].startswith("budget.")]  # fmt: skip
    delivered = [m["id"] for m in (json.loads(b) for _, b, _ in receiver.got)]
    checks.equal("nothing is found a second time", len(set(delivered)), len(set(occasions)))


def mail_story(checks: Checks, home: Home, server: Server, mail: MailServer, key: str) -> None:
    channel = home.do("alert", "channel", "add", "mail", "--to", "ops@example.com", "--owner", "alice").found(r"chn_\d+")
    answer = home.run("alert", "channel", "test", channel)
    checks.equal("a test mail is taken", (answer.status, answer.err), (0, ""))
    seen = mail.mails()[0]
    checks.equal("over TLS, with a login", (seen["tls"], seen["login"]), (True, True))
    checks.equal("to whom, from whom", (seen["to"], seen["from"]), (["ops@example.com"], "claviger@example.com"))
    home.set_budget("owner:alice", "0.0012", "week", "refuse")
    spend_until(server, key, lambda status, headers: "x-claviger-budget-warning" in headers and "per=" not in headers)
    home.set_budget("owner:alice", "0.0005", "month", "refuse")
    wait_until("a warning comes by mail", lambda: len(mail.mails()) > 1, WITHIN_SECONDS)
    text = mail.mails()[1]["text"]
    checks.matches("its subject says what", text, r"Subject: \[Claviger\] The budget on owner:alice")
    checks.matches("it has a stable id", text, r"Message-ID: <alr_[0-9A-Z]{26}@example\.com>")
    nobody = home.do("alert", "channel", "add", "mail", "--to", "nobody@example.com").found(r"chn_\d+")
    checks.matches("an address that is none is said", home.run("alert", "channel", "test", nobody).err, "550")
    home.do("alert", "channel", "remove", nobody)


def secrets_story(checks: Checks, home: Home, receiver: Receiver, secret: str, key: str) -> None:
    said = b"".join(body for _, body, _ in receiver.got)
    for name, needle in (("prompt", PROMPT), ("virtual key", key), ("provider's key", PROVIDER_KEY), ("secret", secret)):
        checks.check(f"no {name} in any message", needle.encode() not in said)
    log = home.log.read_text(errors="replace")
    database = b"".join(path.read_bytes() for path in home.path.glob("claviger.db*"))
    checks.check("no signing secret in the log", secret not in log and MAIL_PASSWORD not in log)
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    checks.check("nor in the database in clear", raw not in database and secret.encode() not in database)


def main() -> int:
    checks = Checks("alerts")
    with checks.story("a server"), FakeProvider() as fake, Receiver() as receiver, Home() as home:
        home.init("100.00")
        with MailServer(home.folder) as mail:
            write_settings(home, receiver, mail)
            with Server(home, MAIL_PASSWORD=MAIL_PASSWORD) as server:
                key = set_up(home, fake)
                added = home.do("alert", "channel", "add", "webhook", "--url", f"http://127.0.0.1:{receiver.port}/hook")
                secret = added.found(r"whsec_[A-Za-z0-9+/=]+")
                with checks.story("thresholds"):
                    alert = thresholds_story(checks, home, server, receiver, key, secret)
                    command_line_story(checks, home, receiver, alert)
                with checks.story("a crash"):
                    crash_story(checks, home, server, receiver, key)
                with checks.story("mail"):
                    mail_story(checks, home, server, mail, key)
                with checks.story("secrets"):
                    secrets_story(checks, home, receiver, secret, key)
                with checks.story("draining"):
                    stream = Stream(server, home)
                    began = time.monotonic()
                    server.stop()
                    checks.check("a stream of events does not hold up the end", time.monotonic() - began < 10)
                    stream.close()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
