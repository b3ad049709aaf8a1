#!/usr/bin/env python3
"""Faults that a gateway must survive honestly, each from outside: a request is served by a healthy
place where there is one, or ends with an honest error in time. Never a truncated answer dressed as a
success, never a hang, never paid for twice.

The scenarios have the numbers of the public benchmark and of the issues that they come from:
failoverbench's catalogue (S01 to S16, MIT; N01 to N03 from its wall.py), and ours (X01 to X22), most
of them seen in other gateways. Each has an alias of its own: the first place, and one that is well.

Run: test/e2e/failover_test.py [S08 X03 …]
"""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import os
import socket
import sys
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from connections_test import set_config
from harness import Checks, Home, Server, nanos
from scripted import (
    COMPLETION_TOKENS,
    DONE,
    PROMPT_TOKENS,
    SSE_HEAD,
    TEXT,
    USAGE,
    Exchange,
    ScriptedProvider,
    beginning,
    chunk,
    ending,
    error,
    event,
    head,
    healthy,
    silent,
    status,
    streamed,
    whole_answer,
    words,
)

PROVIDER_KEY = "sk-scripted-0123456789abcdefghijklmnopqrstuvwxyz"
FIRST_BYTE_SECONDS, IDLE_SECONDS, CONNECT_SECONDS = 2, 2, 1
# What a place may take before it is left, and what a loaded machine adds.
IN_TIME_SECONDS = 12.0
INPUT_USD, OUTPUT_USD = 1, 2  # For a million tokens.
ONE_ANSWER_NANOS = PROMPT_TOKENS * 1000 * INPUT_USD + COMPLETION_TOKENS * 1000 * OUTPUT_USD

Finding = tuple[str, object, object]  # What must hold, whether it does, what was seen.


