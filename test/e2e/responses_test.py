#!/usr/bin/env python3
"""OpenAI's Responses API through the unmodified `openai` SDK for Python: passed through at a fake
OpenAI, translated at fake providers of chat completions and of the Anthropic dialect. The same
stories at each, so that an application need not know where its model is.

Run: test/e2e/responses_test.py
"""

from __future__ import annotations

import json
import sys

import sdks
from harness import Checks, Home, Server, nanos, read_json, wait_until

sdks.continue_in_venv()

import openai
from fake import FakeProvider

GPT = "openai/gpt-4o-mini"  # Speaks it itself.
CLAUDE = "anthropic/claude-haiku-4-5"
BOX = "box/gpt-4o-mini"  # Chat completions.
PROVIDER_KEY = "sk-fake-0123456789abcdefghijklmnopqrstuvwxyz"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
HELLO = "Say hello."
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}, "strict": False}
    for name in ("weather", "time")
]


class World:
    def __init__(self, home: Home, server: Server, fake: FakeProvider) -> None:
        self.home, self.server, self.fake = home, server, fake
        home.do("app", "add", "notes")
        for owner in ("alice", "bob"):
            home.do("owner", "add", owner)
            home.add_credential(owner, "openai", fake.base_url, PROVIDER_KEY)
        home.add_credential("alice", "anthropic", f"http://127.0.0.1:{fake.port}", PROVIDER_KEY)
        home.add_credential("alice", "openai-compatible", fake.base_url, PROVIDER_KEY, name="box")
        home.do("model", "price", BOX, "--owner", "alice", "--input", "0.15", "--output", "0.60")
        self.budget = home.set_budget("owner:alice", "5.00")
        home.set_budget("owner:bob", "0.000000005")
        self.key = home.create_key("alice", "notes")
        self.sdk = self.with_key(self.key)
        self.poor = self.with_key(home.create_key("bob", "notes"))

    def with_key(self, key: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.server.base_url, api_key=key, max_retries=0, timeout=60)

    def provider_saw(self) -> dict[str, object]:
        return read_json(self.fake.control("GET", "last")["body"])


