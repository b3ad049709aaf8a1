#!/usr/bin/env python3
"""The unmodified OpenAI SDK for Python against a real server and a real model.

Run: test/e2e/python_sdk_test.py   (needs CLAVIGER_RUNNER and CLAVIGER_TEST_MODEL)
"""

from __future__ import annotations

import asyncio
import sys
import time

import sdks
from harness import Checks, nanos, read_json, wait_until

sdks.continue_in_venv()

import openai
import real_model
from real_model import MODEL, RealModel, cost_nanos

HELLO = [{"role": "user", "content": "Say hello in one short sentence."}]
LONG = [{"role": "user", "content": "Write a very long story about the sea."}]
CANCEL_SECONDS_MAX = 5.0


class Story:
    def __init__(self, checks: Checks, world: RealModel) -> None:
        self.checks = checks
        self.world = world
        self.sdk = self.with_key(world.key)

    def with_key(self, key: str, retries: int = 0) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.world.server.base_url, api_key=key, max_retries=retries, timeout=60)

    def plain(self) -> None:
        raw = self.sdk.chat.completions.with_raw_response.create(
            model=MODEL, messages=HELLO, max_tokens=24, temperature=0, seed=1
        )
        completion = raw.parse()
        usage = completion.usage
        self.checks.check("a plain answer has words", completion.choices[0].message.content)
        self.checks.check("and usage", usage and usage.prompt_tokens > 0 and 0 < usage.completion_tokens <= 24, usage)
        expected = cost_nanos(usage.prompt_tokens, usage.completion_tokens)
        stated = read_json(raw.http_response.content)["usage"]["cost"]
        self.checks.equal("usage.cost is the price of that usage to the nano-dollar", nanos(stated), expected)
        self.checks.equal("x-claviger-cost says the same", nanos(raw.headers["x-claviger-cost"]), expected)
        self.checks.equal("x-claviger-model names the model", raw.headers["x-claviger-model"], MODEL)
        remaining = nanos(raw.headers["x-claviger-budget-remaining"])
        self.checks.equal(
            "x-claviger-budget-remaining is what the budget has left",
            remaining,
            self.world.home.balance(self.world.alice_budget)["left"],
        )
        self.checks.check("x-claviger-overhead-us is a number", raw.headers["x-claviger-overhead-us"].isdigit())

        request_id = raw.headers["x-claviger-request-id"]
        self.checks.equal("the record has the cost", nanos(self.world.home.record(request_id)["cost_usd"]), expected)
        status, _, body = self.world.server.call("GET", f"/v1/requests/{request_id}", key=self.world.key)
        self.checks.check(
            "the caller can look it up", status == 200 and nanos(read_json(body)["cost_usd"]) == expected, body
        )
        status, _, body = self.world.server.call("GET", f"/v1/requests/{request_id}", key=self.world.poor_key)
        self.checks.equal("and nobody else can", status, 404)

    def unknown_fields_survive(self) -> None:
        completion = self.sdk.chat.completions.create(
            model=MODEL, messages=HELLO, max_tokens=8, extra_body={"grammar": 'root ::= "claviger"'}
        )
        self.checks.equal(
            "a field that only the runner knows reaches it", completion.choices[0].message.content, "claviger"
        )

    def json_schema(self) -> None:
        schema = {
            "type": "object",
            "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
            "required": ["colour"],
            "additionalProperties": False,
        }
        completion = self.sdk.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Pick a colour."}], max_tokens=32,
            response_format={"type": "json_schema", "json_schema": {"name": "pick", "schema": schema, "strict": True}},
        )  # fmt: skip
        text = completion.choices[0].message.content
        self.checks.check("a JSON schema is kept to", read_json(text)["colour"] in ("red", "blue"), text)

    def streaming(self) -> None:
        text, final, finish = "", None, None
        stream = self.sdk.chat.completions.create(
            model=MODEL, messages=HELLO, max_tokens=24, stream=True, stream_options={"include_usage": True}
        )
        for chunk in stream:
            if chunk.usage:
                final = chunk
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
                finish = chunk.choices[0].finish_reason or finish
        self.checks.check("a stream has words", text)
        self.checks.check("and a reason for its end", finish in ("stop", "length"), finish)
        self.checks.check("its usage event came, as was asked", final is not None and final.usage is not None)
        expected = cost_nanos(final.usage.prompt_tokens, final.usage.completion_tokens)
        self.checks.equal("and carries the cost", nanos(f"{final.usage.cost:.9f}"), expected)
        request_id = stream.response.headers["x-claviger-request-id"]
        self.checks.equal("the record has it too", nanos(self.world.home.record(request_id)["cost_usd"]), expected)

    def streaming_without_usage(self) -> None:
        """Callers that did not ask for usage index choices[0] in every event."""
        stream = self.sdk.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=12, stream=True)
        events = list(stream)
        self.checks.check("no usage event comes unasked", all(event.choices for event in events), events[-1:])
        record = self.world.home.record(stream.response.headers["x-claviger-request-id"])
        self.checks.check("and the cost is known all the same", nanos(record["cost_usd"]) > 0, record)

    def cancellation(self) -> None:
        stream = self.sdk.chat.completions.create(model=MODEL, messages=LONG, max_tokens=1500, stream=True)
        for count, _ in enumerate(stream):
            if count == 3:
                break
        request_id = stream.response.headers["x-claviger-request-id"]
        left_at = time.monotonic()
        stream.close()
        record = self.world.home.record(request_id)
        self.checks.check(
            "the server notices at once that the caller left", time.monotonic() - left_at < CANCEL_SECONDS_MAX
        )
        self.checks.check("the record says so", record["caller_left"] is True, record)
        self.checks.equal("no money stays held", self.world.home.balance(self.world.alice_budget)["held"], 0)
        answer = self.sdk.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=4)
        self.checks.check("and the model is free for the next", answer.choices[0].finish_reason)

    def many_at_once(self) -> None:
        async def run() -> list[str]:
            async with openai.AsyncOpenAI(
                base_url=self.world.server.base_url, api_key=self.world.key, max_retries=0, timeout=120
            ) as sdk:

                async def one(number: int) -> str:
                    stream = await sdk.chat.completions.create(
                        model=MODEL, messages=HELLO, max_tokens=8, stream=True, seed=number
                    )
                    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

                return await asyncio.gather(*(one(number) for number in range(8)))

        texts = asyncio.run(run())
        self.checks.check("eight streams at once all have words", all(texts), texts)

    def models(self) -> None:
        listed = [model.id for model in self.sdk.models.list()]
        self.checks.check("models.list names the model", MODEL in listed, listed)
        self.checks.equal("models.retrieve finds it", self.sdk.models.retrieve(MODEL).id, MODEL)
        self.expect(
            openai.NotFoundError, 404, "an unknown one is not found", lambda: self.sdk.models.retrieve("local/none")
        )
        narrow = [model.id for model in self.with_key(self.world.narrow_key).models.list()]
        self.checks.check("a key sees only the models that it may use", MODEL not in narrow, narrow)

    def embeddings(self) -> None:
        try:
            answer = self.sdk.embeddings.create(model=MODEL, input=["one", "two"])
        except openai.APIStatusError as error:
            self.checks.check(
                "embeddings that the model cannot make are refused with a verdict",
                400 <= error.status_code < 600 and error.body["claviger"]["remedy"],
                error,
            )
            return
        vectors = [entry.embedding for entry in answer.data]
        self.checks.check("embeddings are vectors", len(vectors) == 2 and len(vectors[0]) > 100, vectors[:1])
        self.checks.check("with usage", answer.usage.prompt_tokens > 0, answer.usage)

    def expect(
        self, kind: type[openai.APIStatusError], status: int, name: str, call: object
    ) -> openai.APIStatusError | None:
        """The SDK raises the right class, and every error of ours carries a verdict that helps."""
        try:
            call()
        except openai.APIStatusError as error:
            verdict = (error.body or {}).get("claviger") or {}
            complete = {"request_id", "at_fault", "cause", "confidence", "say", "remedy", "retry", "evidence"}
            self.checks.check(
                f"{name} ({kind.__name__})", type(error) is kind and error.status_code == status, repr(error)
            )
            self.checks.check(f"{name}: the verdict is whole", complete <= verdict.keys(), error.body)
            self.checks.check(f"{name}: it says what to do", len(verdict.get("remedy") or "") > 10, verdict)
            self.checks.check(
                f"{name}: x-should-retry agrees with it",
                (error.response.headers.get("x-should-retry") == "true") == (verdict.get("retry") != "no"),
                (dict(error.response.headers), verdict),
            )
            return error
        self.checks.check(name, False, "no error was raised")
        return None

    def ask(self, sdk: openai.OpenAI, model: str = MODEL, **more: object) -> object:
        return sdk.chat.completions.create(model=model, messages=HELLO, max_tokens=4, **more)

    def errors(self) -> None:
        world = self.world
        self.expect(
            openai.AuthenticationError, 401, "a mistyped key is refused",
            lambda: self.ask(self.with_key(real_model.UNUSED_KEY)),
        )  # fmt: skip
        self.expect(
            openai.AuthenticationError, 401, "a provider's key is not a key here",
            lambda: self.ask(self.with_key("sk-proj-not-a-claviger-key")),
        )  # fmt: skip
        self.expect(
            openai.AuthenticationError, 401, "a revoked key is refused",
            lambda: self.ask(self.with_key(world.revoked_key)),
        )  # fmt: skip
        self.expect(
            openai.NotFoundError, 404, "an unknown model is not found", lambda: self.ask(self.sdk, "local/none")
        )
        self.expect(
            openai.PermissionDeniedError, 403, "a model outside the key's patterns is not allowed",
            lambda: self.ask(self.with_key(world.narrow_key)),
        )  # fmt: skip
        self.expect(
            openai.BadRequestError, 400, "a field of the wrong type is refused",
            lambda: self.sdk.chat.completions.create(model=MODEL, messages="hello"),
        )  # fmt: skip

    def pace(self) -> None:
        slow = self.with_key(self.world.slow_key)
        self.ask(slow)
        error = self.expect(
            openai.RateLimitError, 429, "a second request within the minute is too fast", lambda: self.ask(slow)
        )
        if error:
            after = error.response.headers.get("retry-after", "")
            self.checks.check("retry-after says when it fits again", after.isdigit() and 1 <= int(after) <= 60, after)

    def exhausted(self) -> None:
        """Two retries are allowed, so a 402 that invited them would be seen as three requests."""
        poor = self.with_key(self.world.poor_key, retries=2)
        before = len(self.world.home.do("requests", "--last", "200", "--json").rows())
        error = self.expect(openai.APIStatusError, 402, "an exhausted budget refuses", lambda: self.ask(poor))
        if not error:
            return
        verdict = error.body["claviger"]
        self.checks.equal("it is nobody's fault but the budget's", error.body["code"], "budget_exhausted")
        self.checks.equal("retrying is pointless and said to be", verdict["retry"], "no")
        self.checks.matches("the message says how much is left", error.body["message"], r"\$0\.0000")
        record = self.world.home.record(verdict["request_id"])
        self.checks.equal("the record has the status", record["status"], 402)
        after = len(self.world.home.do("requests", "--last", "200", "--json").rows())
        self.checks.equal("the SDK did not try again", after - before, 1)
        self.checks.equal("nothing was spent", self.world.home.balance(self.world.bob_budget)["spent"], 0)

    def adds_up(self) -> None:
        """What the budget says was spent is the sum of what the records say."""
        home = self.world.home

        def agree() -> bool:
            rows = home.do("requests", "--last", "200", "--json").rows()
            recorded = sum(nanos(row["cost_usd"]) for row in rows)
            return recorded == home.balance(self.world.alice_budget)["spent"] > 0

        self.checks.check(
            "the records add up to what the budget spent", wait_until("records and budget agree", agree, 5)
        )


def main() -> int:
    checks = Checks("python-sdk")
    with checks.story("the server with a real model"), real_model.running() as world:
        story = Story(checks, world)
        for part in (
            story.plain, story.unknown_fields_survive, story.json_schema, story.streaming,
            story.streaming_without_usage, story.cancellation, story.many_at_once, story.models, story.embeddings,
            story.errors, story.pace, story.exhausted, story.adds_up,
        ):  # fmt: skip
            with checks.story(part.__name__.replace("_", " ")):
                part()
        world.server.stop()
        checks.equal("the server ends with status 0 on SIGTERM", world.server.drained_status, 0)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