class Result:
    """What a caller got of one request."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.text = ""
        self.finish: str | None = None
        self.is_done = False
        self.errors: list[dict[str, Any]] = []
        self.tools = 0
        self.events = 0
        self.usage: dict[str, Any] = {}
        self.model = ""
        self.is_cut = False  # The connection ended before the answer did.
        self.seconds = 0.0

    @property
    def is_served(self) -> bool:
        return self.status == 200 and not self.errors and not self.is_cut and self.text == TEXT and self.finish == "stop"

    @property
    def is_honest_error(self) -> bool:
        """A status that says so, or an error event and no ending of a success."""
        if self.status >= 400:
            return len(self.errors) == 1 and bool(self.errors[0].get("message"))
        return len(self.errors) == 1 and not self.is_done and self.finish is None

    def __str__(self) -> str:
        return (
            f"status {self.status}, {len(self.text.split())} words, finish {self.finish}, done {self.is_done}, cut "
            f"{self.is_cut}, errors {self.errors}, {self.seconds:.1f} s, model {self.headers.get('x-claviger-model')}"
        )


class World:
    """What one scenario has: an owner of its own, so that what a key is blamed for stays there."""

    def __init__(self, home: Home, server: Server, first: ScriptedProvider, spare: ScriptedProvider, owner: str) -> None:
        self.home, self.server, self.first, self.spare, self.owner = home, server, first, spare, owner
        home.do("owner", "add", owner)
        home.add_credential(owner, "openai", first.origin + "/v1", PROVIDER_KEY)
        home.add_credential(owner, "groq", spare.origin + "/v1", PROVIDER_KEY)
        home.add_credential(owner, "anthropic", first.origin, PROVIDER_KEY)
        self.budget = home.set_budget(f"owner:{owner}", "50.00")
        self.key = home.create_key(owner, "notes")
        self.requests: list[str] = []

    def prepare(self, name: str, provider: str = "openai", spare: bool = True) -> str:
        """The model's name at both places; the alias is the same in capitals."""
        model = name.lower()
        for place in (provider, "groq") if spare else (provider,):
            self.home.do("model", "price", f"{place}/{model}", "--owner", self.owner, "--input", str(INPUT_USD), "--output", str(OUTPUT_USD))
        self.home.do("alias", "set", name, f"{provider}/{model}" + (f",groq/{model}" if spare else ""), "--owner", self.owner)
        self.spare.on(model, healthy)
        return model

    def call(self, model: str, *, stream: bool = True, path: str = "/v1/chat/completions", stop_after: int = 0, key: str = "", **fields: object) -> Result:
        """One request. `stop_after`: the caller leaves after so many events."""
        result = Result()
        body = {"model": model, "messages": [{"role": "user", "content": "Say sixty words."}], "max_tokens": 100, "stream": stream}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=40)
        began = time.monotonic()
        try:
            headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
            connection.request("POST", path, body=json.dumps(body | fields), headers=headers)
            answer = connection.getresponse()
            result.status = answer.status
            result.headers = {name.lower(): value for name, value in answer.getheaders()}
            if "x-claviger-request-id" in result.headers and not key:
                self.requests.append(result.headers["x-claviger-request-id"])
            if stream and answer.status == 200:
                self._read_stream(answer, result, stop_after)
            else:
                result.body = answer.read()
                self._take(result, result.body)
        except (http.client.IncompleteRead, ConnectionError):
            result.is_cut = True
        finally:
            connection.close()
            result.seconds = time.monotonic() - began
        return result

    def _read_stream(self, answer: http.client.HTTPResponse, result: Result, stop_after: int) -> None:
        while line := answer.readline():
            result.body += line
            if line.startswith(b"data:"):
                result.events += 1
                data = line[5:].strip()
                if data == b"[DONE]":
                    result.is_done = True
                else:
                    self._take(result, data)
            if stop_after and result.events == stop_after:
                return

    def _take(self, result: Result, data: bytes) -> None:
        try:
            parsed = json.loads(data)
        except ValueError:
            result.errors.append({"message": "", "unreadable": data[:200].decode("latin-1")})
            return
        if "error" in parsed:
            result.errors.append(parsed["error"])
        for choice in parsed.get("choices") or ():
            said = choice.get("delta") or choice.get("message") or {}
            result.text += said.get("content") or ""
            result.tools += len(said.get("tool_calls") or ())
            result.finish = choice.get("finish_reason") or result.finish
        result.usage = parsed.get("usage") or result.usage
        result.model = parsed.get("model") or result.model

    def record(self, result: Result) -> dict[str, Any]:
        return self.home.record(result.headers["x-claviger-request-id"])

    # What most scenarios ask.

    def served_by_spare(self, result: Result, model: str, first_times: int = 1) -> list[Finding]:
        record = self.record(result)
        return [
            ("the place that is well answers, whole", result.is_served, result),
            ("in time", result.seconds < IN_TIME_SECONDS, result),
            ("the answer says who gave it", result.headers.get("x-claviger-model") == f"groq/{model}", result),
            (f"the first was asked {first_times} times", len(self.first.asked(model)) == first_times, len(self.first.asked(model))),
            ("the other once", len(self.spare.asked(model)) == 1, len(self.spare.asked(model))),
            ("every attempt is in the record", record["attempts"] == first_times + 1, record),
        ]

    def nothing_at_first(self, result: Result) -> list[Finding]:
        """The first place refused, so that only the answer costs anything."""
        cost = nanos(self.record(result)["cost_usd"])
        return [("only the answer is paid for", cost == ONE_ANSWER_NANOS, f"{cost} of {ONE_ANSWER_NANOS}")]


Scenario = Callable[[World, str], list[Finding]]
SCENARIOS: dict[str, tuple[str, Scenario]] = {}


def scenario(name: str, says: str) -> Callable[[Scenario], Scenario]:
    def add(story: Scenario) -> Scenario:
        SCENARIOS[name] = (says, story)
        return story

    return add


# Refusals ----------------------------------------------------------------------------------


@scenario("S01", "429 with Retry-After: 2, then well; nowhere else to go")
def s01(world: World, name: str) -> list[Finding]:
    model = world.prepare(name, spare=False)
    world.first.on(model, error(429, "rate_limit_error", "rate_limit_exceeded", retry_after="2"), healthy)
    result = world.call(name)
    asked = world.first.asked(model)
    gap = asked[1].at - asked[0].at if len(asked) == 2 else 0
    return [
        ("it is asked once more and answers", result.is_served and len(asked) == 2, result),
        ("after the pause that it wished for", gap >= 1.9, gap),
        *world.nothing_at_first(result),
    ]


@scenario("S02", "429 for ever, without Retry-After")
def s02(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, error(429, "rate_limit_error", "rate_limit_exceeded"))
    result = world.call(name)
    return world.served_by_spare(result, model) + world.nothing_at_first(result)


@scenario("S03", "500 once; nowhere else to go")
def s03(world: World, name: str) -> list[Finding]:
    model = world.prepare(name, spare=False)
    world.first.on(model, error(500, "server_error", None), healthy)
    result = world.call(name)
    return [("the same place is asked again and answers", result.is_served and len(world.first.asked(model)) == 2, result)] + world.nothing_at_first(result)


