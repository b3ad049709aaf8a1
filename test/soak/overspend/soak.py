"""The proof of the limit, from outside: a crowd of callers, a server that is killed again and
again, and a provider that keeps its own bill.

At every moment, on every budget:

    billed <= spent + held + unconfirmed <= limit

and once what no bill had confirmed is reconciled from the provider's bill, after every crash:

    spent = billed, to the nano-dollar.

The bill is read before the balance, so that money which moves in between can only make the
check stricter. Two owners have a provider each, so that a cost that lands on the wrong owner's
budget is found, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.client
import json
import pathlib
import random
import sys
import time
from collections.abc import Callable
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))

from callers import Caller, Seen
from fake import PROVIDER, FakeProvider
from harness import Checks, Home, Server, adopt_orphans, binary, nanos, read_json, wait_until

PROVIDER_KEY = "sk-fake-soak-0123456789abcdefghijklmnopqrst"
OWNERS = {"steady": "refuse", "tight": "clamp"}
BEHAVIOURS_PER_ROUND = 400
WATCH_EVERY_SECONDS = 0.03
ROUND_SECONDS = (0.8, 3.0)
ROOM_NANOS = (1_000_000, 12_000_000)  # $0.001 to $0.012 for each owner, a few times a second.
LOOKS_BETWEEN_RAISES = 3
BY_COMMAND_LINE = 2  # Of each round's corrections; the others go through the control API.
VIOLATIONS_SHOWN = 10
COUNTED = ("spent", "held", "unconfirmed")


@dataclasses.dataclass(frozen=True)
class Options:
    seed: int
    kills: int
    callers: int = 64
    stops_at_violation: bool = False


@dataclasses.dataclass
class Report:
    seen: Seen = dataclasses.field(default_factory=Seen)
    looks: int = 0
    kills: int = 0
    billed: int = 0
    spent: int = 0
    corrections: int = 0
    unconfirmed_most: int = 0
    attempts_unconfirmed: int = 0
    attempts_estimated: int = 0
    room_least: int | None = None  # limit - counted, of any budget at any look.
    violations: list[str] = dataclasses.field(default_factory=list)

    def lines(self) -> list[str]:
        seen = self.seen
        answers = ", ".join(f"{count} × {name}" for name, count in seen.answers.most_common())
        return [
            f"kills {self.kills}, requests {seen.requests}, looks {self.looks}",
            f"answers: {answers}",
            f"left early {seen.left_early}, cut off by a kill {seen.cut_off}, clamped {seen.clamped}",
            f"unconfirmed by a crash: {self.attempts_unconfirmed} attempts, at most {usd(self.unconfirmed_most)} at once",
            f"estimated or quarantined: {self.attempts_estimated} attempts; corrections from the bill {self.corrections}",
            f"billed {usd(self.billed)}, ledger after the last correction {usd(self.spent)}",
            f"least room between what was counted and a limit: {usd(self.room_least or 0)}",
            f"violations {len(self.violations)}",
            *(f"  {violation}" for violation in self.violations[:VIOLATIONS_SHOWN]),
        ]


def server_under_test() -> pathlib.Path:
    return binary()


def usd(amount_nanos: int) -> str:
    sign = "-" if amount_nanos < 0 else ""
    whole, rest = divmod(abs(amount_nanos), 10**9)
    return f"{sign}${whole}.{rest:09d}"


def decimal(amount_nanos: int) -> str:
    return usd(amount_nanos).removeprefix("$")


class ControlApi:
    """The control API on the server's own port. One connection, made anew where it was lost."""

    def __init__(self, server: Server, admin_key: str) -> None:
        self.server = server
        self.admin_key = admin_key
        self.connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: object = None) -> Any:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            self.connection.request(
                method,
                f"/api/v1{path}",
                body=None if body is None else json.dumps(body),
                headers={"Authorization": f"Bearer {self.admin_key}", "Content-Type": "application/json"},
            )
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.forget()
            raise
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return read_json(text)

    def forget(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class World:
    """A home, a server, two owners with a provider each, and budgets that overlap."""

    def __init__(self, home: Home, server: Server, fakes: dict[str, FakeProvider]) -> None:
        self.home = home
        self.server = server
        self.fakes = fakes
        self.api = ControlApi(server, home.admin_key)
        self.keys: list[str] = []
        self.bill_lines: dict[str, dict[str, int]] = {owner: {} for owner in fakes}
        self.bill_read_up_to = dict.fromkeys(fakes, 0)
        home.do("app", "add", "notes")
        for owner, fake in fakes.items():
            home.do("owner", "add", owner)
            home.add_credential(owner, PROVIDER, fake.base_url, PROVIDER_KEY)
            self.keys += [home.create_key(owner, "notes") for _ in range(2)]
        everyone = tuple(fakes)
        # What each budget is on, what it does when it is exhausted, and whose bills it covers.
        self.budgets: dict[str, tuple[str, tuple[str, ...]]] = {
            "workspace": ("clamp", everyone),
            "app:notes": ("clamp", everyone),
            "model:openai/*": ("refuse", everyone),
        } | {f"owner:{owner}": (policy, (owner,)) for owner, policy in OWNERS.items()}

    def raise_limits(self, rng: random.Random) -> None:
        """Room for less than what the crowd is about to ask for, above what is counted already.
        Never below what a limit is: what is counted must fit at every look."""
        rows = {row["scope"]: row for row in self.balances()}
        for scope, (policy, owners) in self.budgets.items():
            room = int(len(owners) * rng.uniform(*ROOM_NANOS))
            wanted = room
            if scope in rows:
                row = rows[scope]
                counted = sum(nanos(row[f"{name}_usd"]) for name in COUNTED)
                wanted = max(nanos(row["limit_usd"]), counted + room)
            limit = {"scope": scope, "limit_usd": decimal(wanted), "per": "total"}
            self.api.call("POST", "/budgets", limit | {"when_exhausted": policy})

    def balances(self) -> list[dict[str, Any]]:
        rows = self.api.call("GET", "/budgets")["data"]
        return [row for row in rows if row["spent_usd"] is not None and row["scope"] in self.budgets and row["per"] == "total"]

    def billed(self) -> dict[str, int]:
        return {owner: fake.bill()["cost_nanos"] for owner, fake in self.fakes.items()}

    def bill_of(self, owner: str) -> dict[str, int]:
        """What the provider billed for each attempt, by the id that the server sent along."""
        lines = self.fakes[owner].control("GET", f"bill/after/{self.bill_read_up_to[owner]}")["each"]
        known = self.bill_lines[owner]
        for line in lines:
            known[line["client_id"]] = known.get(line["client_id"], 0) + line["cost_nanos"]
            self.bill_read_up_to[owner] = int(line["id"].removeprefix("fake-"))
        return known


def behaviours(rng: random.Random) -> list[dict[str, object]]:
    """How a provider answers that obeys the bound it is given and nothing else."""
    return [behaviour(rng) for _ in range(BEHAVIOURS_PER_ROUND)]


def behaviour(rng: random.Random) -> dict[str, object]:
    said: dict[str, object] = {
        "times": rng.randint(1, 2),
        "completion_tokens": rng.randint(1, 40) if rng.random() < 0.8 else rng.randint(40, 600),
        "cached_tokens": rng.choice([0, 0, 0, 4]),
        "delay_ms_before_head": rng.choice([0, 0, 2, 30]),
        "delay_us_between_events": rng.choice([0, 200, 2_000, 10_000]),
        "unseen_tokens": rng.choice([0, 0, 5, 100]),
        "usage": rng.choices(
            ["honest", "absent", "every_chunk", "twice", "negative", "absurd", "malformed"],
            [70, 8, 6, 6, 3, 3, 4],
        )[0],
    }
    fault = rng.random()
    if fault < 0.04:
        said["status"] = rng.choice([429, 500, 503, 400])
    elif fault < 0.06:
        said["truncate_bytes"] = rng.randint(0, 600)
    elif fault < 0.08:
        said["reset"] = True
    elif fault < 0.10:
        said["error_after_events"] = rng.randint(0, 5)
    elif fault < 0.11:
        said["stall_after_events"] = rng.randint(0, 5)
    return said


class Soak:
    def __init__(self, options: Options, world: World, say: Callable[[str], None]) -> None:
        self.options = options
        self.world = world
        self.say = say
        self.report = Report()
        self.storm_is_over = False

    def violate(self, what: str) -> None:
        self.report.violations.append(what)

    @property
    def is_over(self) -> bool:
        return self.options.stops_at_violation and bool(self.report.violations)

    def look(self, moment: str) -> None:
        """The invariant, now."""
        billed = self.world.billed()
        rows = self.world.balances()
        self.report.looks += 1
        unconfirmed_most = 0
        for row in rows:
            scope = row["scope"]
            limit, *parts = (nanos(row[f"{name}_usd"]) for name in ("limit", *COUNTED))
            counted = sum(parts)
            bill = sum(billed[owner] for owner in self.world.budgets[scope][1])
            unconfirmed_most = max(unconfirmed_most, parts[2])
            room = limit - counted
            if self.report.room_least is None or room < self.report.room_least:
                self.report.room_least = room
            stands = f"{moment}: {scope}: billed {usd(bill)}, " + ", ".join(
                f"{name} {usd(part)}" for name, part in zip(COUNTED, parts, strict=True)
            )
            if bill > counted:
                self.violate(f"{stands}: {usd(bill - counted)} that was billed is not counted")
            if counted > limit:
                self.violate(f"{stands}: {usd(counted - limit)} beyond the limit {usd(limit)}")
            if bill > limit:
                self.violate(f"{stands}: the bill is {usd(bill - limit)} beyond the limit {usd(limit)}")
        self.report.unconfirmed_most = max(self.report.unconfirmed_most, unconfirmed_most)

    async def watch(self, number: int) -> None:
        """Looks, and raises the limits now and then, so that there is always little left."""
        rng = random.Random(f"{self.options.seed}/{number}/limits")
        looks = 0
        while not self.storm_is_over:
            # On a thread: the callers go on meanwhile.
            with contextlib.suppress(OSError, http.client.HTTPException):
                await asyncio.to_thread(self.look, f"round {number}")
                looks += 1
                if looks % LOOKS_BETWEEN_RAISES == 0:
                    await asyncio.to_thread(self.world.raise_limits, rng)
            await asyncio.sleep(WATCH_EVERY_SECONDS)

    async def storm(self, round_number: int, seconds: float) -> Seen:
        """Callers and a watcher until the kill."""
        self.storm_is_over = False
        seen = Seen()
        seed = f"{self.options.seed}/{round_number}"
        tasks = [
            asyncio.create_task(
                Caller(f"{seed}/{number}", self.world.server.port, self.world.keys, seen).call_until_cut_off()
            )
            for number in range(self.options.callers)
        ]
        watcher = asyncio.create_task(self.watch(round_number))
        await asyncio.sleep(seconds)
        seen.is_over = self.storm_is_over = True
        self.world.server.kill()
        await asyncio.sleep(0.02)  # What is broken off is seen as broken off.
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, watcher, return_exceptions=True)
        return seen

    def providers_are_done(self) -> bool:
        return all(fake.bill()["running"] == 0 for fake in self.world.fakes.values())

    def reconcile(self) -> int:
        """Every attempt that no bill has confirmed, from the bill: as an operator would."""
        bills = [self.world.bill_of(owner) for owner in self.world.fakes]
        corrected = 0
        while True:
            rows = self.world.api.call("GET", "/uncertain-costs")
            for row in rows["data"]:
                client_id = f"{row['request']}-{row['attempt']}"
                # What the provider never saw, it did not bill.
                cost = decimal(sum(bill.get(client_id, 0) for bill in bills))
                if row["state"] == "unconfirmed":
                    self.report.attempts_unconfirmed += 1
                else:
                    self.report.attempts_estimated += 1
                if corrected < BY_COMMAND_LINE:
                    self.world.home.do(
                        "budget", "reconcile", row["request"], "--cost", cost, "--attempt", str(row["attempt"])
                    )
                else:
                    self.world.api.call(
                        "POST",
                        f"/requests/{row['request']}/reconcile",
                        {"cost_usd": cost, "attempt": row["attempt"]},
                    )
                corrected += 1
            if not rows["has_more"]:
                return corrected

    def compare(self, moment: str) -> None:
        """After the corrections: nothing is held or unconfirmed, and ledger = bill."""
        billed = self.world.billed()
        self.report.billed = sum(billed.values())
        for row in self.world.balances():
            scope = row["scope"]
            spent, held, unconfirmed = (nanos(row[f"{name}_usd"]) for name in COUNTED)
            bill = sum(billed[owner] for owner in self.world.budgets[scope][1])
            if scope == "workspace":
                self.report.spent = spent
            if spent != bill:
                self.violate(f"{moment}: {scope}: reconciled {usd(spent)}, billed {usd(bill)}: {usd(spent - bill)} apart")
            if held or unconfirmed:
                self.violate(f"{moment}: {scope}: still held {usd(held)}, unconfirmed {usd(unconfirmed)}")

    def one_round(self, number: int) -> None:
        rng = random.Random(f"{self.options.seed}/{number}")
        self.world.raise_limits(rng)
        for fake in self.world.fakes.values():
            fake.control("POST", "behave", behaviours(rng))
        seconds = rng.uniform(*ROUND_SECONDS)
        seen = asyncio.run(self.storm(number, seconds))
        self.report.kills += 1
        self.report.seen.add(seen)
        self.world.api.forget()
        self.world.server.start()
        self.look(f"round {number}, after the crash")
        wait_until("the providers are done", self.providers_are_done)
        self.look(f"round {number}, after the crash and all was billed")
        corrected = self.reconcile()
        self.report.corrections += corrected
        self.compare(f"round {number}")
        self.say(
            f"round {number}: killed after {seconds:.2f} s and {seen.requests} requests "
            f"({seen.answers['402']} refused, {seen.clamped} clamped, {seen.left_early} left); "
            f"{corrected} corrected; billed {usd(self.report.billed)}, spent {usd(self.report.spent)}; "
            f"{len(self.report.violations)} violations"
        )

    def run(self) -> Report:
        for number in range(1, self.options.kills + 1):
            self.one_round(number)
            if self.is_over:
                break
        return self.report


