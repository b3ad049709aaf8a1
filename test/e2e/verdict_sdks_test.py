#!/usr/bin/env python3
"""What applications see of a verdict: the unmodified SDKs of OpenAI, Anthropic and Google, for Python
and for Node, each at a provider of its own dialect and of another, with failures that the provider
scripts. Each SDK raises what it always raises, and has the verdict in the error's body, in the
headers and, once a stream has begun, in its last event.

Run: test/e2e/verdict_sdks_test.py   (needs npm)
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sdks
from harness import Checks, Home, Server

sdks.continue_in_venv()

import anthropic
import openai
from google import genai
from scripted import (
    SSE_HEAD,
    Exchange,
    Script,
    ScriptedProvider,
    beginning,
    error,
    event,
    status,
    streamed,
    words,
)

PROVIDER_KEY = "sk-scripted-0123456789abcdefghijklmnopqrstuvwxyz"
WORDS = "The provider's own words."
OVERLOADED_WORDS = "The engine is currently overloaded, please try again later. " + WORDS
FIELDS = ("request_id", "at_fault", "cause", "confidence", "say", "remedy", "retry", "evidence")


@dataclass
class Seen:
    """What an application gets from its SDK."""

    kind: str  # The class of the exception.
    code: int | None
    words: str
    verdict: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""  # Of a stream, before it failed.
    is_finished: bool = False  # A stream that says that it ended well.


@dataclass
class Failure:
    name: str
    script: Script
    kinds: tuple[str, str, str]  # As openai, anthropic and google-genai raise it.
    code: int
    at_fault: str
    cause: str
    retry: str


# OpenAI's forms: platform.openai.com/docs/guides/error-codes, seen 2026-11-26.
OPENAI_FAILURES = [
    Failure("a wrong key", error(401, "invalid_request_error", "invalid_api_key", WORDS),
            ("AuthenticationError", "AuthenticationError", "ClientError"), 401, "key", "key_invalid", "no"),
    Failure("no money left", error(429, "insufficient_quota", "insufficient_quota", WORDS),
            ("RateLimitError", "RateLimitError", "ClientError"), 429, "account", "insufficient_quota", "no"),
    Failure("too long", error(400, "invalid_request_error", "context_length_exceeded", WORDS),
            ("BadRequestError", "BadRequestError", "ClientError"), 400, "app", "context_overflow", "no"),
    Failure("no such model", error(404, "invalid_request_error", "model_not_found", WORDS),
            ("NotFoundError", "NotFoundError", "ClientError"), 404, "model", "model_not_found", "no"),
    Failure("overloaded", error(503, "service_unavailable_error", "server_is_overloaded", OVERLOADED_WORDS),
            ("InternalServerError", ("ServiceUnavailableError", "OverloadedError", "InternalServerError"), "ServerError"),
            503, "provider", "provider_overloaded", "yes"),
]  # fmt: skip

# docs.anthropic.com/en/api/errors, seen 2026-11-26.
ANTHROPIC_FAILURES = [
    Failure("a wrong key", status(401, {"type": "error", "error": {"type": "authentication_error", "message": WORDS}}),
            ("AuthenticationError", "AuthenticationError", "ClientError"), 401, "key", "key_invalid", "no"),
    Failure("overloaded", status(529, {"type": "error", "error": {"type": "overloaded_error", "message": WORDS}}),
            ("InternalServerError", ("InternalServerError", "OverloadedError"), "ServerError"), 529, "provider", "provider_overloaded", "yes"),
]  # fmt: skip

# ai.google.dev/gemini-api/docs/troubleshooting, seen 2026-11-26.
GEMINI_FAILURES = [
    Failure("a wrong key", status(400, {"error": {"code": 400, "message": WORDS, "status": "INVALID_ARGUMENT", "details": [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]}}),
            ("BadRequestError", "BadRequestError", "ClientError"), 400, "key", "key_invalid", "no"),
    Failure("overloaded", status(503, {"error": {"code": 503, "message": "The model is overloaded. " + WORDS, "status": "UNAVAILABLE"}}),
            ("InternalServerError", ("ServiceUnavailableError", "OverloadedError", "InternalServerError"), "ServerError"), 503, "provider", "provider_overloaded", "yes"),
]  # fmt: skip


class OpenAiSdk:
    name = "openai"
    number = 0
    shows_headers = heeds_header = True

    def __init__(self, server: Server, key: str) -> None:
        self.server, self.key = server, key

    def ask(self, model: str, stream: bool = False, retries: int = 0) -> Seen:
        sdk = openai.OpenAI(base_url=self.server.base_url, api_key=self.key, max_retries=retries, timeout=60)
        text, is_finished, headers = "", False, {}
        try:
            answer = sdk.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "Say sixty words."}], max_tokens=100, stream=stream
            )
            if stream:
                headers = dict(answer.response.headers)
                for chunk in answer:
                    for choice in chunk.choices:
                        text += choice.delta.content or ""
                        is_finished |= choice.finish_reason is not None
        except openai.APIError as raised:
            body = raised.body if isinstance(raised.body, dict) else {}
            if isinstance(raised, openai.APIStatusError):
                headers = dict(raised.response.headers)
            code = getattr(raised, "status_code", None)
            return Seen(type(raised).__name__, code, str(raised), body.get("claviger", {}), headers, text, is_finished)
        return Seen("", None, "", {}, headers, text, is_finished)


class ResponsesSdk:
    """OpenAI's SDK with its Responses API."""

    name = "openai responses"
    number = 0
    shows_headers = heeds_header = True

    def __init__(self, server: Server, key: str) -> None:
        self.server, self.key = server, key

    def ask(self, model: str, stream: bool = False, retries: int = 0) -> Seen:
        sdk = openai.OpenAI(base_url=self.server.base_url, api_key=self.key, max_retries=retries, timeout=60)
        text, is_finished, headers = "", False, {}
        try:
            answer = sdk.responses.create(model=model, input="Say sixty words.", max_output_tokens=100, stream=stream)
            if stream:
                headers = dict(answer.response.headers)
                for item in answer:
                    if item.type == "response.output_text.delta":
                        text += item.delta
                    is_finished |= item.type in ("response.completed", "response.incomplete")
        except openai.APIError as raised:
            body = raised.body if isinstance(raised.body, dict) else {}
            if isinstance(raised, openai.APIStatusError):
                headers = dict(raised.response.headers)
            code = getattr(raised, "status_code", None)
            return Seen(type(raised).__name__, code, str(raised), body.get("claviger", {}), headers, text, is_finished)
        return Seen("", None, "", {}, headers, text, is_finished)