@scenario("S04", "503 for ever, with and without another place")
def s04(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, error(503, "server_error", "overloaded"))
    alone = world.prepare("S04alone", spare=False)
    world.first.on(alone, error(503, "server_error", "overloaded"))
    result, lonely = world.call(name), world.call("S04alone", stream=False)
    asked = len(world.first.asked(alone))
    return [
        *world.served_by_spare(result, model),
        *world.nothing_at_first(result),
        ("alone, its own status is told", lonely.status == 503 and lonely.is_honest_error, lonely),
        ("after a few attempts", 1 < asked <= 6, asked),
    ]


@scenario("S12", "the context is too long")
def s12(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, error(400, "invalid_request_error", "context_length_exceeded", "maximum context length is 8192 tokens"))
    result = world.call(name)
    return [
        ("it is not sent there again", len(world.first.asked(model)) == 1, len(world.first.asked(model))),
        ("the caller is told, or another model answers", result.is_served or (result.status == 400 and result.is_honest_error), result),
    ]


@scenario("S13", "refused for its content")
def s13(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, error(400, "invalid_request_error", "content_policy_violation", "violates our policy"))
    result = world.call(name)
    return [
        ("asked once, and nowhere else", (len(world.first.asked(model)), len(world.spare.asked(model))) == (1, 0), result),
        ("the provider's reason reaches the caller", result.status == 400 and "policy" in str(result.errors), result),
    ]


@scenario("X08", "a key that is refused, and another of the same provider")
def x08(world: World, name: str) -> list[Finding]:
    world.home.do("owner", "add", "keys")
    findings = []
    for label, key in (("spent", "sk-spent-0123456789abcdefghijklmnop"), ("good", "sk-good-0123456789abcdefghijklmnop")):
        world.home.add_credential("keys", "openai", world.first.origin + "/v1", key, label)
    virtual_key = world.home.create_key("keys", "notes")
    for code, word in ((401, "invalid_api_key"), (402, "insufficient_quota"), (403, "permission_denied")):
        model = f"x08-{code}"
        world.home.do("model", "price", f"openai/{model}", "--owner", "keys", "--input", "1", "--output", "2")
        world.home.do("alias", "set", f"X08.{code}", f"spent/{model},good/{model}", "--owner", "keys")

        def by_key(exchange: Exchange, code: int = code, word: str = word) -> None:
            is_spent = "sk-spent" in exchange.headers["authorization"]
            (error(code, "invalid_request_error", word) if is_spent else healthy)(exchange)

        world.first.on(model, by_key)
        result = world.call(f"X08.{code}", key=virtual_key)
        asked = ["spent" in exchange.headers["authorization"] for exchange in world.first.asked(model)]
        findings += [(f"{code}: the other key answers at once", result.is_served and asked == [True, False] and result.seconds < 2, f"{asked} {result}")]
    world.home.do("model", "price", "openai/x08-dead", "--owner", "keys", "--input", "1", "--output", "2")
    world.home.do("alias", "set", "X08.dead", "spent/x08-dead,good/x08-dead", "--owner", "keys")
    world.first.on("x08-dead", error(401, "invalid_request_error", "invalid_api_key"))
    result = world.call("X08.dead", key=virtual_key)
    findings += [
        ("where no key works, one error says so", result.is_honest_error and len(world.first.asked("x08-dead")) == 2, result),
        ("it does not look like the application's own key", result.errors[0].get("at_fault") == "key" or "key" in str(result.errors), result),
    ]
    return findings


@scenario("X09", "pauses that nobody can wait for, or that say nothing")
def x09(world: World, name: str) -> list[Finding]:
    findings = []
    later = formatdate(time.time() + 3600, usegmt=True)
    for number, value in enumerate(("3600", later, "-5", "soon", "99999999999999999999")):
        alias = f"{name}.{number}"
        model = world.prepare(alias)
        world.first.on(model, error(429, "rate_limit_error", "rate_limit_exceeded", retry_after=value))
        result = world.call(alias)
        findings += [(f"Retry-After: {value}: the other place answers at once", result.is_served and result.seconds < 3, result)]
    alone = world.prepare(f"{name}alone", spare=False)
    world.first.on(alone, error(429, "rate_limit_error", "rate_limit_exceeded", retry_after="3600"))
    result = world.call(f"{name}alone")
    return [
        *findings,
        ("alone, the caller is told at once, with the pause", result.status == 429 and result.headers.get("retry-after") == "3600" and result.seconds < 3, f"{result} {result.headers}"),
        ("and it was asked once", len(world.first.asked(alone)) == 1, len(world.first.asked(alone))),
    ]


