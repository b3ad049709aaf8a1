#!/usr/bin/env python3
"""kill -9 in the middle of a stream: nothing is lost, nothing is forgotten, the limit holds.

What was settled stays settled. What was held when the crash came counts as unconfirmed, is
shown, and a bill settles it. Two servers on one home and a core dump are tried on the way.

Run: test/e2e/crash_test.py
"""

from __future__ import annotations

import http.client
import os
import resource
import signal
import subprocess
import sys

from fake import MODEL, PROVIDER, FakeProvider
from harness import Checks, Home, Server, binary, nanos, wait_until

PROVIDER_KEY = "sk-fake-crash-0123456789abcdefghijklmnop"
STREAM_TOKENS_MAX = 400


class Story:
    def __init__(self, checks: Checks, home: Home, server: Server, fake: FakeProvider) -> None:
        self.checks = checks
        self.home = home
        self.server = server
        self.fake = fake
        home.do("owner", "add", "alice")
        home.do("app", "add", "notes")
        home.add_credential("alice", PROVIDER, fake.base_url, PROVIDER_KEY)
        self.budget = home.set_budget("owner:alice", "0.001", "total", "refuse")
        self.key = home.create_key("alice", "notes")

    def begin_endless_stream(self) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """A stream that goes on until somebody ends it; some of it has been read. Both must be
        kept: the response may own the socket."""
        self.fake.behave(chunks=100_000, delay_ms_between_events=10)
        connection, answer = self.server.open_stream(self.key, MODEL, max_tokens=STREAM_TOKENS_MAX)
        if answer.status != 200:
            raise AssertionError(f"no stream: {answer.status} {answer.read()[:300]!r}")
        answer.readline()
        self.fake.behave()
        return connection, answer

    def kill_in_mid_stream(self) -> str:
        """Returns the request that was in flight."""
        checks, home = self.checks, self.home
        settled = [self.server.chat(self.key, MODEL, max_tokens=16) for _ in range(5)]
        checks.equal("five requests are answered", [status for status, _, _ in settled], [200] * 5)
        spent = sum(nanos(answer["usage"]["cost"]) for _, _, answer in settled)
        last_id = settled[-1][1]["x-claviger-request-id"]
        connection, stream = self.begin_endless_stream()
        before = wait_until("the stream's hold shows", lambda: self._balance_with("held"))
        checks.equal("before the crash, spent is the sum of the answers", before["spent"], spent)

        # Records are written off the request's way, within a tenth of a second; money is not.
        home.record(last_id)
        self.server.kill()
        connection.close()
        self.server.start()

        after = home.balance(self.budget)
        checks.equal("after kill -9, what was spent is still spent", after["spent"], spent)
        checks.check("the hold that was open is unconfirmed", after["unconfirmed"] >= before["held"], (before, after))
        checks.equal("it is not held any more by a request in flight", after["held"], 0)
        checks.equal(
            "and it is missing from what is left",
            after["left"],
            after["limit"] - after["spent"] - after["unconfirmed"],
        )
        record = home.run("request", last_id, "--json")
        checks.check("the last answered request is on record", record.status == 0, record.err)
        return stream.headers["x-claviger-request-id"]

    def _balance_with(self, name: str) -> dict[str, int] | None:
        balance = self.home.balance(self.budget)
        return balance if balance[name] > 0 else None

    def limit_holds_after_the_crash(self) -> None:
        """What is unconfirmed cannot be spent a second time."""
        billed_before = self.fake.bill()["cost_nanos"]
        before = self.home.balance(self.budget)
        status = 200
        for _ in range(2000):
            status, _, _ = self.server.chat(self.key, MODEL, max_tokens=64)
            if status != 200:
                break
        after = self.home.balance(self.budget)
        billed = self.fake.bill()["cost_nanos"] - billed_before
        self.checks.equal("requests go on until the money is gone", status, 402)
        self.checks.equal("ledger and bill agree", after["spent"] - before["spent"], billed)
        self.checks.check(
            "spent and unconfirmed stay within the limit",
            after["spent"] + after["unconfirmed"] <= after["limit"],
            after,
        )
        self.checks.equal("what is unconfirmed stays so", after["unconfirmed"], before["unconfirmed"])

    def a_bill_settles_it(self, request_id: str) -> None:
        before = self.home.balance(self.budget)
        self.home.do("budget", "reconcile", request_id, "--cost", "0.000001")
        after = self.home.balance(self.budget)
        self.checks.equal("reconcile takes it out of unconfirmed", after["unconfirmed"], 0)
        self.checks.equal("and puts the bill into spent", after["spent"], before["spent"] + 1000)
        self.checks.equal("what was not billed is there again", after["left"], after["limit"] - after["spent"])
        self.home.do("budget", "reconcile", request_id, "--cost", "0.000001")
        self.checks.equal("saying it twice adds nothing", self.home.balance(self.budget), after)
        status, _, answer = self.server.chat(self.key, MODEL, max_tokens=16)
        self.checks.check("and requests fit again", status == 200, answer)

    def crashes_in_a_row(self) -> None:
        """Ten crashes at ten moments: the balance never forgets, and the server always starts."""
        self.home.set_budget("owner:alice", "1.00", "total", "refuse")
        for number in range(10):
            billed_before = self.fake.bill()["cost_nanos"]
            before = self.home.balance(self.budget)
            children = [self._caller_process() for _ in range(4)]
            wait_until("requests are on their way", lambda b=billed_before: self.fake.bill()["cost_nanos"] > b)
            self.server.kill()
            for child in children:
                child.kill()
                child.wait()
            self.server.start()
            after = self.home.balance(self.budget)
            counted = after["spent"] + after["unconfirmed"] - before["spent"] - before["unconfirmed"]
            billed = self.fake.bill()["cost_nanos"] - billed_before
            if not self.checks.check(
                f"crash {number + 1}: all that was billed is counted", counted >= billed, (counted, billed)
            ):
                return

    def _caller_process(self) -> subprocess.Popen[bytes]:
        """Calls as fast as it can until it is killed."""
        program = (
            "import sys, json, http.client\n"
            "port, key, model = int(sys.argv[1]), sys.argv[2], sys.argv[3]\n"
            "body = json.dumps({'model': model, 'max_tokens': 16, 'messages': [{'role': 'user', 'content': 'x'}]})\n"
            "c = http.client.HTTPConnection('127.0.0.1', port)\n"
            "while True:\n"
            "  c.request('POST', '/v1/chat/completions', body, {'Authorization': 'Bearer ' + key})\n"
            "  c.getresponse().read()\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", program, str(self.server.port), self.key, MODEL], stderr=subprocess.DEVNULL
        )

    def second_server_is_refused(self) -> None:
        answer = self.home.run("serve", "--listen", "127.0.0.1:0")
        self.checks.equal("a second server on the same home is refused", answer.status, 1)
        self.checks.matches("and says why", answer.err, r"(already|another|in use).*")
        self.checks.equal("the first goes on", self.server.call("GET", "/readyz")[0], 200)

    def drain_waits_for_the_stream(self) -> None:
        """SIGTERM: no new requests, but a stream that runs may end."""
        self.fake.behave(chunks=40, delay_ms_between_events=20)
        connection, answer = self.server.open_stream(self.key, MODEL, max_tokens=64)
        answer.readline()
        self.server.process.send_signal(signal.SIGTERM)
        rest = answer.read()
        connection.close()
        self.fake.behave()
        self.checks.check("a stream that runs at SIGTERM ends whole", b"[DONE]" in rest, rest[-200:])
        self.server.stop()
        self.checks.equal("then the server ends with status 0", self.server.drained_status, 0)
        self.server.start()
        self.checks.equal("and leaves nothing held", self.home.balance(self.budget)["held"], 0)


