#!/usr/bin/env python3
"""The limit is a limit: 200 concurrent calls of the OpenAI SDK against a budget that covers 50.

The fake provider keeps its own bill. It must never exceed the limit, and must equal what the
ledger says was spent, to the nano-dollar.

Run: test/e2e/overspend_test.py
"""

from __future__ import annotations

import asyncio
import collections
import sys

import sdks
from harness import Checks, Home, Server, nanos, wait_until

sdks.continue_in_venv()

import openai
from fake import MODEL, PROVIDER, FakeProvider

CALLS = 200
COVERED = 50
OUTPUT_TOKENS_MAX = 64
PROVIDER_KEY = "sk-fake-0123456789abcdefghijklmnopqrstuvwxyz"


class World:
    """One owner, one budget, one key, one fake provider."""

    def __init__(self, home: Home, server: Server, fake: FakeProvider) -> None:
        self.home = home
        self.server = server
        self.fake = fake
        self.one = 0  # What one of the calls costs, in nano-dollars.
        self.own_budgets: list[str] = []
        home.do("app", "add", "notes")

    def owner(self, name: str, limit_nanos: int, when_exhausted: str) -> tuple[str, str]:
        """A new owner with a budget: the key to call with, and the budget's id."""
        self.home.do("owner", "add", name)
        self.home.add_credential(name, PROVIDER, self.fake.base_url, PROVIDER_KEY)
        limit = f"{limit_nanos // 10**9}.{limit_nanos % 10**9:09d}"
        budget = self.home.set_budget(f"owner:{name}", limit, "total", when_exhausted)
        self.own_budgets.append(budget)
        return self.home.create_key(name, "notes"), budget

    async def call_at_once(self, key: str, calls: int, streamed_every: int = 2) -> collections.Counter[int]:
        """How many of the calls ended with which status; 200 is an answer that was whole."""
        async with openai.AsyncOpenAI(base_url=self.server.base_url, api_key=key, max_retries=0, timeout=60) as sdk:

            async def one(number: int) -> int:
                messages = [{"role": "user", "content": f"Call number {number}: say something."}]
                try:
                    if number % streamed_every == 0:
                        stream = await sdk.chat.completions.create(
                            model=MODEL, messages=messages, max_tokens=OUTPUT_TOKENS_MAX, stream=True
                        )
                        finished = [chunk.choices[0].finish_reason async for chunk in stream if chunk.choices]
                        return 200 if finished and finished[-1] else 0
                    await sdk.chat.completions.create(model=MODEL, messages=messages, max_tokens=OUTPUT_TOKENS_MAX)
                    return 200
                except openai.APIStatusError as error:
                    return error.status_code

            return collections.Counter(await asyncio.gather(*(one(number) for number in range(calls))))

    def billed(self) -> int:
        return self.fake.bill()["cost_nanos"]

    def settled(self, budget: str) -> dict[str, int]:
        """The balance once nothing is in flight any more."""

        def look() -> dict[str, int] | None:
            balance = self.home.balance(budget)
            return balance if balance["held"] == 0 else None

        return wait_until("all holds are settled", look, 10)


def price_of_one_call(world: World) -> int:
    """What one of the calls costs, learned by making one."""
    key, budget = world.owner("sample", 10**9, "refuse")
    asyncio.run(world.call_at_once(key, 1))
    return world.settled(budget)["spent"]


def limit_holds(checks: Checks, world: World, when_exhausted: str) -> None:
    limit = COVERED * world.one
    key, budget = world.owner(f"crowd-{when_exhausted}", limit, when_exhausted)
    billed_before = world.billed()
    statuses = asyncio.run(world.call_at_once(key, CALLS))
    balance = world.settled(budget)
    billed = world.billed() - billed_before

    name = f"{CALLS} calls at once, {when_exhausted}"
    print(f"# {name}: statuses {dict(statuses)}, limit {limit}, billed {billed}, {balance}", flush=True)
    checks.equal(f"{name}: every call was answered or refused", statuses[200] + statuses[402], CALLS)
    checks.check(f"{name}: some were answered", statuses[200] > 0, statuses)
    checks.check(f"{name}: and some refused, since money for 50 was there", statuses[402] > 0, statuses)
    checks.check(f"{name}: the provider's bill is within the limit", 0 < billed <= limit, (billed, limit))
    checks.equal(f"{name}: the ledger and the bill agree to the nano-dollar", balance["spent"], billed)
    checks.equal(f"{name}: nothing is lost between spent and left", balance["spent"] + balance["left"], limit)

    one_by_one(checks, world, name, key, budget, limit, billed_before)