@scenario("X15", "503 after a megabyte of request was read")
def x15(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, error(503, "server_error", "overloaded"))
    content = "".join(chr(97 + number % 26) for number in range(1 << 20))
    result = world.call(name, messages=[{"role": "user", "content": content}])
    seen = [exchange.json["messages"][0]["content"] for exchange in (*world.first.asked(model), *world.spare.asked(model))]
    return world.served_by_spare(result, model) + [
        ("both get every byte of it", [zlib.crc32(text.encode()) for text in seen] == [zlib.crc32(content.encode())] * 2, [len(text) for text in seen])
    ]


@scenario("X20", "every place is down, each in its own way")
def x20(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, error(429, "rate_limit_error", "rate_limit_exceeded", retry_after="60"))
    world.spare.on(model, error(503, "server_error", "overloaded", "all engines are busy", retry_after="7"))
    result = world.call(name, stream=False)
    said = json.dumps(result.errors)
    return [
        ("one error", result.is_honest_error and result.status in (429, 503), result),
        ("that names what each place said", "openai/" in said and "429" in said and "503" in said, said),
        ("with a pause", result.headers.get("retry-after") in ("7", "60"), result.headers),
    ]


# Connections -------------------------------------------------------------------------------


@scenario("S05", "a reset before the first byte")
def s05(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, Exchange.reset, healthy)
    return world.served_by_spare(world.call(name), model)


@scenario("S06", "no answer at all")
def s06(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, silent)
    return world.served_by_spare(world.call(name), model)


@scenario("X13", "no answer in time, and nowhere else to go")
def x13(world: World, name: str) -> list[Finding]:
    model = world.prepare(name, spare=False)
    world.first.on(model, silent)
    result = world.call(name, stream=False)
    record = world.record(result)
    return [
        ("an honest error in time", result.is_honest_error and result.status in (502, 504) and result.seconds < IN_TIME_SECONDS, result),
        ("what may be billed there is not bought again", len(world.first.asked(model)) == 1, len(world.first.asked(model))),
        ("and counts as spent, as an estimate", nanos(record["cost_usd"]) > 0 and record["cost_state"] == "estimated", record),
    ]


@scenario("X18", "a kept connection that the provider has closed")
def x18(world: World, name: str) -> list[Finding]:
    # Of its own, or another scenario's request would take the connection.
    world.home.do("owner", "add", "kept")
    kept = ScriptedProvider().__enter__()
    world.home.add_credential("kept", "openai", kept.origin + "/v1", PROVIDER_KEY)
    world.home.do("model", "price", "openai/x18", "--owner", "kept", "--input", "1", "--output", "2")
    key = world.home.create_key("kept", "notes")

    def then_closes(exchange: Exchange) -> None:
        text = whole_answer(exchange)
        exchange.send(head(200, len(text)) + text)
        exchange.keeps_open = True
        exchange.reset()  # When it is closed, which is a moment later.
        exchange.connection.settimeout(0.2)

    kept.on("x18", then_closes)
    results = [world.call("openai/x18", stream=False, key=key)]
    time.sleep(0.5)
    results += [world.call("openai/x18", stream=False, key=key)]
    kept.__exit__()
    return [
        ("both requests are served", all(result.is_served for result in results), [str(result) for result in results]),
        ("with one attempt each", [world.record(result)["attempts"] for result in results] == [1, 1], ""),
    ]


@scenario("X19", "an address that takes no connections, and a name that does not exist")
def x19(world: World, name: str) -> list[Finding]:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        world.home.do("owner", "add", "lost")
        world.home.add_credential("lost", "openai", f"http://127.0.0.1:{port}/v1", PROVIDER_KEY)
        world.home.add_credential("lost", "mistral", "http://no-such-host.invalid/v1", PROVIDER_KEY)
        world.home.add_credential("lost", "groq", world.spare.origin + "/v1", PROVIDER_KEY)
        for place in ("openai", "mistral", "groq"):
            world.home.do("model", "price", f"{place}/x19", "--owner", "lost", "--input", "1", "--output", "2")
        world.home.do("alias", "set", "X19.full", "openai/x19,groq/x19", "--owner", "lost")
        world.home.do("alias", "set", "X19.name", "mistral/x19,groq/x19", "--owner", "lost")
        world.spare.on("x19", healthy)
        key = world.home.create_key("lost", "notes")
        full_result, name_result = world.call("X19.full", key=key), world.call("X19.name", key=key)
        for one in waiting:
            one.close()
    return [
        ("no connection: the other place answers in time", full_result.is_served and full_result.seconds < CONNECT_SECONDS + 3, full_result),
        ("no such name: the other place answers", name_result.is_served, name_result),
        ("nothing is paid for what was never sent", nanos(world.record(name_result)["cost_usd"]) == ONE_ANSWER_NANOS, world.record(name_result)),
    ]


