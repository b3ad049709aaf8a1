#!/usr/bin/env python3
"""A full disk refuses new requests and never loses a settlement.

The home lies on a small file system of its own, which is filled to the last byte while requests
are on their way. What the provider billed is what the ledger says, before and after a restart.

Run: test/e2e/full_disk_test.py   (as root, to mount a tmpfs)
"""

from __future__ import annotations

import collections
import contextlib
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Iterator

from fake import MODEL, PROVIDER, FakeProvider
from harness import Checks, Home, Server, Skip, wait_until

DISK_MIB = 256
REQUESTS_WHEN_FULL = 400
CALLERS = 4


@contextlib.contextmanager
def small_disk(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0700", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        raise Skip(f"no tmpfs can be mounted ({mounted.stderr.strip()}); run this test as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: pathlib.Path) -> pathlib.Path:
    """A file that takes all that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
                    if os.statvfs(disk).f_bavail == 0:
                        return filler
    return filler


class Story:
    def __init__(self, checks: Checks, home: Home, server: Server, fake: FakeProvider) -> None:
        self.checks = checks
        self.home = home
        self.server = server
        self.fake = fake
        home.do("owner", "add", "alice")
        home.do("app", "add", "notes")
        home.add_credential("alice", PROVIDER, fake.base_url, "sk-fake-disk-0123456789abcdefghijkl")
        self.budget = home.set_budget("owner:alice", "10.00", "total", "refuse")
        self.key = home.create_key("alice", "notes")

    def ask_many(self, count: int) -> collections.Counter[int]:
        """From several callers at once; a connection that breaks counts as 0."""
        statuses: collections.Counter[int] = collections.Counter()

        def call() -> None:
            for _ in range(count // CALLERS):
                try:
                    statuses[self.server.chat(self.key, MODEL, max_tokens=16)[0]] += 1
                except (OSError, ValueError):
                    statuses[0] += 1

        threads = [threading.Thread(target=call) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return statuses

    def agrees_with_the_bill(self, when: str) -> None:
        def settled() -> int | None:
            balance = self.home.balance(self.budget)
            return balance["spent"] if balance["held"] == 0 else None

        spent = wait_until("all holds are settled", settled, 10)
        self.checks.equal(f"{when}: the ledger is the provider's bill", spent, self.fake.bill()["cost_nanos"])

    def tell(self, disk: pathlib.Path) -> None:
        checks = self.checks
        checks.equal("with room, requests are answered", dict(self.ask_many(CALLERS * 5)), {200: CALLERS * 5})
        filler = fill(disk)
        checks.equal("the disk is full", os.statvfs(disk).f_bavail, 0)
        statuses = self.ask_many(REQUESTS_WHEN_FULL)
        print(f"# on a full disk: {dict(statuses)}", flush=True)
        checks.check("a full disk is either coped with or said", set(statuses) <= {200, 503}, statuses)
        checks.check(
            "and the server lives on",
            self.server.process.poll() is None and self.server.call("GET", "/healthz")[0] == 200,
        )
        self.agrees_with_the_bill("while the disk is full")
        filler.unlink()
        wait_until(
            "requests are answered again", lambda: self.server.chat(self.key, MODEL, max_tokens=16)[0] == 200, 10
        )
        checks.check("with room again, requests are answered again", True)
        self.agrees_with_the_bill("with room again")
        self.server.kill()
        self.server.start()
        self.agrees_with_the_bill("after kill -9 and a restart")

        self.server.stop()
        filler = fill(disk)
        answer = self.home.run("serve", "--listen", "127.0.0.1:0")
        filler.unlink()
        checks.check(
            "a start on a full disk works or says what is missing",
            answer.status in (-9, 1) and (answer.status == -9 or "disk" in answer.err or "space" in answer.err), answer.err,
        )  # fmt: skip
        self.server.start()
        self.agrees_with_the_bill("after a start on a full disk")


def main() -> int:
    checks = Checks("full-disk")
    with checks.story("a small disk"), FakeProvider() as fake, Home() as home, small_disk(home.folder / "disk") as disk:
        home.path = disk / "home"
        home.init()
        with Server(home) as server:
            Story(checks, home, server, fake).tell(disk)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