def one_by_one(checks: Checks, world: World, name: str, key: str, budget: str, limit: int, billed_before: int) -> None:
    """Money that was held for the worst case came back: it can be used, and then it is over."""
    for _ in range(CALLS):
        status = asyncio.run(world.call_at_once(key, 1))
        if status[200] == 0:
            break
    balance = world.settled(budget)
    billed = world.billed() - billed_before
    print(f"# {name}, then one by one: billed {billed} of {limit}", flush=True)
    checks.equal(f"{name}: one by one, the end is a refusal", dict(status), {402: 1})
    # Less than one hold: for the worst case, at the dearest tier that the account may choose.
    checks.check(f"{name}: and little is left by then", billed > limit * 7 // 10, (billed, limit))
    checks.check(f"{name}: still within the limit", billed <= limit, (billed, limit))
    checks.equal(f"{name}: still equal to the bill", balance["spent"], billed)


def cancelled_streams_never_cost_less_than_billed(checks: Checks, world: World) -> None:
    """A caller that leaves may not make the ledger forget what the provider charges."""
    limit = 200 * world.one
    key, budget = world.owner("leavers", limit, "refuse")
    billed_before = world.billed()
    world.fake.behave(chunks=50, delay_ms_between_events=5)

    async def leave_early() -> None:
        async with openai.AsyncOpenAI(base_url=world.server.base_url, api_key=key, max_retries=0) as sdk:

            async def one() -> None:
                try:
                    stream = await sdk.chat.completions.create(
                        model=MODEL, messages=[{"role": "user", "content": "Go on."}], max_tokens=64, stream=True
                    )
                except openai.APIStatusError:
                    return
                count = 0
                async for _ in stream:
                    count += 1
                    if count == 3:
                        break
                await stream.close()

            await asyncio.gather(*(one() for _ in range(20)))

    asyncio.run(leave_early())
    world.fake.behave()
    balance = world.settled(budget)
    billed = world.billed() - billed_before
    print(f"# 20 streams cancelled: spent {balance['spent']}, billed {billed}", flush=True)
    checks.check("cancelled streams: spent covers the bill", billed <= balance["spent"], (billed, balance))
    checks.check("cancelled streams: within the limit", balance["spent"] <= limit, (limit, balance))


def nobody_is_starved(checks: Checks, world: World) -> None:
    """64 agents at once, each with a worst case that lets 26 of them in: $25 against $61, in small.

    They really use little. All are served, by shorter bounds or after a wait, and while they run
    what is held is shown apart from what is spent.
    """
    agents, tokens_asked = 64, 16_000
    worst_case = tokens_asked * 600  # gpt-4o-mini: $0.60 for a million, in nano-dollars a token.
    limit = agents * worst_case * 25 // 61
    key, budget = world.owner("agents", limit, "clamp")
    world.fake.behave(chunks=20, delay_ms_between_events=25)

    async def all_at_once() -> tuple[list[int], list[dict[str, int]]]:
        async with openai.AsyncOpenAI(base_url=world.server.base_url, api_key=key, max_retries=0, timeout=60) as sdk:

            async def one(number: int) -> int:
                try:
                    stream = await sdk.chat.completions.create(
                        model=MODEL,
                        messages=[{"role": "user", "content": f"Agent {number}: begin."}],
                        max_tokens=tokens_asked,
                        stream=True,
                    )
                    finished = [chunk.choices[0].finish_reason async for chunk in stream if chunk.choices]
                    return 200 if finished and finished[-1] else 0
                except openai.APIStatusError as error:
                    return error.status_code

            running = asyncio.gather(*(one(number) for number in range(agents)))
            looks = []
            while not running.done():
                looks.append(await asyncio.to_thread(world.home.balance, budget))
                await asyncio.sleep(0.05)
            return await running, looks

    billed_before = world.billed()
    statuses, looks = asyncio.run(all_at_once())
    world.fake.behave()
    balance = world.settled(budget)
    held = max(look["held"] for look in looks)
    print(f"# {agents} agents: {collections.Counter(statuses)}, held {held} of {limit} at most, {balance}", flush=True)
    checks.equal("64 agents whose worst cases do not fit: all are served", statuses, [200] * agents)
    checks.check("64 agents: what is held is shown apart", any(look["held"] > look["spent"] for look in looks), looks)
    within = all(look["spent"] + look["held"] + look["unconfirmed"] <= limit for look in looks)
    checks.check("64 agents: spent and held are within the limit at every look", within, looks)
    checks.equal("64 agents: the ledger and the bill agree", balance["spent"], world.billed() - billed_before)


def ledger_survives_a_restart(checks: Checks, world: World) -> None:
    # A rule for each owner spends nothing itself, so it has no balance.
    rows = world.home.do("budget", "list", "--json").rows()
    budgets = [row["id"] for row in rows if row.get("spent_usd") is not None]
    before = {budget: world.settled(budget) for budget in budgets}
    recorded = sum(nanos(row["cost_usd"]) for row in world.home.do("usage", "--by", "owner", "--json").rows())
    checks.equal(
        "usage adds up to what the owners' budgets spent", recorded,
        sum(world.settled(budget)["spent"] for budget in world.own_budgets),
    )  # fmt: skip
    world.server.stop()
    world.server.start()
    after = {budget: world.home.balance(budget) for budget in budgets}
    checks.equal("a restart changes no balance", after, before)


def main() -> int:
    checks = Checks("overspend")
    with checks.story("200 calls"), FakeProvider() as fake, Home() as home:
        home.init("1000.00")
        with Server(home) as server:
            world = World(home, server, fake)
            world.one = price_of_one_call(world)
            for policy in ("refuse", "clamp"):
                with checks.story(policy):
                    limit_holds(checks, world, policy)
            with checks.story("64 agents"):
                nobody_is_starved(checks, world)
            with checks.story("cancelled streams"):
                cancelled_streams_never_cost_less_than_billed(checks, world)
            with checks.story("restart"):
                ledger_survives_a_restart(checks, world)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