# Whole answers -----------------------------------------------------------------------------


@scenario("N01", "an answer that stops in its middle")
def n01(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)

    def cut(exchange: Exchange) -> None:
        text = whole_answer(exchange)
        exchange.send(head(200, len(text)) + text[: len(text) * 6 // 10])

    world.first.on(model, cut)
    return world.served_by_spare(world.call(name, stream=False), model)


@scenario("N02", "a head, and then silence")
def n02(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)

    def stuck(exchange: Exchange) -> None:
        exchange.send(head(200, 500))
        silent(exchange)

    world.first.on(model, stuck)
    return world.served_by_spare(world.call(name, stream=False), model)


@scenario("N03", "an answer that is no JSON, though it says so")
def n03(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, status(200, '{"id": "chatcmpl-1", "choices": [{"index": 0, "message": {"role": '))
    return world.served_by_spare(world.call(name, stream=False), model)


@scenario("X01", "a refusal inside a good status")
def x01(world: World, name: str) -> list[Finding]:
    findings = []
    for code in (429, 529):
        alias = f"{name}.{code}"
        model = world.prepare(alias)
        world.first.on(model, status(200, {"error": {"message": "Too many requests", "code": code}}))
        findings += world.served_by_spare(world.call(alias, stream=False), model)
    alias = f"{name}.400"
    model = world.prepare(alias)
    world.first.on(model, status(200, {"error": {"message": "messages must not be empty", "type": "invalid_request_error", "code": 400}}))
    result = world.call(alias, stream=False)
    return [*findings, ("what is the request's own fault is told, not tried elsewhere", result.status >= 400 and not world.spare.asked(model), result)]


@scenario("X05", "an answer that says nothing")
def x05(world: World, name: str) -> list[Finding]:
    findings = []
    nothing = {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5}
    bodies = {
        "no choices": {"id": "1", "object": "chat.completion", "choices": [], "usage": nothing},
        "null": {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "stop"}], "usage": nothing},
        "empty": {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}], "usage": nothing},
    }
    for number, (label, body) in enumerate(bodies.items()):
        alias = f"{name}.{number}"
        model = world.prepare(alias)
        world.first.on(model, status(200, body))
        findings += [(f"{label}: {what}", holds, why) for what, holds, why in world.served_by_spare(world.call(alias, stream=False), model)]
    return findings


@scenario("X07", "a page of HTML instead of an answer")
def x07(world: World, name: str) -> list[Finding]:
    page = status(200, "<html><body>Request blocked. Error 1020</body></html>", "text/html")
    findings = []
    for stream in (False, True):
        alias = f"{name}.{stream}"
        model = world.prepare(alias)
        world.first.on(model, page)
        findings += world.served_by_spare(world.call(alias, stream=stream), model)
    return findings


@scenario("X21", "a filter stopped the answer")
def x21(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, lambda exchange: status(200, whole_answer(exchange, "Well,", "content_filter"))(exchange))
    result = world.call(name, stream=False)
    return [
        ("it is passed on as it is", (result.status, result.text, result.finish) == (200, "Well,", "content_filter"), result),
        ("and asked nowhere else", (len(world.first.asked(model)), len(world.spare.asked(model))) == (1, 0), result),
        ("and paid for", nanos(world.record(result)["cost_usd"]) == ONE_ANSWER_NANOS, world.record(result)),
    ]


# Streams -----------------------------------------------------------------------------------


@scenario("S07", "a head at once, the first word never")
def s07(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)

    def late(exchange: Exchange) -> None:
        exchange.send(SSE_HEAD)
        silent(exchange)

    world.first.on(model, late)
    return world.served_by_spare(world.call(name), model)


@scenario("S08", "a stream that breaks off after 40 of 60 words")
def s08(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, streamed(lambda exchange: [beginning(exchange), *words(exchange, 0, 40)]))
    result = world.call(name)
    record = world.record(result)
    return [
        ("the caller is told in the stream", result.is_honest_error, result),
        ("nothing is said twice", result.text == TEXT[: len(result.text)] and len(result.text.split()) == 40, result),
        ("the record does not call it a success", record["at_fault"] in ("provider", "network"), record),
        ("what was streamed is paid for", nanos(record["cost_usd"]) > 0, record),
    ]


