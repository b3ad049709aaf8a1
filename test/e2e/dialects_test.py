#!/usr/bin/env python3
"""Every SDK at every provider: the unmodified `openai` and `anthropic` SDKs for Python against
fake providers of both dialects, through a real server. What crosses between dialects must come
out as if it had not: tools, parallel tools, images, schemas, thinking and its signatures, stop
reasons, usage and cost, errors, cancelling.

Run: test/e2e/dialects_test.py
"""

from __future__ import annotations

import json
import sys

import sdks
from harness import Checks, Home, Server, nanos, read_json, wait_until

sdks.continue_in_venv()

import anthropic
import openai
from fake import FakeProvider

CLAUDE = "anthropic/claude-haiku-4-5"  # $1 in, $0.10 cached, $5 out, per million tokens.
GPT = "openai/gpt-4o-mini"
PROVIDER_KEY = "sk-fake-0123456789abcdefghijklmnopqrstuvwxyz"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
HELLO = [{"role": "user", "content": "Say hello."}]
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}
WEATHER = {"name": "weather", "description": "How it is", "input_schema": {"type": "object", "properties": {}}}
TIME = {"name": "time", "description": "What it is", "input_schema": {"type": "object", "properties": {}}}


def openai_tools() -> list[dict[str, object]]:
    return [
        {"type": "function", "function": {"name": tool["name"], "parameters": tool["input_schema"]}}
        for tool in (WEATHER, TIME)
    ]


class World:
    def __init__(self, home: Home, server: Server, fake: FakeProvider) -> None:
        self.home, self.server, self.fake = home, server, fake
        home.do("app", "add", "notes")
        home.do("owner", "add", "alice")
        home.add_credential("alice", "anthropic", f"http://127.0.0.1:{fake.port}", PROVIDER_KEY)
        home.add_credential("alice", "openai", fake.base_url, PROVIDER_KEY)
        self.budget = home.set_budget("owner:alice", "5.00")
        self.key = home.create_key("alice", "notes")
        root = server.base_url.removesuffix("/v1")
        self.openai = openai.OpenAI(base_url=server.base_url, api_key=self.key, max_retries=0, timeout=60)
        self.anthropic = anthropic.Anthropic(base_url=root, api_key=self.key, max_retries=0, timeout=60)

    def provider_saw(self) -> dict[str, object]:
        return read_json(self.fake.control("GET", "last")["body"])


