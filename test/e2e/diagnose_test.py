#!/usr/bin/env python3
"""Finding out why a request failed: what its caller says of it, what is known of it, what a
few cheap probes tell, the same request elsewhere, and a page that can be shown to others.

Run: test/e2e/diagnose_test.py
"""

from __future__ import annotations

import sys

from fake import MODEL, PROVIDER, FakeProvider
from harness import Checks, Home, Server, read_json

PROVIDER_KEY = "sk-planted-provider-key-0123456789"


def feedback(checks: Checks, home: Home, server: Server, key: str) -> None:
    """Good or bad, and why: for the request's own key only, and the last word counts."""
    _, headers, _ = server.chat(key, MODEL)
    request = headers["x-claviger-request-id"]
    path = f"/v1/requests/{request}/feedback"
    home.record(request)

    status, _, body = server.call("POST", path, {"verdict": "bad", "why": "made up a source"}, key)
    checks.equal("feedback is taken", status, 200)
    checks.equal("and said back", read_json(body)["feedback"]["why"], "made up a source")
    server.call("POST", path, {"verdict": "bad", "why": "made up two sources"}, key)
    said = home.record(request)["feedback"]
    checks.equal("the last word counts", (said["verdict"], said["why"]), ("bad", "made up two sources"))
    checks.matches("claviger request shows it", home.do("request", request).out, r"feedback +bad\nwhy +made up two")
    rows = [row for row in home.do("requests", "--json").rows() if row["id"] == request]
    checks.equal("the list of requests has it", rows[0]["feedback"]["verdict"], "bad")
    own = read_json(server.call("GET", f"/v1/requests/{request}", key=key)[2])
    checks.equal("the caller sees it again", own["feedback"]["verdict"], "bad")

    stranger = home.create_key("me", "notes")
    for name, where, whose in (
        ("another key's request", path, stranger),
        ("a request that never was", f"/v1/requests/{request[:-4]}0000/feedback", key),
        ("what is no id", "/v1/requests/x/feedback", key),
    ):
        status, _, body = server.call("POST", where, {"verdict": "good"}, whose)
        code = read_json(body)["error"]["code"]
        checks.equal(f"{name} is unknown", (status, code), (404, "unknown_request"))
    checks.equal("and changes nothing", home.record(request)["feedback"]["verdict"], "bad")
    for name, body, expected in (
        ("no verdict", {"why": "x"}, 400),
        ("another verdict", {"verdict": "meh"}, 400),
        ("an unknown field", {"verdict": "bad", "stars": 1}, 400),
        ("no JSON", b"bad!", 400),
        ("nothing", b"", 400),
        ("a reason that is too long", {"verdict": "bad", "why": "x" * 2001}, 400),
        ("a body that is too large", {"verdict": "bad", "why": "x" * 20000}, 413),
    ):
        checks.equal(f"feedback with {name} is refused", server.call("POST", path, body, key)[0], expected)
    checks.equal("without a key nothing is taken", server.call("POST", path, {"verdict": "good"})[0], 401)
    checks.equal("feedback is not read with GET", server.call("GET", path, key=key)[0], 405)


def main() -> int:
    checks = Checks("diagnose")
    with Home() as home, FakeProvider() as provider:
        home.init()
        with Server(home) as server:
            home.do("owner", "add", "me")
            home.do("app", "add", "notes")
            home.add_credential("me", PROVIDER, provider.base_url, PROVIDER_KEY)
            key = home.create_key("me", "notes")
            with checks.story("feedback"):
                feedback(checks, home, server, key)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