@scenario("S09", "a stream that stops in its middle, with the connection open")
def s09(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)

    def stalls(exchange: Exchange) -> None:
        exchange.send(SSE_HEAD, beginning(exchange), *words(exchange, 0, 20))
        silent(exchange)

    world.first.on(model, stalls, healthy)
    result = world.call(name)
    after = world.call(name)
    return [
        ("the caller is told in time", result.is_honest_error and result.seconds < IN_TIME_SECONDS, result),
        ("the provider's connection is closed", world.first.asked(model)[0].caller_left_after is not None, ""),
        ("the next request is served", after.is_served, after),
    ]


@scenario("S10", "an event that is cut off, in a stream that goes on")
def s10(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    broken = 'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"del\n\n'
    world.first.on(
        model, streamed(lambda e: [beginning(e), *words(e, 0, 9), broken, *words(e, 9, 60), *ending(e), DONE])
    )  # fmt: skip
    result = world.call(name)
    return [("the caller is told, and gets no broken event", result.is_honest_error and all(one["message"] for one in result.errors), result)]


@scenario("S11", "a stream without [DONE]")
def s11(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, streamed(lambda e: [beginning(e), *words(e, 0, 60), *ending(e)]))
    result = world.call(name, stream_options={"include_usage": True})
    return [
        ("it is served at once", result.is_served and result.seconds < 2, result),
        ("with its usage", result.usage.get("completion_tokens") == COMPLETION_TOKENS, result.usage),
        *world.nothing_at_first(result),
    ]


@scenario("S14", "a stream breaks off, and the other place takes no beginnings")
def s14(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, streamed(lambda exchange: [beginning(exchange), *words(exchange, 0, 40)]))
    world.spare.on(model, error(400, "invalid_request_error", "invalid_prefill"))
    result = world.call(name)
    return [("the break itself is told", result.is_honest_error and "prefill" not in str(result.errors), result)]


@scenario("S16", "who answered is said")
def s16(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, error(503, "server_error", "overloaded"))
    result = world.call(name, stream=False)
    return [
        ("the answer's model is not the one that failed", result.model == f"real-{model}" and result.headers["x-claviger-model"] == f"groq/{model}", result),
        ("usage and cost are there", nanos(json.loads(result.body)["usage"]["cost"]) == ONE_ANSWER_NANOS, result.body[-300:]),
    ]


@scenario("X02", "a stream whose first event is an error")
def x02(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    refusal = event({"error": {"message": "The engine is overloaded", "type": "server_error", "code": 503}})
    world.first.on(model, streamed(refusal, DONE))
    alone = world.prepare(f"{name}alone", spare=False)
    world.first.on(alone, streamed(lambda e: [beginning(e), refusal], DONE))
    result, lonely = world.call(name), world.call(f"{name}alone")
    return world.served_by_spare(result, model) + [
        ("alone, also behind an empty beginning, it is a status and no stream", lonely.status >= 500 and lonely.is_honest_error, lonely)
    ]


@scenario("X03", "Anthropic's stream is overloaded before its first word")
def x03(world: World, name: str) -> list[Finding]:
    model = world.prepare(name, provider="anthropic", spare=False)
    begun = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1}}}
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    parts = [("message_start", begun), ("ping", {"type": "ping"}), ("error", overloaded)]
    world.first.on(model, streamed(*(f"event: {kind}\ndata: {json.dumps(data)}\n\n" for kind, data in parts)))
    result = world.call(name, path="/v1/messages")
    return [
        ("a status, and not one event", result.status in (503, 529) and b"message_start" not in result.body, f"{result} {result.body[:200]!r}"),
        ("in the caller's dialect", json.loads(result.body or b"{}").get("type") == "error", result.body[:300]),
    ]