class OpenAiCaller:
    """The OpenAI SDK at a provider of the Anthropic dialect."""

    def __init__(self, checks: Checks, world: World) -> None:
        self.checks, self.world, self.sdk = checks, world, world.openai

    def plain(self) -> None:
        raw = self.sdk.chat.completions.with_raw_response.create(model=CLAUDE, messages=HELLO, max_tokens=40)
        answer = raw.parse()
        self.checks.check("openai → anthropic: an answer has words", "I see 0 images" in answer.choices[0].message.content)
        self.checks.equal("and its stop reason", answer.choices[0].finish_reason, "stop")
        usage = answer.usage
        expected = usage.prompt_tokens * 1000 + usage.completion_tokens * 5000
        self.checks.equal("and its cost to the nano-dollar", nanos(read_json(raw.http_response.content)["usage"]["cost"]), expected)
        self.checks.equal("which the record has", nanos(self.world.home.record(raw.headers["x-claviger-request-id"])["cost_usd"]), expected)

    def length(self) -> None:
        answer = self.sdk.chat.completions.create(model=CLAUDE, messages=HELLO, max_tokens=3)
        self.checks.equal("openai → anthropic: a bound that was reached is `length`", answer.choices[0].finish_reason, "length")

    def streaming(self) -> None:
        stream = self.sdk.chat.completions.create(
            model=CLAUDE, messages=HELLO, max_tokens=40, stream=True, stream_options={"include_usage": True}
        )
        text, finish, usage = "", None, None
        for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
        self.checks.check("openai → anthropic: a stream has words", "I see 0 images" in text, text)
        self.checks.equal("its end has a reason", finish, "stop")
        self.checks.check("its usage event has the cost", usage is not None and usage.cost > 0, usage)

    def parallel_tools(self) -> None:
        messages = [{"role": "user", "content": "Weather and time?"}]
        answer = self.sdk.chat.completions.create(model=CLAUDE, messages=messages, max_tokens=60, tools=openai_tools())
        message = answer.choices[0].message
        self.checks.equal("openai → anthropic: tools are called", answer.choices[0].finish_reason, "tool_calls")
        self.checks.equal("both at once", [call.function.name for call in message.tool_calls], ["weather", "time"])
        self.checks.equal("with arguments to the letter", message.tool_calls[1].function.arguments, '{"number": 1.0}')
        messages.append(message.model_dump(exclude_none=True))
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "fine"} for call in message.tool_calls]
        done = self.sdk.chat.completions.create(model=CLAUDE, messages=messages, max_tokens=60, tools=openai_tools())
        self.checks.check("their results are taken in one turn", "3 messages" in done.choices[0].message.content, done)

    def streamed_tools(self) -> None:
        with self.sdk.chat.completions.stream(model=CLAUDE, messages=HELLO, max_tokens=60, tools=openai_tools()) as stream:
            calls = stream.get_final_completion().choices[0].message.tool_calls
        self.checks.equal("openai → anthropic: tools come out of a stream whole", [call.function.arguments for call in calls], ['{"number": 0.0}', '{"number": 1.0}'])
        one = self.sdk.chat.completions.create(model=CLAUDE, messages=HELLO, max_tokens=60, tools=openai_tools(), parallel_tool_calls=False)
        self.checks.equal("and one at a time where that is asked for", len(one.choices[0].message.tool_calls), 1)

    def images(self) -> None:
        content = [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        ]
        answer = self.sdk.chat.completions.create(model=CLAUDE, messages=[{"role": "user", "content": content}], max_tokens=40)
        self.checks.check("openai → anthropic: images and PDFs arrive", "2 images, 1 documents" in answer.choices[0].message.content, answer)

    def structured(self) -> None:
        answer = self.sdk.chat.completions.create(
            model=CLAUDE, messages=HELLO, max_tokens=40,
            response_format={"type": "json_schema", "json_schema": {"name": "pick", "schema": SCHEMA, "strict": True}},
        )  # fmt: skip
        self.checks.equal("openai → anthropic: a schema is kept to", read_json(answer.choices[0].message.content), {"colour": "red"})

    def thinking(self) -> None:
        messages = [*HELLO]
        answer = self.sdk.chat.completions.create(model=CLAUDE, messages=messages, max_tokens=3000, reasoning_effort="low")
        self.checks.equal("openai → anthropic: an effort is a budget", self.world.provider_saw()["thinking"], {"type": "enabled", "budget_tokens": 1024})
        message = answer.choices[0].message.model_dump(exclude_none=True)
        self.checks.check("what was thought is shown", message.get("reasoning_content"), message)
        messages += [message, {"role": "user", "content": "And now?"}]
        again = self.sdk.chat.completions.create(model=CLAUDE, messages=messages, max_tokens=3000, reasoning_effort="low")
        self.checks.check("its signature comes back unchanged", "3 messages" in again.choices[0].message.content, again)

    def errors(self) -> None:
        cases = [
            (400, "invalid_request_error", openai.BadRequestError),
            (401, "authentication_error", openai.AuthenticationError),
            (429, "rate_limit_error", openai.RateLimitError),
            (500, "api_error", openai.InternalServerError),
        ]
        for status, code, kind in cases:
            self.world.fake.behave(status=status, error_code=code, error_message="the fake's words", times=9)
            try:
                self.sdk.chat.completions.create(model=CLAUDE, messages=HELLO, max_tokens=40)
                self.checks.check(f"openai → anthropic: {status} is an error", False)
            except openai.APIStatusError as error:
                self.checks.check(f"openai → anthropic: {status} is {kind.__name__}", type(error) is kind, repr(error))
                self.checks.check("with the provider's words and a verdict", "the fake's words" in str(error) and error.body["claviger"]["remedy"], error.body)
            finally:
                self.world.fake.behave()

    def error_in_stream(self) -> None:
        self.world.fake.behave(error_after_events=5)
        try:
            list(self.sdk.chat.completions.create(model=CLAUDE, messages=HELLO, max_tokens=40, stream=True))
            self.checks.check("openai → anthropic: an error in a stream is raised", False)
        except openai.APIError as error:
            self.checks.check("openai → anthropic: an error in a stream is raised", "claviger" in json.dumps(error.body), repr(error))
        finally:
            self.world.fake.behave()

    def cancelling(self) -> None:
        self.world.fake.behave(delay_ms_between_events=20)
        try:
            stream = self.sdk.chat.completions.create(model=CLAUDE, messages=HELLO, max_tokens=2000, stream=True, extra_body={})
            for count, _ in enumerate(stream):
                if count == 2:
                    break
            stream.close()
        finally:
            self.world.fake.behave()
        record = self.world.home.record(stream.response.headers["x-claviger-request-id"])
        self.checks.check("openai → anthropic: a cancelled stream is noticed", record["caller_left"] is True, record)
        wait_until("no money stays held", lambda: self.world.home.balance(self.world.budget)["held"] == 0)

    def not_expressible(self) -> None:
        try:
            self.sdk.chat.completions.create(model=CLAUDE, messages=HELLO, max_tokens=40, seed=7)
            self.checks.check("openai → anthropic: a seed is refused", False)
        except openai.UnprocessableEntityError as error:
            self.checks.equal("openai → anthropic: what cannot be said is named", error.body["param"], "seed")
        raw = self.sdk.chat.completions.with_raw_response.create(
            model=CLAUDE, messages=HELLO, max_tokens=40, seed=7, extra_headers={"x-claviger-allow-drops": "seed"}
        )
        self.checks.equal("and left out where the caller allows it", raw.headers["x-claviger-dropped"], "seed")

    def long_conversation(self) -> None:
        messages: list[dict[str, object]] = []
        for turn in range(20):
            messages.append({"role": "user", "content": f"Turn {turn}"})
            answer = self.sdk.chat.completions.create(model=CLAUDE, messages=messages, max_tokens=40)
            messages.append({"role": "assistant", "content": answer.choices[0].message.content})
        self.checks.check("openai → anthropic: twenty turns", "39 messages" in str(messages[-1]["content"]), messages[-1])


