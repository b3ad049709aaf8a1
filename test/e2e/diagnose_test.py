#!/usr/bin/env python3
"""Finding out why a request failed: what its caller says of it, what is known of it, what a
few cheap probes tell, the same request elsewhere, and a page that can be shown to others.

Run: test/e2e/diagnose_test.py
"""

from __future__ import annotations

import datetime
import json
import re
import sys
import time

from fake import MODEL, PROVIDER, FakeProvider
from harness import Checks, Home, Server, nanos, read_json, wait_until

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


def failed_request(server: Server, provider: FakeProvider, key: str, text: str = "", **behaviour: object) -> str:
    """One request that the provider fails once; its id."""
    provider.behave(**behaviour, times=1)
    messages = [{"role": "user", "content": text or "Say hello."}]
    status, headers, answer = server.chat(key, MODEL, messages=messages)
    if status < 400:
        raise AssertionError(f"the request did not fail: {answer}")
    return headers["x-claviger-request-id"]


def story(checks: Checks, home: Home, server: Server, provider: FakeProvider, key: str) -> None:
    """What is known without asking anybody."""
    request = failed_request(server, provider, key, status=400, error_code="invalid_request_error", error_message="bad")
    home.record(request)
    diagnosis = home.do("diagnose", request, "--json").json()
    checks.equal("it failed", diagnosis["outcome"], "failed")
    stages = [entry["stage"] for entry in diagnosis["timeline"]]
    checks.equal(
        "the timeline names the stages", stages, ["received", "held", "connected", "sent", "answer began", "failed"]
    )
    times = [entry["at_us"] for entry in diagnosis["timeline"]]
    checks.check("in order", times == sorted(times), times)
    checks.equal("the application is suspected first", diagnosis["suspects"][0]["at_fault"], "app")
    checks.equal("the attempt is in it", len(diagnosis["attempts"]), 1)
    checks.check("and what speaks for it", "the provider answered 400" in diagnosis["evidence"], diagnosis["evidence"])
    checks.matches("people can read it", home.do("diagnose", request).out, "To do: .*EVIDENCE.*CONFIDENCE")
    _, headers, _ = server.chat(key, MODEL)
    home.record(headers["x-claviger-request-id"])
    fine = home.do("diagnose", headers["x-claviger-request-id"], "--json").json()
    checks.equal("of a request that went well nobody is suspected", (fine["outcome"], fine["suspects"]), ("answered", []))
    checks.equal("a request that never was", home.run("diagnose", request[:-4] + "0000").status, 1)


def probing(checks: Checks, home: Home, server: Server, provider: FakeProvider, key: str) -> None:
    """Each result narrows the suspects, and what costs is held, settled, recorded and small."""
    # A provider that refuses a good key once, as some do in an outage.
    request = failed_request(server, provider, key, status=401, error_code="invalid_api_key", error_message="no")
    home.record(request)
    before = home.do("diagnose", request, "--json").json()
    checks.equal("at first the key is suspected", before["suspects"][0]["at_fault"], "key")
    budget = home.do("budget", "list", "--json").rows()[-1]["id"]
    spent = home.balance(budget)["spent"]

    after = home.do("diagnose", request, "--probe", "--json").json()
    outcomes = {probe["probe"]: probe["outcome"] for probe in after["probes"]}
    checks.equal(
        "five questions are asked",
        outcomes,
        {
            "models_with_key": "worked",
            "models_with_dummy_key": "failed",
            "other_host": "not_made",
            "minimal_request": "worked",
            "other_model": "worked",
        },
    )
    key_after = [s["confidence"] for s in after["suspects"] if s["at_fault"] == "key"] or [0]
    checks.check("the key is cleared", key_after[0] < 0.1 < before["suspects"][0]["confidence"], after["suspects"])
    checks.check("and another is suspected", after["suspects"][0]["at_fault"] != "key", after["suspects"])
    checks.matches("and it says why", after["because"][0], r"the list of models with this key worked; key .* -> 0\.")
    cost = nanos(after["probes_cost_usd"])
    checks.check("it cost something, and less than a cent", 0 < cost <= nanos(after["probes_cost_max_usd"]), cost)
    checks.equal("which the budget has paid", home.balance(budget)["spent"] - spent, cost)
    asked = [probe for probe in after["probes"] if probe.get("request")]
    checks.equal("each paid question has a record of its own", len(asked), 2)
    checks.equal(
        "that says what it cost",
        sum(nanos(home.record(probe["request"])["cost_usd"]) for probe in asked),
        cost,
    )
    checks.equal("with the same credential", home.record(asked[0]["request"])["credential"], after["credential"])

    # A key that is really dead: everything that uses it fails.
    home.do("owner", "add", "lost")
    home.add_credential("lost", PROVIDER, provider.base_url, "sk-revoked-long-ago-000000")
    dead_key = home.create_key("lost", "notes")
    status, headers, _ = server.chat(dead_key, MODEL)
    dead = headers["x-claviger-request-id"]
    home.record(dead)
    after = home.do("diagnose", dead, "--probe", "--json").json()
    first = after["suspects"][0]
    checks.check("a dead key stays", (status, first["at_fault"]) == (401, "key") and first["confidence"] > 0.9, after)
    checks.equal("and costs nothing", nanos(after["probes_cost_usd"]), 0)

    # What could cost more than the probes' own budget is not asked.
    provider.behave(status=400, error_code="invalid_request_error", error_message="bad", times=1)
    _, headers, _ = server.chat(key, "openai/o1-pro", max_tokens=16)
    home.record(headers["x-claviger-request-id"])
    dear = home.do("diagnose", headers["x-claviger-request-id"], "--probe", "--json").json()
    minimal = next(probe for probe in dear["probes"] if probe["probe"] == "minimal_request")
    checks.equal("a dear model is not asked", minimal["outcome"], "not_made")
    checks.matches("and the answer says why", minimal["not_made"], r"cost more than .* \$0\.01")
    checks.matches("people can read it", home.do("diagnose", request, "--probe").out, "PROBE.*worked.*WHAT THAT MEANS")