@scenario("X04", "an error in the midst of a stream")
def x04(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    refusal = event({"error": {"message": "The engine broke", "type": "server_error", "code": "engine_error"}})
    world.first.on(model, streamed(lambda e: [beginning(e), *words(e, 0, 20)], refusal, DONE))
    result = world.call(name)
    return [
        ("exactly one error, and no ending", result.is_honest_error, result),
        ("nothing is said twice", result.text == TEXT[: len(result.text)] and len(result.text.split()) == 20, result),
        ("no other place is asked", not world.spare.asked(model), len(world.spare.asked(model))),
        ("what was streamed is paid for", nanos(world.record(result)["cost_usd"]) > 0, world.record(result)),
    ]


@scenario("X06", "a stream of nothing")
def x06(world: World, name: str) -> list[Finding]:
    findings = []
    for label, script in (("done", streamed(DONE)), ("end", streamed())):
        alias = f"{name}.{label}"
        model = world.prepare(alias)
        world.first.on(model, script)
        findings += world.served_by_spare(world.call(alias), model)
    return findings


@scenario("X10", "the caller leaves")
def x10(world: World, name: str) -> list[Finding]:
    early, late = world.prepare(f"{name}.early", spare=False), world.prepare(f"{name}.late", spare=False)
    world.first.on(early, silent)

    def endless(exchange: Exchange) -> None:
        exchange.send(SSE_HEAD, beginning(exchange), *words(exchange, 0, 5))
        silent(exchange)

    world.first.on(late, endless)
    leaving = socket.create_connection(("127.0.0.1", world.server.port))
    body = json.dumps({"model": f"{name}.early", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]})
    leaving.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.key}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    wait_for(lambda: world.first.asked(early))
    leaving.close()
    result = world.call(f"{name}.late", stop_after=4)
    wait_for(lambda: early_request(world), 5)
    world.requests += early_request(world)
    gone = [wait_for(lambda: one.caller_left_after is not None, 20) for one in (*world.first.asked(early), *world.first.asked(late))]
    record = world.record(result)
    return [
        ("the provider's connections are closed", gone == [True, True], gone),
        ("what was streamed is paid for", nanos(record["cost_usd"]) > 0 and record["caller_left"], record),
    ]


@scenario("X14", "a stream that never says its usage")
def x14(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    world.first.on(model, streamed(lambda e: [beginning(e), *words(e, 0, 60), chunk(e, {}, "stop")], DONE))
    result = world.call(name, stream_options={"include_usage": True})
    record = world.record(result)
    return [
        ("it is served", result.is_served, result),
        ("and never free: the cost is an estimate, and says so", nanos(record["cost_usd"]) > 0 and record["cost_state"] == "estimated", record),
    ]


@scenario("X16", "a stream that drips for ever")
def x16(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)

    def drips(exchange: Exchange) -> None:
        exchange.send(SSE_HEAD, beginning(exchange))
        for _ in range(200):
            exchange.send(*words(exchange, 0, 1))
            time.sleep(0.1)

    world.first.on(model, drips)
    result = world.call(name, max_tokens=16)
    return [("it ends with an error once what was held is used up", result.is_honest_error and result.seconds < IN_TIME_SECONDS, result)]


@scenario("X17", "a stream in the smallest pieces, with all that the format allows")
def x17(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    text = "ä€😀 " * 20

    def pieces(exchange: Exchange) -> None:
        lines = [": OPENROUTER PROCESSING\r\n\r\n", beginning(exchange).replace("\n", "\r\n")]
        lines += [chunk(exchange, {"content": one}).replace("\n", "\r\n") for one in text]
        lines += [": ping\n\n", *ending(exchange), DONE]
        data = "".join(json_escapes_kept(line) for line in lines).encode()
        exchange.send(SSE_HEAD)
        for at in range(0, 4000):
            exchange.send(data[at : at + 1])
        exchange.send(data[4000:])

    world.first.on(model, pieces)
    big = world.prepare(f"{name}.big")
    world.first.on(big, streamed(lambda e: [beginning(e), chunk(e, {"content": "x" * (1 << 20)}), *ending(e), DONE]))
    result, large = world.call(name), world.call(f"{name}.big", max_tokens=2_000_000)
    return [
        ("every character arrives", (result.text, result.finish, result.is_done) == (text, "stop", True), result),
        ("and a megabyte in one event", len(large.text) == 1 << 20 and large.is_done, f"{large.status} {len(large.text)}"),
        *world.nothing_at_first(result),
    ]


@scenario("X22", "a stream that dies after a tool call was begun")
def x22(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    call = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "pay", "arguments": '{"eu'}}]}
    world.first.on(model, streamed(lambda e: [beginning(e), chunk(e, call)]))
    tools = [{"type": "function", "function": {"name": "pay", "parameters": {"type": "object", "properties": {}}}}]
    result = world.call(name, tools=tools)
    return [
        ("an error, and no second call", result.is_honest_error and result.tools == 1, result),
        ("no other place is asked", not world.spare.asked(model), len(world.spare.asked(model))),
    ]


# Many requests -----------------------------------------------------------------------------