class AnthropicSdk:
    name = "anthropic"
    number = 1
    shows_headers = heeds_header = True

    def __init__(self, server: Server, key: str) -> None:
        self.root, self.key = server.base_url.removesuffix("/v1"), key

    def ask(self, model: str, stream: bool = False, retries: int = 0) -> Seen:
        sdk = anthropic.Anthropic(base_url=self.root, api_key=self.key, max_retries=retries, timeout=60)
        text, is_finished, headers = "", False, {}
        try:
            answer = sdk.messages.create(
                model=model, messages=[{"role": "user", "content": "Say sixty words."}], max_tokens=100, stream=stream
            )
            if stream:
                headers = dict(answer.response.headers)
                for item in answer:
                    if item.type == "content_block_delta":
                        text += getattr(item.delta, "text", "")
                    is_finished |= item.type in ("message_delta", "message_stop")
        except anthropic.APIError as raised:
            body = raised.body if isinstance(raised.body, dict) else {}
            if isinstance(raised, anthropic.APIStatusError):
                headers = dict(raised.response.headers)
            verdict = body.get("error", {}).get("claviger", {})
            code = getattr(raised, "status_code", None)
            return Seen(type(raised).__name__, code, str(raised), verdict, headers, text, is_finished)
        return Seen("", None, "", {}, headers, text, is_finished)


class GeminiSdk:
    name = "google-genai"
    number = 2
    shows_headers = True
    heeds_header = False

    def __init__(self, server: Server, key: str) -> None:
        self.root, self.key = server.base_url.removesuffix("/v1"), key

    def ask(self, model: str, stream: bool = False, retries: int = 0) -> Seen:
        sdk = genai.Client(
            api_key=self.key,
            http_options=genai.types.HttpOptions(
                base_url=self.root, timeout=60_000, retry_options=genai.types.HttpRetryOptions(attempts=retries + 1)
            ),
        )
        text, is_finished = "", False
        wish = {"model": model, "contents": "Say sixty words.", "config": {"max_output_tokens": 100}}
        try:
            if stream:
                for chunk in sdk.models.generate_content_stream(**wish):
                    text += chunk.text or ""
                    is_finished |= any(one.finish_reason for one in chunk.candidates or ())
            else:
                sdk.models.generate_content(**wish)
        except genai.errors.APIError as raised:
            details = raised.details if isinstance(raised.details, dict) else {}
            verdict = details.get("error", {}).get("claviger", {})
            headers = dict(getattr(raised.response, "headers", None) or {})
            return Seen(type(raised).__name__, raised.code, str(raised), verdict, headers, text, is_finished)
        return Seen("", None, "", {}, {}, text, is_finished)