def no_core_dump(checks: Checks) -> None:
    """Even where cores are allowed, an abort leaves none: it would hold the keys."""

    def allow_cores() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    def dumped(pid: int) -> bool:
        return os.WCOREDUMP(os.waitpid(pid, 0)[1])

    with Home() as home:
        home.init()
        control = subprocess.Popen(
            [sys.executable, "-c", "import os; os.abort()"], preexec_fn=allow_cores, cwd=home.folder
        )
        if not dumped(control.pid):
            print("# skipped crash: no core dump: this machine dumps no cores at all", flush=True)
            control.returncode = 0
            return
        control.returncode = 0
        with Server(home) as server:
            _, hard = resource.getrlimit(resource.RLIMIT_CORE)
            try:
                resource.prlimit(server.pid, resource.RLIMIT_CORE, (hard, hard))
            except PermissionError:
                print("# crash: the server's limit on cores cannot be raised here; aborting it as it is", flush=True)
            os.kill(server.pid, signal.SIGABRT)
            checks.check("an abort leaves no core dump, even where cores are allowed", not dumped(server.pid))
            server.process.returncode = -signal.SIGABRT


def main() -> int:
    checks = Checks("crash")
    with checks.story("a server"), FakeProvider() as fake, Home() as home:
        binary()
        home.init("100.00")
        with Server(home) as server:
            story = Story(checks, home, server, fake)
            with checks.story("kill -9 in mid-stream"):
                request_id = story.kill_in_mid_stream()
                story.limit_holds_after_the_crash()
                story.a_bill_settles_it(request_id)
            with checks.story("ten crashes"):
                story.crashes_in_a_row()
            with checks.story("two servers"):
                story.second_server_is_refused()
            with checks.story("drain"):
                story.drain_waits_for_the_stream()
    with checks.story("core dumps"):
        no_core_dump(checks)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