@scenario("S15", "a place that is down for a while")
def s15(world: World, name: str) -> list[Finding]:
    model = world.prepare(name)
    until = time.monotonic() + 4

    def flaps(exchange: Exchange) -> None:
        (error(503, "server_error", "overloaded") if time.monotonic() < until else healthy)(exchange)

    world.first.on(model, flaps)
    during = []
    while time.monotonic() < until - 0.3:
        during.append(world.call(name))
        time.sleep(0.3)
    asked = len(world.first.asked(model))
    is_back = wait_for(lambda: world.call(name).headers.get("x-claviger-model") == f"openai/{model}", 25, 0.5)
    return [
        ("every request is answered meanwhile", all(result.is_served for result in during), [str(result) for result in during if not result.is_served]),
        # Each thread of the server finds out by itself, after three failures.
        ("the place is not asked each time", asked <= 3 * (os.cpu_count() or 1) and asked < len(during), f"{asked} of {len(during)}"),
        ("and is asked again once it is well", is_back, ""),
    ]


@scenario("X11", "more requests at once than the budget covers")
def x11(world: World, name: str) -> list[Finding]:
    world.home.do("owner", "add", "bob")
    world.home.add_credential("bob", "openai", world.first.origin + "/v1", PROVIDER_KEY)
    world.home.do("model", "price", "openai/x11", "--owner", "bob", "--input", "1", "--output", "1000")
    budget = world.home.set_budget("owner:bob", "0.35")  # Each may cost a little above 0.10.
    key = world.home.create_key("bob", "notes")
    world.first.on("x11", lambda exchange: (time.sleep(0.5), healthy(exchange))[1])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: world.call("openai/x11", key=key, user=f"stranger-{number}"), range(8)))
    balance = world.home.balance(budget)
    served = [result for result in results if result.is_served]
    return [
        ("no more are let in than it covers", len(served) == 3 and len(world.first.asked("x11")) == 3, [result.status for result in results]),
        ("the others are told", all(result.status == 402 for result in results if not result.is_served), [str(result) for result in results]),
        ("and the limit holds", balance["spent"] <= balance["limit"], balance),
    ]


def early_request(world: World) -> list[str]:
    """The request whose caller never saw a head, from the listing."""
    rows = world.home.do("requests", "--owner", world.owner, "--json").rows()
    return [row["id"] for row in rows if row["model_asked"] == "X10.early"]


def wait_for(condition: Callable[[], object], seconds_max: float = 5, every: float = 0.05) -> bool:
    until = time.monotonic() + seconds_max
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(every)
    return False


def json_escapes_kept(line: str) -> str:
    """Characters as themselves in UTF-8 instead of escapes."""
    if not line.startswith("data: {"):
        return line
    data, end = line[6:].rstrip("\r\n"), line[len(line.rstrip("\r\n")) :]
    return "data: " + json.dumps(json.loads(data), ensure_ascii=False) + end


def everything_is_settled(checks: Checks, worlds: list[World]) -> None:
    """X12: after all that, nothing is held, and the sums agree."""
    held = {world.owner: world.home.balance(world.budget)["held"] for world in worlds}
    checks.check("X12: after all of it nothing is held", not any(held.values()), held)
    differences = {}
    for world in worlds:
        balance = world.home.balance(world.budget)
        paid = sum(nanos(hold["cost_usd"]) for request in world.requests for hold in world.home.record(request)["holds"])
        if balance["spent"] + balance["unconfirmed"] != paid:
            differences[world.owner] = (balance, paid)
    checks.check("X12: what each budget says was spent is the sum of every attempt", not differences, differences)


def main(names: list[str]) -> int:
    checks = Checks("failover")
    wanted = {name: SCENARIOS[name] for name in names or SCENARIOS}
    with Home() as home, ScriptedProvider() as first, ScriptedProvider() as spare:
        home.init("100.00")
        set_config(
            home,
            first_byte_seconds_max=str(FIRST_BYTE_SECONDS),
            idle_seconds_max=str(IDLE_SECONDS),
            connect_seconds_max=str(CONNECT_SECONDS),
        )
        with Server(home) as server, concurrent.futures.ThreadPoolExecutor(16) as pool:
            home.do("app", "add", "notes")
            worlds = []

            def tell(name: str, story: Scenario) -> list[Finding]:
                world = World(home, server, first, spare, name.lower())
                findings = story(world, name)
                worlds.append(world)
                return findings

            running = {name: pool.submit(tell, name, story) for name, (_, story) in wanted.items()}
            for name, (says, _) in wanted.items():
                with checks.story(f"{name}, {says}"):
                    for what, holds, why in running[name].result():
                        checks.check(f"{name}, {says}: {what}", holds, why)
            with checks.story("X12"):
                everything_is_settled(checks, worlds)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