class NodeSdk:
    """One of the SDKs for Node, in the process `node` (sdk/ask.mjs)."""

    def __init__(self, node: subprocess.Popen[str], sdk: str, number: int) -> None:
        self.node, self.sdk, self.number = node, sdk, number
        self.name = f"{sdk} for Node"
        self.heeds_header = self.shows_headers = sdk != "google"

    def ask(self, model: str, stream: bool = False, retries: int = 0) -> Seen:
        assert self.node.stdin is not None and self.node.stdout is not None
        question = {"sdk": self.sdk, "model": model, "stream": stream, "retries": retries}
        print(json.dumps(question), file=self.node.stdin, flush=True)
        return Seen(**json.loads(self.node.stdout.readline()))


Sdk = OpenAiSdk | ResponsesSdk | AnthropicSdk | GeminiSdk | NodeSdk


@contextlib.contextmanager
def node_sdks(server: Server, key: str) -> Iterator[list[Sdk]]:
    binary, folder = sdks.node()
    root = server.base_url.removesuffix("/v1")
    with subprocess.Popen(
        [str(binary), str(sdks.PINS / "ask.mjs")],
        env={"PATH": "/usr/bin:/bin", "SDK_FOLDER": str(folder), "ROOT_URL": root, "KEY": key},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as node:
        try:
            yield [NodeSdk(node, sdk, number) for number, sdk in enumerate(("openai", "anthropic", "google"))]
        finally:
            node.kill()


def judged(checks: Checks, way: str, seen: Seen, failure: Failure, sdk: Sdk) -> None:
    """The verdict, where the application looks for it."""
    kinds = failure.kinds[sdk.number] if sdk.shows_headers else "ApiError"  # Google's for Node has one class.
    checks.check(f"{way}: the SDK raises what it always raises", seen.kind in kinds if isinstance(kinds, tuple) else seen.kind == kinds, seen)
    checks.equal(f"{way}: the provider's status is kept", seen.code, failure.code)
    checks.check(f"{way}: and its words", WORDS in seen.words, seen)
    checks.equal(f"{way}: the body has the whole verdict", [name for name in FIELDS if name not in seen.verdict], [])
    said = tuple(seen.verdict.get(name) for name in ("at_fault", "cause", "retry"))
    checks.equal(f"{way}: and it is right", said, (failure.at_fault, failure.cause, failure.retry))
    if not sdk.shows_headers:
        return
    checks.equal(f"{way}: the header names the party", seen.headers.get("x-claviger-fault"), failure.at_fault)
    checks.equal(f"{way}: and whether to try again", seen.headers.get("x-should-retry"), "false" if failure.retry == "no" else "true")
    checks.equal(f"{way}: body and header name one request", seen.verdict.get("request_id"), seen.headers.get("x-claviger-request-id"))


def broken_off(checks: Checks, way: str, seen: Seen, at_fault: str, cause: str) -> None:
    """A stream that fails in its midst."""
    checks.check(f"{way}: the words that came are there", "word0 word1" in seen.text, seen)
    checks.check(f"{way}: then the SDK raises", seen.kind, seen)
    checks.equal(f"{way}: with the verdict", (seen.verdict.get("at_fault"), seen.verdict.get("cause")), (at_fault, cause))
    checks.equal(f"{way}: whole", [name for name in FIELDS if name not in seen.verdict], [])
    checks.check(f"{way}: and nothing says that it ended well", not seen.is_finished, seen)


OVERLOADED = {"message": OVERLOADED_WORDS, "type": "service_unavailable_error", "code": "server_is_overloaded", "param": None}


def openai_stream_error(exchange: Exchange) -> list[str]:
    return [beginning(exchange), *words(exchange, 0, 3), event({"error": OVERLOADED})]


def anthropic_stream_error(exchange: Exchange) -> None:
    def named(name: str, **data: object) -> str:
        return f"event: {name}\n" + event({"type": name, **data})

    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
               "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 1}}  # fmt: skip
    exchange.send(
        SSE_HEAD,
        named("message_start", message=message),
        named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *[named("content_block_delta", index=0, delta={"type": "text_delta", "text": f"word{n} "}) for n in range(3)],
        named("error", error={"type": "overloaded_error", "message": WORDS}),
    )


def gemini_stream_error(exchange: Exchange) -> None:
    def candidate(text: str) -> str:
        return event({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}]})

    exchange.send(
        SSE_HEAD,
        *[candidate(f"word{number} ") for number in range(3)],
        event({"error": {"code": 503, "message": "The model is overloaded. " + WORDS, "status": "UNAVAILABLE"}}),
    )


