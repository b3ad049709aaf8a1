#!/usr/bin/env python3
"""Several credentials of one provider: whose turn it is, what each did before, and that none is asked
which its owner did not put on the list.

Run: test/e2e/credentials_test.py
"""

from __future__ import annotations

import collections
import concurrent.futures
import sys
from typing import Any

from fake import PROVIDER, FakeProvider
from harness import Checks, Home, Server, wait_until

SECRET = "sk-planted-key-0123456789abcdef"  # The fake provider takes one key; credentials may share it.
NAMES = ["one", "two", "three", "unlisted"]


def credential_rows(home: Home) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in home.do("credential", "list", "--json").rows()}


def set_alias(home: Home, name: str, rotation: str) -> None:
    models = ",".join(f"{credential}/gpt-4o-mini" for credential in NAMES[:3])
    home.do("alias", "set", name, f"{models},one/gpt-4o", "--rotation", rotation)


def turns(checks: Checks, home: Home, server: Server, key: str) -> None:
    rows = credential_rows(home)
    listed = {rows[name]["id"] for name in NAMES[:3]}

    def asked(alias: str, times: int) -> collections.Counter[str]:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: server.chat(key, alias), range(times)))
        checks.equal(f"{alias}: every request is answered", {status for status, _, _ in answers}, {200})
        return collections.Counter(headers["x-claviger-credential"] for _, headers, _ in answers)

    for alias, rotation in (("ordered", "order"), ("turns", "round-robin"), ("least", "least-used")):
        set_alias(home, alias, rotation)
        counts = asked(alias, 120)
        checks.equal(f"{alias}: none but those on the list", set(counts) - listed, set())
        if rotation == "order":
            checks.equal("in order: only the first", set(counts), {rows["one"]["id"]})
        else:
            # Each thread of the server takes turns for itself.
            checks.check(f"{alias}: all three have a fair part", min(counts.values()) >= 25, counts)
            checks.equal(f"{alias}: and all three are used", len(counts), 3)
    shown = {row["name"]: row["rotation"] for row in home.do("alias", "list", "--json").rows()}
    checks.equal("the list says how", shown, {"ordered": "order", "turns": "round-robin", "least": "least-used"})
    checks.equal("an unknown way is refused", home.run("alias", "set", "x", "one/m", "--rotation", "best").status, 2)


def passed_over(checks: Checks, home: Home, server: Server, provider: FakeProvider, key: str) -> None:
    """A key that is refused again and again is asked last, and its requests are served by the others."""
    rows = credential_rows(home)
    home.do("credential", "rotate", str(rows["two"]["id"]), "--key-env", "NEW_KEY", NEW_KEY="sk-wrong-0123456789abcdef")
    answers = [server.chat(key, "turns") for _ in range(60)]
    checks.equal("with one bad key, every request is served", {status for status, _, _ in answers}, {200})
    tried = [server.chat(key, "turns")[1]["x-claviger-credential"] for _ in range(30)]
    checks.equal("and the bad one is not even asked", rows["two"]["id"] in tried, False)
    wait_until("the history", lambda: credential_rows(home)["two"]["worked_at"] is None)
    home.do("credential", "rotate", str(rows["two"]["id"]), "--key-env", "NEW_KEY", NEW_KEY=SECRET)


def history(checks: Checks, home: Home, server: Server, provider: FakeProvider, key: str) -> None:
    """What a key did before counts in the verdict, also after a restart, and not for a new key."""

    def refusal() -> dict[str, Any]:
        provider.behave(
            status=401, error_code="invalid_api_key", error_message="Incorrect API key provided", times=1
        )  # fmt: skip
        status, _, body = server.chat(key, "unlisted/gpt-4o-mini")
        checks.equal("the refusal is passed on", status, 401)
        return dict(body["error"]["claviger"])

    first = refusal()
    checks.equal("a key that never worked is invalid", first["cause"], "key_invalid")
    evidence = str(first)
    checks.matches("and has not worked yet", evidence, "this key has not worked here yet")
    checks.equal("now it works", server.chat(key, "unlisted/gpt-4o-mini")[0], 200)
    wait_until("the history", lambda: credential_rows(home)["unlisted"]["worked_at"])
    later = refusal()
    checks.equal("one that worked was taken away", later["cause"], "key_revoked")
    checks.matches("the evidence says when", str(later), r"this key worked \d+ s ago")
    wait_until("the history", lambda: credential_rows(home)["unlisted"]["refused_for"] == "key_revoked")
    server.stop()
    server.start()
    checks.equal("known after a restart", refusal()["cause"], "key_revoked")
    row = credential_rows(home)["unlisted"]
    home.do("credential", "rotate", str(row["id"]), "--key-env", "NEW_KEY", NEW_KEY=SECRET)
    checks.equal("a new key has no past", credential_rows(home)["unlisted"]["worked_at"], None)
    checks.equal("and is judged without", refusal()["cause"], "key_invalid")


def main() -> int:
    checks = Checks("credentials")
    with Home() as home, FakeProvider("--key", SECRET) as provider:
        home.init()
        with Server(home) as server:
            home.do("owner", "add", "me")
            home.do("app", "add", "notes")
            for name in NAMES:
                home.add_credential("me", PROVIDER, provider.base_url, SECRET, name)
            key = home.create_key("me", "notes")
            with checks.story("turns"):
                turns(checks, home, server, key)
            with checks.story("what fails is passed over"):
                passed_over(checks, home, server, provider, key)
            with checks.story("what a key did before"):
                history(checks, home, server, provider, key)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