def soak(options: Options, say: Callable[[str], None]) -> Report:
    """One whole run on a home of its own."""
    began = time.monotonic()
    prices = ("--price", "text-embedding-3-small", "0.02", "0")
    with contextlib.ExitStack() as stack:
        fakes = {
            owner: stack.enter_context(FakeProvider("--seed", str(options.seed + number), *prices))
            for number, owner in enumerate(OWNERS)
        }
        home = stack.enter_context(Home())
        home.init("1000000.00")
        server = stack.enter_context(Server(home))
        run = Soak(options, World(home, server, fakes), say)
        report = run.run()
    say(f"in {time.monotonic() - began:.0f} s")
    return report


def check(checks: Checks, options: Options, say: Callable[[str], None]) -> None:
    """A run of the real server, as checks."""
    report = soak(options, say)
    for line in report.lines():
        say(line)
    name = f"{options.callers} callers, {options.kills} kills, seed {options.seed}"
    checks.equal(f"{name}: nothing is ever billed that is not counted, or counted beyond a limit", report.violations, [])
    checks.check(f"{name}: limits were near: requests were refused and clamped",
                 report.seen.answers["402"] > 0 and report.seen.clamped > 0, report.seen)  # fmt: skip
    checks.check(f"{name}: crashes left requests in flight", report.attempts_unconfirmed > 0, report)
    checks.check(f"{name}: callers left, whole answers came", report.seen.left_early > 0 and report.seen.answers["200"] > 0,
                 report.seen)  # fmt: skip
    checks.check(f"{name}: the provider billed something", report.billed > 0, report)