class AnthropicCaller:
    """The Anthropic SDK at a provider of one dialect or the other."""

    def __init__(self, checks: Checks, world: World, model: str) -> None:
        self.checks, self.world, self.sdk, self.model = checks, world, world.anthropic, model
        self.way = f"anthropic → {model.split('/')[0]}"

    def plain(self) -> None:
        raw = self.sdk.messages.with_raw_response.create(model=self.model, max_tokens=40, system="Be kind.", messages=HELLO)
        answer = raw.parse()
        self.checks.check(f"{self.way}: an answer has words", answer.content[0].text, answer)
        self.checks.check("and a stop reason", answer.stop_reason in ("end_turn", "max_tokens"), answer.stop_reason)
        cost = nanos(read_json(raw.http_response.content)["usage"]["cost"])
        self.checks.equal("its cost is the record's", cost, nanos(self.world.home.record(raw.headers["x-claviger-request-id"])["cost_usd"]))
        self.checks.check("and its counts are told", answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, answer.usage)

    def streaming(self) -> None:
        with self.sdk.messages.stream(model=self.model, max_tokens=40, messages=HELLO) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.checks.check(f"{self.way}: a stream has words", text and final.content[0].text == text, text)
        self.checks.check("its end has a reason and counts", final.stop_reason and final.usage.output_tokens > 0 and final.usage.input_tokens > 0, final)

    def errors(self) -> None:
        cases = [
            (400, anthropic.BadRequestError),
            (401, anthropic.AuthenticationError),
            (429, anthropic.RateLimitError),
            (500, anthropic.InternalServerError),
        ]
        for status, kind in cases:
            self.world.fake.behave(status=status, error_message="the fake's words", times=9)
            try:
                self.sdk.messages.create(model=self.model, max_tokens=40, messages=HELLO)
                self.checks.check(f"{self.way}: {status} is an error", False)
            except anthropic.APIStatusError as error:
                self.checks.check(f"{self.way}: {status} is {kind.__name__}", type(error) is kind, repr(error))
                self.checks.check("with the provider's words and a verdict", "the fake's words" in str(error) and error.body["error"]["claviger"]["remedy"], error.body)
            finally:
                self.world.fake.behave()

    def error_in_stream(self) -> None:
        self.world.fake.behave(error_after_events=3)
        try:
            with self.sdk.messages.stream(model=self.model, max_tokens=40, messages=HELLO) as stream:
                stream.until_done()
            self.checks.check(f"{self.way}: an error in a stream is raised", False)
        except anthropic.APIError as error:
            self.checks.check(f"{self.way}: an error in a stream is raised", True, repr(error))
        finally:
            self.world.fake.behave()

    def cancelling(self) -> None:
        self.world.fake.behave(delay_ms_between_events=20)
        try:
            with self.sdk.messages.stream(model=self.model, max_tokens=2000, messages=HELLO) as stream:
                request_id = stream.response.headers["x-claviger-request-id"]
                for count, _ in enumerate(stream):
                    if count == 3:
                        break
        finally:
            self.world.fake.behave()
        self.checks.check(f"{self.way}: a cancelled stream is noticed", self.world.home.record(request_id)["caller_left"] is True)

    def counting(self) -> None:
        counted = self.sdk.messages.count_tokens(model=self.model, messages=HELLO)
        self.checks.check(f"{self.way}: tokens are counted", counted.input_tokens > 0, counted)

    def refusals(self) -> None:
        for name, kind, call in (
            ("an unknown model", anthropic.NotFoundError, lambda: self.sdk.messages.create(model="anthropic-none/x", max_tokens=4, messages=HELLO)),
            ("a wrong key", anthropic.AuthenticationError, lambda: self.sdk.with_options(api_key="clv_" + "A" * 49).messages.create(model=self.model, max_tokens=4, messages=HELLO)),
        ):  # fmt: skip
            try:
                call()
                self.checks.check(f"{self.way}: {name} is refused", False)
            except anthropic.APIStatusError as error:
                self.checks.check(f"{self.way}: {name} is {kind.__name__}", type(error) is kind and error.body["error"]["claviger"]["say"], repr(error))

    def long_conversation(self) -> None:
        messages: list[dict[str, object]] = []
        for turn in range(20):
            messages.append({"role": "user", "content": f"Turn {turn}"})
            answer = self.sdk.messages.create(model=self.model, max_tokens=40, messages=messages)
            messages.append({"role": "assistant", "content": answer.content})
        self.checks.equal(f"{self.way}: twenty turns", len(messages), 40)

    # These need a provider that does as it is told: the fake's Anthropic dialect does.
    def tools(self) -> None:
        messages: list[dict[str, object]] = [*HELLO]
        with self.sdk.messages.stream(model=self.model, max_tokens=60, messages=messages, tools=[WEATHER, TIME]) as stream:
            answer = stream.get_final_message()
        self.checks.equal(f"{self.way}: tools are called", answer.stop_reason, "tool_use")
        calls = [block for block in answer.content if block.type == "tool_use"]
        self.checks.equal("both at once", [call.input for call in calls], [{"number": 0.0}, {"number": 1.0}])
        messages.append({"role": "assistant", "content": answer.content})
        messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "fine"} for call in calls]})
        done = self.sdk.messages.create(model=self.model, max_tokens=60, messages=messages, tools=[WEATHER, TIME])
        self.checks.check("their results are taken", "3 messages" in done.content[0].text, done)

    def thinking(self) -> None:
        messages: list[dict[str, object]] = [*HELLO]
        wish = {"type": "enabled", "budget_tokens": 1024}
        answer = self.sdk.messages.create(model=self.model, max_tokens=3000, messages=messages, thinking=wish)
        self.checks.equal(f"{self.way}: thinking comes first", answer.content[0].type, "thinking")
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": "And now?"}]
        again = self.sdk.messages.create(model=self.model, max_tokens=3000, messages=messages, thinking=wish)
        self.checks.check("its signature comes back unchanged", "3 messages" in again.content[1].text, again)