class World:
    def __init__(self, home: Home, server: Server, provider: ScriptedProvider) -> None:
        self.home, self.provider = home, provider
        home.do("app", "add", "notes")
        home.do("owner", "add", "alice")
        home.add_credential("alice", "openai", provider.origin + "/v1", PROVIDER_KEY)
        home.add_credential("alice", "anthropic", provider.origin, PROVIDER_KEY)
        home.add_credential("alice", "google", provider.origin + "/v1beta", PROVIDER_KEY)
        home.set_budget("owner:alice", "50.00")
        self.key = home.create_key("alice", "notes")
        self.python_sdks: list[Sdk] = [OpenAiSdk(server, self.key), AnthropicSdk(server, self.key), GeminiSdk(server, self.key)]
        self.models = 0

    def model(self, provider: str, script: Script) -> str:
        """A new model that answers so."""
        self.models += 1
        name = f"m{self.models}"
        self.home.do("model", "price", f"{provider}/{name}", "--owner", "alice", "--input", "1", "--output", "2")
        self.provider.on("" if provider == "google" else name, script)  # Gemini's bodies name no model.
        return f"{provider}/{name}"

    def asked(self, model: str) -> int:
        return len(self.provider.asked(model.partition("/")[2]))


def whole(checks: Checks, world: World, sdk: Sdk, provider: str, failures: list[Failure]) -> None:
    for failure in failures:
        seen = sdk.ask(world.model(provider, failure.script))
        judged(checks, f"{sdk.name} → {provider}, {failure.name}", seen, failure, sdk)


def begun(checks: Checks, world: World, sdk: Sdk, provider: str, script: Script, cause: str) -> None:
    seen = sdk.ask(world.model(provider, script), stream=True)
    broken_off(checks, f"{sdk.name} → {provider}, an error in a stream", seen, "provider", cause)


def cut(checks: Checks, world: World, sdk: Sdk) -> None:
    """The provider hangs up in the middle, without a word of error."""
    seen = sdk.ask(world.model("openai", streamed(lambda exchange: [beginning(exchange), *words(exchange, 0, 3)])), stream=True)
    broken_off(checks, f"{sdk.name}, a stream that is cut off", seen, "provider", "provider_broke_off")


def bought_once(checks: Checks, world: World, sdk: Sdk) -> None:
    """An SDK that would try three times more is told not to."""
    no_money = OPENAI_FAILURES[1]
    model = world.model("openai", no_money.script)
    seen = sdk.ask(model, retries=3)
    checks.equal(f"{sdk.name}: what cannot succeed is asked once, whatever the SDK does by itself", world.asked(model), 1)
    judged(checks, f"{sdk.name} with retries", seen, no_money, sdk)


OWN: list[tuple[str, list[Failure], Script]] = [
    ("openai", OPENAI_FAILURES, streamed(openai_stream_error)),
    ("anthropic", ANTHROPIC_FAILURES, anthropic_stream_error),
    ("google", GEMINI_FAILURES, gemini_stream_error),
]


def tell(checks: Checks, world: World, sdk: Sdk) -> None:
    """All that one SDK sees."""
    provider, failures, script = OWN[sdk.number]
    stories: list[tuple[str, Callable[[], None]]] = [
        ("at its own provider", lambda: whole(checks, world, sdk, provider, failures)),
        ("streamed at its own provider", lambda: begun(checks, world, sdk, provider, script, "provider_overloaded")),
        ("cut off", lambda: cut(checks, world, sdk)),
    ]
    if provider != "openai":
        name, failures_there, script_there = OWN[0]
        stories += [
            ("at OpenAI's dialect", lambda: whole(checks, world, sdk, name, failures_there)),
            ("streamed at OpenAI's dialect", lambda: begun(checks, world, sdk, name, script_there, "provider_overloaded")),
        ]
    if sdk.heeds_header:
        stories.append(("told not to retry", lambda: bought_once(checks, world, sdk)))
    for name_of_story, story in stories:
        with checks.story(f"{sdk.name} {name_of_story}"):
            story()


def main() -> int:
    checks = Checks("verdict-sdks")
    with ScriptedProvider() as provider, Home() as home:
        home.init("100.00")
        with Server(home) as server:
            world = World(home, server, provider)
            for sdk in world.python_sdks:
                tell(checks, world, sdk)
            responses = ResponsesSdk(server, world.key)
            for provider_name, failures, script in OWN[1:]:
                with checks.story(f"{responses.name} at {provider_name}"):
                    whole(checks, world, responses, provider_name, failures)
                    begun(checks, world, responses, provider_name, script, "provider_overloaded")
            with checks.story("the SDKs for Node"), node_sdks(server, world.key) as there:
                for sdk in there:
                    tell(checks, world, sdk)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