def halving(checks: Checks, home: Home, server: Server, provider: FakeProvider, key: str) -> None:
    """What may have been too long is asked again with half of its text."""
    prompt = "a long story " * 400
    too_long = {"status": 400, "error_code": "context_length_exceeded", "error_message": "too long"}

    def half_of(request: str) -> tuple[dict[str, object], dict[str, object]]:
        home.record(request)
        after = home.do("diagnose", request, "--probe", "--json").json()
        return after, next(probe for probe in after["probes"] if probe["probe"] == "half_request")

    _, half = half_of(failed_request(server, provider, key, prompt, **too_long))
    checks.equal("what is not kept cannot be cut", half["outcome"], "not_made")
    checks.matches("and the answer says how to have it kept", half["not_made"], "claviger owner keep-content")
    home.do("owner", "keep-content", "me", "failed")
    after, half = half_of(failed_request(server, provider, key, prompt, **too_long))
    checks.equal("half of it works", half["outcome"], "worked")
    checks.equal("so it was too long", after["suspects"][0]["cause"], "context_overflow")
    checks.check("for sure", after["suspects"][0]["confidence"] > 0.9 and not after["inconclusive"], after)
    checks.matches("which it explains", after["because"][-1], "the same request cut to half worked; app .context_overflow.")
    sent = read_json(provider.control("GET", "last")["body"])
    checks.equal("half of the text was sent", sent["messages"], [{"role": "user", "content": prompt[: len(prompt) // 2]}])
    made = home.record(half["request"])
    checks.check("held for, paid and recorded", 0 < nanos(made["cost_usd"]) <= nanos(made["held_usd"]), made)
    checks.check("within the probes' amount", nanos(after["probes_cost_usd"]) < 10_000_000, after)
    short = failed_request(server, provider, key, **too_long)
    checks.matches("what is short cannot be cut", str(half_of(short)[1].get("not_made")), "cannot be cut")
    wrong = failed_request(server, provider, key, prompt, status=401, error_code="invalid_api_key", error_message="no")
    home.record(wrong)
    probes = [probe["probe"] for probe in home.do("diagnose", wrong, "--probe", "--json").json()["probes"]]
    checks.check("where the key is refused nobody asks for half", "half_request" not in probes, probes)
    request = failed_request(server, provider, key, prompt, **too_long)
    home.record(request)
    provider.behave(status=401, error_code="invalid_api_key", error_message="no")
    probes = [probe["probe"] for probe in home.do("diagnose", request, "--probe", "--json").json()["probes"]]
    provider.behave()
    checks.check("nor where not even a small request works", "half_request" not in probes, probes)
    home.do("owner", "keep-content", "me", "off")


def replaying(checks: Checks, home: Home, server: Server, provider: FakeProvider, key: str) -> None:
    """The same request elsewhere, where its owner has content kept."""
    prompt = "a-planted-prompt-that-nobody-should-find"
    bad = {"status": 400, "error_code": "invalid_request_error", "error_message": "bad"}
    request = failed_request(server, provider, key, prompt, **bad)
    home.record(request)
    refused = home.run("diagnose", request, "--replay", "openai/gpt-4o")
    checks.equal("nothing is kept where nobody said so", refused.status, 1)
    checks.matches("and the error says how to have it kept", refused.err, "claviger owner keep-content me failed")

    home.do("owner", "keep-content", "me", "failed")
    _, headers, _ = server.chat(key, MODEL)
    fine = headers["x-claviger-request-id"]
    home.record(fine)
    checks.equal("a request that went well is not kept", home.run("diagnose", fine, "--replay", MODEL).status, 1)
    request = failed_request(server, provider, key, prompt, **bad)
    home.record(request)
    after = home.do("diagnose", request, "--replay", "openai/gpt-4o", "--json").json()
    replay = after["probes"][0]
    checks.equal("it works elsewhere", (replay["probe"], replay["outcome"]), ("replay_same_provider", "worked"))
    made = home.record(replay["request"])
    checks.equal("with a record of its own", (made["model"], made["status"]), ("openai/gpt-4o", 200))
    checks.check("and a hold", nanos(made["held_usd"]) > 0, made)
    checks.equal("so the model is suspected now", after["suspects"][0]["at_fault"], "model")
    sent = json.dumps(provider.control("GET", "last"))
    checks.check("it is the same request", prompt in sent, sent)
    provider.behave(**bad, times=1)
    again = home.do("diagnose", request, "--replay", "openai/gpt-4o", "--json").json()
    checks.equal("where it fails there too, it is the request", again["suspects"][0]["at_fault"], "app")
    provider.behave()
    found = [path for path in home.path.rglob("*") if path.is_file() and prompt.encode() in path.read_bytes()]
    checks.equal("no file has it", found, [])

    # What is too large to be kept is counted, so that nobody learns of it from a refused replay.
    too_large = failed_request(server, provider, key, "x" * (1 << 20), **bad)
    home.record(too_large)
    checks.check("what is above a megabyte is not kept", not home.do("diagnose", too_large, "--json").json()["content_kept"])
    lines = server.call("GET", "/metrics", key=home.admin_key)[2].decode().splitlines()
    checks.check("which is counted", "claviger_contents_lost_total 1" in lines, lines[-9:])
    checks.matches("and told by the doctor", home.run("doctor").out, "contents +1 requests could not be kept for a replay")

    # A stream keeps its good status where it fails in its midst; it is a failed request all the same.
    provider.behave(error_after_events=3, times=1)
    connection, answer = server.open_stream(key, MODEL, max_tokens=50, messages=[{"role": "user", "content": prompt}])
    answer.read()
    connection.close()
    broken = answer.headers["x-claviger-request-id"]
    home.record(broken)
    checks.check("what a stream asked that failed is kept", home.do("diagnose", broken, "--json").json()["content_kept"])

    home.do("owner", "keep-content", "me", "stored", "--days", "2")
    connection, answer = server.open_stream(key, MODEL, max_tokens=50)
    answer.read()
    connection.close()
    streamed = answer.headers["x-claviger-request-id"]
    home.record(streamed)
    checks.check("so is, where all are stored, one of a good stream", home.do("diagnose", streamed, "--json").json()["content_kept"])
    _, headers, _ = server.chat(key, MODEL, messages=[{"role": "user", "content": prompt}])
    stored = headers["x-claviger-request-id"]
    home.record(stored)
    checks.check("stored contents are there", home.do("diagnose", stored, "--json").json()["content_kept"])
    time.sleep(1.5)  # It is written once a second.
    server.stop()
    server.start()
    after = home.do("diagnose", stored, "--replay", "openai/gpt-4o", "--json").json()
    checks.equal("also after a restart", after["probes"][0]["outcome"], "worked")
    found = [path for path in home.path.rglob("*") if path.is_file() and prompt.encode() in path.read_bytes()]
    checks.equal("and no file has it in the clear", found, [])
    home.do("owner", "keep-content", "me", "off")
    checks.equal("turned off, it is gone", home.run("diagnose", stored, "--replay", MODEL).status, 1)


def sharing(checks: Checks, home: Home, server: Server, provider: FakeProvider, key: str) -> None:
    """A page for support: nothing in it that anybody said, and only for whoever has its address."""
    prompt, person = "a-planted-prompt-for-the-page", "planted-person@example.com"
    provider.behave(
        status=401, error_code="invalid_api_key", error_message=f"{prompt} {PROVIDER_KEY} {person}", times=1,
        headers={"x-request-id": PROVIDER_KEY},
    )  # fmt: skip
    _, headers, _ = server.chat(
        key, MODEL, user=person, messages=[{"role": "user", "content": prompt}], metadata={"who": person}
    )
    request = headers["x-claviger-request-id"]
    home.record(request)
    server.call("POST", f"/v1/requests/{request}/feedback", {"verdict": "bad", "why": f"{prompt} {person}"}, key)
    made = home.do("diagnose", request, "--share", "--probe", "--expires", "1h", "--json").json()
    path = made["url"][made["url"].index("/share/") :]
    checks.matches("the address cannot be guessed", path, r"^/share/[A-Za-z0-9_-]{43}$")

    status, seen, body = server.call("GET", path)
    page = body.decode()
    checks.equal("whoever has it sees the page", (status, seen["content-type"]), (200, "text/html; charset=utf-8"))
    for name, word in (
        ("prompt", prompt), ("key", PROVIDER_KEY), ("virtual key", key), ("name of a person", person),
        ("owner", ">me<"), ("address of the provider", str(provider.port)), ("credential", "crd_"),
    ):  # fmt: skip
        checks.check(f"the page has no {name}", word not in page, page)
        checks.check(f"nor has what the API said about it: {name}", word not in json.dumps(made) or name == "owner", made)
    checks.matches("it says what happened", page, "key_invalid.*To do|To do.*key_invalid")
    checks.matches("and what was asked afterwards", page, "the list of models with this key")
    checks.check("it has no scripts", "<script" not in page and "javascript:" not in page, page)
    policy = seen["content-security-policy"]
    checks.matches("and may load none", policy, r"^default-src 'none'; style-src 'self'; .*frame-ancestors 'none'$")
    checks.equal("its address does not travel on", seen["referrer-policy"], "no-referrer")
    checks.equal("nobody keeps it", (seen["cache-control"], seen["x-robots-tag"]), ("no-store", "noindex, nofollow"))
    style = re.search(r'href="([^"]+)"', page)
    status, seen, _ = server.call("GET", style.group(1) if style else "/")
    checks.equal("its style is served", (status, seen["content-type"]), (200, "text/css; charset=utf-8"))
    checks.check("it reads on a telephone", "width=device-width" in page, page)

    wrong = path[:-1] + ("A" if path[-1] != "A" else "B")
    checks.equal("another address has nothing", server.call("GET", wrong)[0], 404)
    token = path.rpartition("/")[2].encode()
    found = [file for file in home.path.rglob("*") if file.is_file() and token in file.read_bytes()]
    checks.equal("no file has the address", found, [])
    checks.equal("it is listed", [row["id"] for row in home.do("share", "list", "--json").rows()], [made["id"]])
    home.do("share", "revoke", made["id"])
    checks.equal("taken back, it is gone", server.call("GET", path)[0], 404)
    checks.equal("and cannot be taken back twice", home.run("share", "revoke", made["id"]).status, 1)

    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    brief = home.do("diagnose", request, "--share", "--expires", soon, "--json").json()
    path = brief["url"][brief["url"].index("/share/") :]
    checks.equal("a brief page is there at first", server.call("GET", path)[0], 200)
    wait_until("the page has expired", lambda: server.call("GET", path)[0] == 404, 8)
    checks.check("and gone when its time is over", True)
    checks.equal("a page for ever is refused", home.run("diagnose", request, "--share", "--expires", "200d").status, 1)
    checks.equal("--expires alone is wrong usage", home.run("diagnose", request, "--expires", "1h").status, 2)


def main() -> int:
    checks = Checks("diagnose")
    with Home() as home, FakeProvider("--key", PROVIDER_KEY) as provider:
        home.init()
        with Server(home) as server:
            home.do("owner", "add", "me")
            home.do("app", "add", "notes")
            home.add_credential("me", PROVIDER, provider.base_url, PROVIDER_KEY)
            key = home.create_key("me", "notes")
            with checks.story("feedback"):
                feedback(checks, home, server, key)
            with checks.story("the story of a request"):
                story(checks, home, server, provider, key)
            with checks.story("probes"):
                probing(checks, home, server, provider, key)
            with checks.story("half of a request"):
                halving(checks, home, server, provider, key)
            with checks.story("a page for support"):
                sharing(checks, home, server, provider, key)
            with checks.story("a replay"):
                replaying(checks, home, server, provider, key)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