class Caller:
    """The stories that are told at every provider."""

    def __init__(self, checks: Checks, world: World, model: str) -> None:
        self.checks, self.world, self.sdk, self.model = checks, world, world.sdk, model
        self.way = f"responses → {model.split('/')[0]}"

    def check(self, name: str, holds: object, why: object = "") -> None:
        self.checks.check(f"{self.way}: {name}", holds, why)

    def plain(self) -> None:
        raw = self.sdk.responses.with_raw_response.create(
            model=self.model, input=HELLO, instructions="Be kind.", max_output_tokens=200
        )
        answer = raw.parse()
        self.check("an answer has words", answer.output_text, answer)
        self.check("it is complete", answer.status == "completed" and answer.error is None, answer)
        usage = answer.usage
        self.check("its counts are told", usage.input_tokens > 0 and usage.output_tokens > 0, usage)
        cost = nanos(read_json(raw.http_response.content)["usage"]["cost"])
        record = self.world.home.record(raw.headers["x-claviger-request-id"])
        self.check("its cost is the record's", cost == nanos(record["cost_usd"]) > 0, (cost, record))
        self.check("and the header's", cost == nanos(raw.headers["x-claviger-cost"]), raw.headers)

    def bounded(self) -> None:
        answer = self.sdk.responses.create(model=self.model, input=HELLO, max_output_tokens=16)
        self.check("a bound that was reached is said", answer.status == "incomplete", answer)
        self.check("and why", answer.incomplete_details.reason == "max_output_tokens", answer.incomplete_details)

    def streaming(self) -> None:
        events = list(self.sdk.responses.create(model=self.model, input=HELLO, max_output_tokens=200, stream=True))
        kinds = [event.type for event in events]
        self.check("a stream begins as it is documented", kinds[:2] == ["response.created", "response.in_progress"], kinds)
        self.check("and ends with the answer", kinds[-1] == "response.completed", kinds)
        numbers = [event.sequence_number for event in events]
        self.check("its events are numbered", numbers == list(range(len(events))), numbers)
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        final = events[-1].response
        self.check("its pieces are the text", text and text == final.output_text, (text, final.output_text))
        self.check("its end has the cost", final.usage.cost > 0, final.usage)

    def helper(self) -> None:
        with self.sdk.responses.stream(model=self.model, input=HELLO, max_output_tokens=200) as stream:
            stream.until_done()
            final = stream.get_final_response()
        self.check("the streaming helper assembles the answer", final.output_text, final)

    def conversation(self) -> None:
        items: list[object] = []
        for turn in range(10):
            items.append({"role": "user", "content": f"Turn {turn}"})
            answer = self.sdk.responses.create(model=self.model, input=items, max_output_tokens=40, store=False)
            items += answer.output
        self.check("ten turns of items", answer.output_text, answer)

    def errors(self) -> None:
        cases = [
            (400, openai.BadRequestError), (401, openai.AuthenticationError), (429, openai.RateLimitError),
            (500, openai.InternalServerError),
        ]  # fmt: skip
        for status, kind in cases:
            self.world.fake.behave(status=status, error_message="the fake's words", times=9)
            try:
                self.sdk.responses.create(model=self.model, input=HELLO, max_output_tokens=40)
                self.check(f"{status} is an error", False)
            except openai.APIStatusError as error:
                self.check(f"{status} is {kind.__name__}", type(error) is kind, repr(error))
                self.check(
                    "with the provider's words and a verdict",
                    "the fake's words" in str(error) and error.body["claviger"]["remedy"], error.body,
                )  # fmt: skip
            finally:
                self.world.fake.behave()

    def cancelling(self) -> None:
        self.world.fake.behave(delay_ms_between_events=20)
        try:
            stream = self.sdk.responses.create(model=self.model, input=HELLO, max_output_tokens=2000, stream=True)
            for count, _ in enumerate(stream):
                if count == 5:
                    break
            stream.close()
        finally:
            self.world.fake.behave()
        record = self.world.home.record(stream.response.headers["x-claviger-request-id"])
        self.check("a cancelled stream is noticed", record["caller_left"] is True, record)
        wait_until("no money stays held", lambda: self.world.home.balance(self.world.budget)["held"] == 0)

    def truncated(self) -> None:
        self.world.fake.behave(truncate_bytes=1600)
        try:
            events = list(self.sdk.responses.create(model=self.model, input=HELLO, max_output_tokens=200, stream=True))
            self.check("a stream that breaks off is an error", False, events[-1])
        except openai.APIError as error:
            self.check("a stream that breaks off is an error", error.body["claviger"]["say"], repr(error))
        finally:
            self.world.fake.behave()

    def refusals(self) -> None:
        for name, kind, call in (
            ("an unknown model", openai.NotFoundError, lambda: self.sdk.responses.create(model="none/x", input=HELLO)),
            ("a wrong key", openai.AuthenticationError, lambda: self.world.with_key("clv_" + "A" * 49).responses.create(model=self.model, input=HELLO)),
            ("a bound of the wrong type", openai.BadRequestError, lambda: self.sdk.responses.create(model=self.model, input=HELLO, max_output_tokens="many")),
        ):  # fmt: skip
            try:
                call()
                self.check(f"{name} is refused", False)
            except openai.APIStatusError as error:
                self.check(f"{name} is {kind.__name__}", type(error) is kind and error.body["claviger"]["say"], repr(error))

    # These need a provider that does as it is told: the fake's chat completions have no tools.
    def tools(self) -> None:
        items: list[object] = [{"role": "user", "content": "Weather and time?"}]
        answer = self.sdk.responses.create(model=self.model, input=items, max_output_tokens=200, tools=TOOLS)
        calls = [item for item in answer.output if item.type == "function_call"]
        self.check("tools are called, both at once", [call.name for call in calls] == ["weather", "time"], answer.output)
        self.check("with arguments to the letter", calls[1].arguments == '{"number": 1.0}', calls)
        items += answer.output
        items += [{"type": "function_call_output", "call_id": call.call_id, "output": "fine"} for call in calls]
        done = self.sdk.responses.create(model=self.model, input=items, max_output_tokens=200, tools=TOOLS)
        self.check("their results are taken", "I see" in done.output_text, done)
        one = self.sdk.responses.create(model=self.model, input=HELLO, max_output_tokens=200, tools=TOOLS, parallel_tool_calls=False)
        self.check("and one at a time where that is asked for", len(one.output) == 1, one.output)

    def streamed_tools(self) -> None:
        with self.sdk.responses.stream(model=self.model, input=HELLO, max_output_tokens=200, tools=TOOLS) as stream:
            kinds = [event.type for event in stream]
            calls = stream.get_final_response().output
        self.check("tools come out of a stream whole", [json.loads(call.arguments) for call in calls] == [{"number": 0}, {"number": 1}], calls)
        self.check("in the documented events", kinds.count("response.function_call_arguments.done") == 2, kinds)

    def structured(self) -> None:
        answer = self.sdk.responses.create(
            model=self.model, input=HELLO, max_output_tokens=200,
            text={"format": {"type": "json_schema", "name": "pick", "schema": SCHEMA, "strict": True}},
        )  # fmt: skip
        self.check("a schema is kept to", read_json(answer.output_text) == {"colour": "red"}, answer.output_text)

    def media(self) -> None:
        content = [
            {"type": "input_text", "text": "What is it?"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
            {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        ]
        answer = self.sdk.responses.create(model=self.model, input=[{"role": "user", "content": content}], max_output_tokens=200)
        self.check("images and files arrive", "2 images, 1 " in answer.output_text, answer.output_text)

    def reasoning(self) -> None:
        wish = {"effort": "low", "summary": "auto"}
        include = ["reasoning.encrypted_content"]
        items: list[object] = [{"role": "user", "content": HELLO}]
        with self.sdk.responses.stream(model=self.model, input=items, max_output_tokens=3000, reasoning=wish, include=include, store=False) as stream:
            kinds = [event.type for event in stream]
            answer = stream.get_final_response()
        self.check("what was thought comes first", answer.output[0].type == "reasoning" and answer.output[0].summary[0].text, answer.output)
        self.check("in the documented events", "response.reasoning_summary_text.delta" in kinds, kinds)
        items += [*answer.output, {"role": "user", "content": "And now?"}]
        again = self.sdk.responses.create(model=self.model, input=items, max_output_tokens=3000, reasoning=wish, include=include, store=False)
        self.check("and comes back unchanged", again.output_text, again)

    def exhausted(self) -> None:
        for stream in (False, True):
            try:
                self.world.poor.responses.create(model=self.model, input=HELLO, stream=stream)
                self.check("an exhausted budget refuses", False)
            except openai.APIStatusError as error:
                self.check("an exhausted budget refuses", error.status_code == 402 and error.body["code"] == "budget_exhausted", repr(error))
                self.check("and says that retrying is pointless", error.body["claviger"]["retry"] == "no", error.body)


class AtOpenAi:
    """What only a provider that speaks it itself can do."""

    def __init__(self, checks: Checks, world: World) -> None:
        self.checks, self.world, self.sdk = checks, world, world.sdk

    def unchanged(self) -> None:
        self.sdk.responses.create(model=GPT, input=HELLO, max_output_tokens=60, metadata={"a": "b"}, truncation="auto")
        self.checks.equal(
            "responses → openai: the request passes as it is, apart from the model", self.world.provider_saw(),
            {"model": "gpt-4o-mini", "input": HELLO, "max_output_tokens": 60, "metadata": {"a": "b"}, "truncation": "auto"},
        )  # fmt: skip
        self.sdk.responses.create(model=GPT, input=HELLO)
        self.checks.check("the bound that is held for is written in", self.world.provider_saw()["max_output_tokens"] > 0)

    def stored(self) -> None:
        first = self.sdk.responses.create(model=GPT, input=HELLO, max_output_tokens=60)
        second = self.sdk.responses.create(model=GPT, input="And now?", previous_response_id=first.id, max_output_tokens=60)
        self.checks.equal("responses → openai: a kept answer is gone on from", second.previous_response_id, first.id)
        for field, value in (("previous_response_id", first.id), ("conversation", "conv_1"), ("store", True)):
            try:
                self.sdk.responses.create(model=CLAUDE, input="And now?", max_output_tokens=60, **{field: value})
                self.checks.check(f"responses → anthropic: {field} is refused", False)
            except openai.UnprocessableEntityError as error:
                self.checks.check(
                    f"responses → anthropic: {field} is refused with what to do instead",
                    error.body["param"] == field and "`input`" in error.body["message"], error.body,
                )  # fmt: skip

    def failing_in_stream(self) -> None:
        self.world.fake.behave(error_after_events=6, error_code="server_error", error_message="the fake's words")
        try:
            events = list(self.sdk.responses.create(model=GPT, input=HELLO, max_output_tokens=60, stream=True))
        finally:
            self.world.fake.behave()
        last = events[-1]
        self.checks.equal("responses → openai: its own failure is passed on", last.type, "response.failed")
        verdict = last.response.error.model_dump()["claviger"]
        self.checks.check("with the verdict beside it", verdict["say"] and verdict["remedy"], last)

    def unbounded(self) -> None:
        for name, more in (
            ("background", {"background": True}),
            ("tools.image_generation", {"tools": [{"type": "image_generation"}]}),
            ("tools.web_search without max_tool_calls", {"tools": [{"type": "web_search"}]}),
        ):
            try:
                self.sdk.responses.create(model=GPT, input=HELLO, max_output_tokens=60, **more)
                self.checks.check(f"responses → openai: {name} is refused", False)
            except openai.UnprocessableEntityError as error:
                self.checks.equal(f"responses → openai: {name} is refused by name", error.body["param"], name)


def main() -> int:
    checks = Checks("responses")
    with FakeProvider() as fake, Home() as home:
        home.init()
        with Server(home) as server:
            world = World(home, server, fake)
            stories = []
            for model in (GPT, CLAUDE, BOX):
                caller = Caller(checks, world, model)
                stories += [
                    caller.plain, caller.bounded, caller.streaming, caller.helper, caller.conversation, caller.errors,
                    caller.cancelling, caller.truncated, caller.refusals,
                ]  # fmt: skip
                if model != BOX:
                    stories += [caller.tools, caller.streamed_tools, caller.structured, caller.media, caller.reasoning]
                if model == GPT:
                    stories.append(caller.exhausted)
            native = AtOpenAi(checks, world)
            stories += [native.unchanged, native.stored, native.failing_in_stream, native.unbounded]
            for story in stories:
                with checks.story(f"{type(story.__self__).__name__} {story.__name__}".replace("_", " ")):
                    story()
            bill = fake.bill()["cost_nanos"]
            checks.check("the fake billed something", bill > 0, bill)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
