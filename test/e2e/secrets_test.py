#!/usr/bin/env python3
"""Planted secrets are nowhere but where they must be.

A provider key, a virtual key and an admin key are used in every way that we know of. Then no
log line, no answer, no file of the home and no readable page of the process may hold them,
nor a recognisable part of them, plain, in base64 or in hex. The one place that may hold the
provider key is the arena: pages that are locked and left out of core dumps. That it is found
there proves that the search can find something.

Why pages and not only a core by gcore: what gcore writes depends on flags of the mappings and
on gdb's settings. We read the flags and the memory themselves, and make the core too.

Run: test/e2e/secrets_test.py   (as root, to read another process's memory)
"""

from __future__ import annotations

import base64
import dataclasses
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import time

from fake import MODEL, PROVIDER, FakeProvider
from harness import ADMIN_KEY, VIRTUAL_KEY, Answer, Checks, Home, Server, Skip

READ_BYTES = 4 << 20
PART_BYTES = 20  # A run of this length of a key's random characters is no coincidence.
PROMPT = "the heron counts nineteen silver spoons"


def needles(secret: str) -> list[bytes]:
    """The secret's random part from both ends, as it is and as common encodings would show it."""
    core = secret.split("-")[-1] if secret.startswith("sk-") else secret.split("_", 1)[1]
    found = [core[:PART_BYTES].encode(), core[-PART_BYTES:].encode(), secret.encode().hex()[8:48].encode()]
    for shift in range(3):  # Base64 has three alignments; its first and last characters depend on neighbours.
        encoded = base64.b64encode(b"x" * shift + secret.encode())
        found.append(encoded[8 : 8 + PART_BYTES])
    return found


@dataclasses.dataclass
class Mapping:
    begin: int
    end: int
    readable: bool
    name: str
    flags: set[str]


def mappings_of(pid: int) -> list[Mapping]:
    """From smaps, whose VmFlags say what is locked (lo) and left out of dumps (dd): proc(5)."""
    found: list[Mapping] = []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
        if head:
            found.append(Mapping(int(head[1], 16), int(head[2], 16), head[3].startswith("r"), head[4], set()))
        elif line.startswith("VmFlags:"):
            found[-1].flags = set(line.split()[1:])
    return found


def mappings_with(pid: int, wanted: list[bytes]) -> list[Mapping]:
    """Every readable mapping that holds one of the needles."""
    holding = []
    overlap = max(map(len, wanted)) - 1
    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    except PermissionError:
        raise Skip("the process's memory cannot be read; run this test as root") from None
    try:
        for mapping in mappings_of(pid):
            if not mapping.readable or mapping.name in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            position, tail = mapping.begin, b""
            while position < mapping.end:
                piece = os.pread(memory, min(READ_BYTES, mapping.end - position), position)
                if not piece:
                    break
                if any(needle in tail + piece for needle in wanted):
                    holding.append(mapping)
                    break
                tail, position = piece[-overlap:], position + len(piece)
    finally:
        os.close(memory)
    return holding


def file_holds(path: pathlib.Path, wanted: list[bytes]) -> bool:
    data = path.read_bytes()
    return any(needle in data for needle in wanted)