def main() -> int:
    checks = Checks("dialects")
    with FakeProvider() as fake, Home() as home:
        home.init()
        with Server(home) as server:
            world = World(home, server, fake)
            stranger = OpenAiCaller(checks, world)
            native = AnthropicCaller(checks, world, CLAUDE)
            crossing = AnthropicCaller(checks, world, GPT)
            stories = [
                stranger.plain, stranger.length, stranger.streaming, stranger.parallel_tools, stranger.streamed_tools,
                stranger.images, stranger.structured, stranger.thinking, stranger.errors, stranger.error_in_stream,
                stranger.cancelling, stranger.not_expressible, stranger.long_conversation,
                native.plain, native.streaming, native.tools, native.thinking, native.errors, native.error_in_stream,
                native.cancelling, native.counting, native.refusals, native.long_conversation,
                crossing.plain, crossing.streaming, crossing.errors, crossing.error_in_stream, crossing.cancelling,
                crossing.counting, crossing.refusals, crossing.long_conversation,
            ]  # fmt: skip
            for story in stories:
                with checks.story(f"{type(story.__self__).__name__} {story.__name__}".replace("_", " ")):
                    story()
            listed = [model.id for model in world.anthropic.models.list()]
            checks.check("models.list of the Anthropic SDK names models", CLAUDE in listed, listed[:5])
            bill = fake.bill()["cost_nanos"]
            checks.check("the fake billed something", bill > 0, bill)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