class Story:
    def __init__(self, checks: Checks, home: Home, server: Server, fake: FakeProvider) -> None:
        self.checks = checks
        self.home = home
        self.server = server
        self.fake = fake
        self.answers: list[bytes] = []
        self.provider_key = "sk-fake-" + secrets.token_hex(24)
        self.second_provider_key = "sk-fake-" + secrets.token_hex(24)
        home.do("owner", "add", "alice")
        home.do("owner", "add", "bob")
        home.do("app", "add", "notes")
        self.credential = home.add_credential("alice", PROVIDER, fake.base_url, self.provider_key)
        home.do(
            "credential", "add", "--owner", "bob", "--provider", PROVIDER, "--base-url", fake.base_url,
            "--allow-private", "--key-stdin", stdin=self.second_provider_key + "\n",
        )  # fmt: skip
        self.virtual_key = home.create_key("alice", "notes")
        self.planted = {
            "the provider key": self.provider_key,
            "the provider key from standard input": self.second_provider_key,
            "the virtual key": self.virtual_key,
            "the admin key": home.admin_key,
        }

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> bytes:
        status, sent_back, text = self.server.call(
            method, path, body, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        self.answers.append(json.dumps([status, sent_back]).encode() + text)
        return text

    def use_everything(self) -> None:
        """Every way in which a key travels, and every way in which it can go wrong."""
        key, chat = self.virtual_key, "/v1/chat/completions"
        body = {"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": PROMPT}]}
        bearer = f"Bearer {key}"
        self.ask("POST", chat, body, Authorization=bearer)
        self.ask("POST", chat, body | {"stream": True}, Authorization=bearer)
        self.ask("POST", chat, body, x_api_key=key)
        self.ask("POST", f"{chat}?key={key}", body)
        self.ask("GET", f"/v1/models?key={key}")
        self.ask("POST", f"{chat}?key={key}&x=%zz", body)
        self.ask("POST", chat, body, Authorization=f"Bearer {self.provider_key}")  # Mixed up by the caller.
        self.ask("POST", chat, body, Authorization=f"Bearer {key[:-1]}")
        self.ask("POST", chat, body, Authorization=bearer, x_api_key=self.home.admin_key)
        self.ask("POST", chat, b"{ not JSON " + key.encode(), Authorization=bearer)
        for path in ("/metrics", "/healthz", "/readyz", "/api/v1/owners", "/api/v1/credentials", "/api/v1/keys"):
            self.ask("GET", path, Authorization=f"Bearer {self.home.admin_key}")
            self.ask("GET", path, Authorization=bearer)
            self.ask("GET", path)
        for broken in (
            {"status": 401, "body": json.dumps({"error": {"message": f"Incorrect API key: {self.provider_key}"}})},
            {"status": 500, "body": f"Authorization: Bearer {self.provider_key}"},
            {"reset": True},
            {"truncate_bytes": 20},
        ):
            self.fake.behave(**broken)
            self.ask("POST", chat, body, Authorization=bearer)
            self.fake.behave()

    def say_everything(self) -> None:
        """Commands that show what is stored."""
        for command in (
            "owner list", "app list", "credential list", f"credential test {self.credential}", "key list",
            "budget list", "requests --last 50", "usage --by owner", "vault status", "doctor", "config check",
        ):  # fmt: skip
            self.home.run(*command.split())
            self.home.run(*command.split(), "--json")
        self.home.run("backup", str(self.home.path / "planted.backup"))

    def nothing_is_said(self) -> None:
        shown_once = (VIRTUAL_KEY, ADMIN_KEY)

        def shows_a_new_key(answer: Answer) -> bool:
            return answer.arguments[:2] == ["key", "create"] or answer.arguments[:1] == ["init"]

        for name, secret in self.planted.items():
            wanted = needles(secret)
            told = [text[:300] for text in self.answers if any(needle in text for needle in wanted)]
            self.checks.check(f"{name} is in no answer of the server", not told, told)
            said = [
                answer.arguments
                for answer in self.home.answers
                if not shows_a_new_key(answer) and any(n in (answer.out + answer.err).encode() for n in wanted)
            ]
            self.checks.check(f"{name} is in no answer of a command", not said, said)
        keys_said = [
            answer.arguments
            for answer in self.home.answers
            if not shows_a_new_key(answer) and any(re.search(p, answer.out + answer.err) for p in shown_once)
        ]
        self.checks.check("no command but the one that makes it shows a key", not keys_said, keys_said)

    def nothing_is_written(self, when: str) -> None:
        files = [path for path in self.home.folder.rglob("*") if path.is_file()]
        self.checks.check(f"{when}: there are files to look into", len(files) >= 4, files)
        for name, secret in self.planted.items():
            holding = [str(path) for path in files if file_holds(path, needles(secret))]
            self.checks.check(f"{when}: {name} is in no file and no log line", not holding, holding)
        holding = [str(path) for path in files if file_holds(path, [PROMPT.encode()])]
        self.checks.check(f"{when}: the prompt is in no file and no log line", not holding, holding)
        mode = self.home.path.stat().st_mode & 0o777
        self.checks.equal(f"{when}: nobody else may enter the home", oct(mode), oct(0o700))

    def nothing_is_in_memory(self, when: str) -> None:
        pid = self.server.pid
        for name, secret in self.planted.items():
            holding = mappings_with(pid, needles(secret))
            dumpable = [f"{m.begin:x}-{m.end:x} {m.name or 'anonymous'}" for m in holding if "dd" not in m.flags]
            self.checks.check(f"{when}: {name} is in no page that a core would hold", not dumpable, dumpable)
            if name == "the provider key":
                self.checks.check(f"{when}: the search finds it in the arena", holding, "it is nowhere: broken search?")
                unlocked = [f"{m.begin:x}" for m in holding if "lo" not in m.flags]
                self.checks.check(f"{when}: whose pages are locked", not unlocked, unlocked)
        for file in ("environ", "cmdline"):
            data = pathlib.Path(f"/proc/{pid}/{file}").read_bytes()
            told = [name for name, secret in self.planted.items() if any(n in data for n in needles(secret))]
            self.checks.check(f"{when}: none is in /proc/PID/{file}", not told, told)

    def nothing_is_in_a_core(self) -> None:
        gcore = shutil.which("gcore")
        if gcore is None:
            raise Skip("no gcore; install it with apt-get install gdb")
        prefix = self.home.folder / "core"
        finished = subprocess.run(
            [gcore, "-o", str(prefix), str(self.server.pid)], capture_output=True, text=True, timeout=120, check=False
        )
        core = pathlib.Path(f"{prefix}.{self.server.pid}")
        if not self.checks.check("gcore writes a core", core.is_file(), finished.stderr[-300:]):
            return
        for name, secret in self.planted.items():
            self.checks.check(f"{name} is not in the core", not file_holds(core, needles(secret)))
        core.unlink()

    def idle_connections_keep_no_key(self) -> http.client.HTTPConnection:
        """A caller that stays connected between requests, as every SDK does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        body = json.dumps({"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": "x"}]})
        for _ in range(3):
            connection.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {self.virtual_key}"})
            connection.getresponse().read()
        return connection


def main() -> int:
    checks = Checks("secrets")
    with checks.story("a server"), FakeProvider() as fake, Home() as home:
        home.init()
        with Server(home) as server:
            story = Story(checks, home, server, fake)
            with checks.story("use"):
                story.use_everything()
                story.say_everything()
                story.nothing_is_said()
            time.sleep(0.5)  # Records and journal are written in groups.
            with checks.story("files"):
                story.nothing_is_written("running")
            with checks.story("memory"):
                story.nothing_is_in_memory("at rest")
            with checks.story("memory with an idle connection"):
                connection = story.idle_connections_keep_no_key()
                story.nothing_is_in_memory("with an idle connection")
                connection.close()
            with checks.story("core"):
                story.nothing_is_in_a_core()
            with checks.story("rotation"):
                home.do("vault", "rotate")
                status, _, _ = server.chat(story.virtual_key, MODEL, max_tokens=8)
                checks.equal("after vault rotate, requests go on", status, 200)
                story.nothing_is_in_memory("after vault rotate")
            server.stop()
            with checks.story("files of a stopped server"):
                story.nothing_is_written("stopped")
            server.start()
            status, _, _ = server.chat(story.virtual_key, MODEL, max_tokens=8)
            checks.equal("and it starts again under the new root key", status, 200)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
