#!/usr/bin/env python3
"""The command line used wrongly: exit status 2 for wrong usage, 1 for what is refused or
fails, and always one clear message on standard error that says what to do.

Run: test/e2e/cli_test.py
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import socket
import sys

from harness import ADMIN_KEY, VIRTUAL_KEY, Answer, Checks, Home, Server, nanos

# Words that only a broken program says to a person.
RAW_FAILURE = re.compile(
    r"terminate called|std::|what\(\)|Assertion|segmentation|stack trace|0x[0-9a-f]{6,}|SQLITE_|errno|\bnullptr\b",
    re.IGNORECASE,
)


def refused(checks: Checks, name: str, answer: Answer, status: int, pattern: str = "") -> None:
    """The exit status, nothing on standard output, and a message that a person can use."""
    called = f"{name} [claviger {' '.join(answer.arguments)}]"
    checks.equal(f"{called} exits with {status}", answer.status, status)
    message = answer.err.strip()
    clear = 15 <= len(message) <= 2500 and not RAW_FAILURE.search(message)
    checks.check(f"{called} says something clear on standard error", clear, repr(answer.err))
    checks.check(f"{called} says nothing on standard output", not answer.out.strip(), repr(answer.out))
    if pattern:
        checks.matches(f"{called} names the culprit", message, pattern)


def without_anything(checks: Checks) -> None:
    """Neither home nor server nor arguments."""
    with Home() as home:
        version = home.run("--version")
        checks.check("--version", version.status == 0 and re.search(r"\d+\.\d+\.\d+", version.out), version.out)
        helped = home.run("--help")
        checks.check(
            "--help lists the commands", helped.status == 0 and "serve" in helped.out and "budget" in helped.out
        )
        for command in ("init", "serve", "owner", "credential", "budget", "key", "model"):
            answer = home.run(command, "--help")
            checks.check(
                f"{command} --help helps", answer.status == 0 and len(answer.out) > 60, answer.out + answer.err
            )
        refused(checks, "no command", home.run(), 2)
        refused(checks, "an unknown command", home.run("budgit"), 2, "budgit")
        refused(checks, "an unknown option", home.run("owner", "list", "--colour"), 2, "--colour")
        refused(checks, "an unknown subcommand", home.run("owner", "frob"), 2, "frob")
        refused(checks, "a missing subcommand", home.run("owner"), 2)
        refused(checks, "a missing argument", home.run("owner", "add"), 2)
        refused(checks, "one argument too many", home.run("owner", "list", "extra"), 2, "extra")
        refused(checks, "a command without a home", home.run("owner", "list"), 1, "init")
        refused(checks, "serve without a home", home.run("serve", "--listen", "127.0.0.1:0"), 1, "init")
        refused(checks, "a limit that is no number", home.run("init", "--default-limit", "ten"), 2, "ten|limit")
        refused(checks, "a negative limit", home.run("init", "--default-limit", "-1"), 2)
        checks.check("wrong usage of init makes no home", not home.path.exists(), list(home.folder.iterdir()))


def homes(checks: Checks) -> None:
    """A home that is not ours, or that is not as we left it."""
    with Home() as home:
        home.path.mkdir(mode=0o700)
        (home.path / "letters.txt").write_text("mine")
        refused(checks, "init in a folder with other files", home.run("init"), 1)
        checks.equal("which stay as they were", [p.name for p in home.path.iterdir()], ["letters.txt"])
    with Home() as home:
        home.init()
        key_before = {path.name: path.read_bytes() for path in home.path.iterdir() if path.is_file()}
        refused(checks, "a second init", home.run("init"), 1)
        key_after = {path.name: path.read_bytes() for path in home.path.iterdir() if path.is_file()}
        checks.equal("changes nothing", key_after, key_before)
        refused(checks, "a command without a server", home.run("owner", "list"), 1, "serve|running")

        config = home.path / "claviger.toml"
        written = config.read_text()
        checks.check("init writes a commented claviger.toml", written.count("#") > 5, written[:300])
        config.write_text(written + "\n[nonsense]\nanswer = 42\n")
        refused(checks, "an unknown key in claviger.toml", home.run("config", "check"), 1, "nonsense")
        refused(checks, "serve with it", home.run("serve", "--listen", "127.0.0.1:0"), 1, "nonsense")
        config.write_text("this is [ not TOML")
        refused(checks, "a claviger.toml that is no TOML", home.run("config", "check"), 1, r"claviger\.toml")
        config.write_text(written)

        for label, path, more in (("the root key", root_key_of(home), 0o044), ("the home", home.path, 0o055)):
            mode = path.stat().st_mode & 0o777
            path.chmod(mode | more)
            refused(
                checks,
                f"{label} readable by others",
                home.run("serve", "--listen", "127.0.0.1:0"),
                1,
                "chmod|permission|mode",
            )
            path.chmod(mode)
        if os.getuid() == 0:
            os.chown(home.path, 12345, 12345)
            refused(
                checks,
                "a home that belongs to somebody else",
                home.run("serve", "--listen", "127.0.0.1:0"),
                1,
                "own|belongs",
            )
            os.chown(home.path, 0, 0)
        root_key = root_key_of(home)
        kept = root_key.read_bytes()
        root_key.unlink()
        refused(checks, "serve without its root key", home.run("serve", "--listen", "127.0.0.1:0"), 1, "root")
        root_key.write_bytes(kept)
        root_key.chmod(0o600)

        for database in databases_of(home):
            kept_database = database.read_bytes()
            database.write_bytes(b"this is no database, and never was" * 200)
            refused(
                checks,
                f"a broken {database.name}",
                home.run("serve", "--listen", "127.0.0.1:0"),
                1,
                re.escape(database.name),
            )
            database.write_bytes(kept_database)
        with Server(home) as server:
            checks.equal("repaired, it starts", server.call("GET", "/healthz")[0], 200)


def root_key_of(home: Home) -> pathlib.Path:
    return next(path for path in sorted(home.path.rglob("*")) if "root" in path.name and path.is_file())


def databases_of(home: Home) -> list[pathlib.Path]:
    return [
        path for path in sorted(home.path.iterdir()) if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3"
    ]


def listening(checks: Checks) -> None:
    with Home() as home, socket.create_server(("127.0.0.1", 0)) as taken:
        home.init()
        port = taken.getsockname()[1]
        refused(checks, "a port in use", home.run("serve", "--listen", f"127.0.0.1:{port}"), 1, str(port))
        refused(checks, "a port that is none", home.run("serve", "--listen", "127.0.0.1:99999"), 2, "99999")
        refused(checks, "an address that is none", home.run("serve", "--listen", "here"), 2, "here")
        refused(checks, "everywhere without TLS", home.run("serve", "--listen", "0.0.0.0:0"), 1, "TLS")


def commands_on_a_server(checks: Checks, home: Home) -> None:
    model = home.folder / "story.gguf"
    model.write_text("Once upon a time there was a file that was no model. " * 20)
    short = home.folder / "short.gguf"
    short.write_bytes(b"GGUF\x03\0\0\0")
    home.do("owner", "add", "alice")
    home.do("app", "add", "notes")
    key = "sk-wrong-usage-0123456789abcdef0123"

    def wrong(name: str, line: str, status: int, pattern: str = "", stdin: str = "") -> None:
        refused(checks, name, home.run(*line.split(), stdin=stdin, THE_KEY=key), status, pattern)

    wrong("an owner twice", "owner add alice", 1, "alice")
    wrong("an owner that is not there", "owner remove nobody", 1, "nobody")
    wrong("an app twice", "app add notes", 1, "notes")
    wrong("a key for an unknown owner", "key create --owner nobody --app notes", 1, "nobody")
    wrong("a key for an unknown app", "key create --owner alice --app none", 1, "none")
    wrong("a key without an owner", "key create --app notes", 2, "owner")
    wrong("a pace that is no number", "key create --owner alice --app notes --rpm many", 2, "many|rpm")
    wrong("a negative pace", "key create --owner alice --app notes --rpm -3", 2)
    wrong("an expiry that is no time", "key create --owner alice --app notes --expires someday", 2, "someday|expires")
    wrong("revoking what is not there", "key revoke key_999", 1, "key_999|999")
    wrong("revoking what is no id", "key revoke banana", 2, "banana")
    wrong("an unknown provider", "credential add --owner alice --provider nosuch --key-env THE_KEY", 1, "nosuch")
    wrong("a credential without a key", "credential add --owner alice --provider openai", 2, "key")
    wrong("an empty key", "credential add --owner alice --provider openai --key-stdin", 1, "empty|key")
    wrong("an unset variable", "credential add --owner alice --provider openai --key-env NOT_SET", 1, "NOT_SET")
    wrong("a key as argument", f"credential add --owner alice --provider openai --key {key}", 2)
    wrong("neither owner nor workspace", "credential add --provider openai --key-env THE_KEY", 2, "owner")
    wrong(
        "a private address without --allow-private",
        "credential add --owner alice --provider openai --base-url http://127.0.0.1:9/v1 --key-env THE_KEY", 1, "allow-private",
    )  # fmt: skip
    wrong(
        "a base URL that is none",
        "credential add --owner alice --provider openai --base-url ftp://x --key-env THE_KEY", 2, "ftp|http",
    )  # fmt: skip
    wrong("a credential that is not there", "credential remove crd_999", 1, "999")
    wrong("a model file that is missing", "model add --owner alice --file /nowhere/x.gguf", 1, "/nowhere/x.gguf")
    wrong("a file that is no GGUF", f"model add --owner alice --file {model}", 1, "GGUF")
    wrong("a GGUF that ends too early", f"model add --owner alice --file {short}", 1, "GGUF|short|end")
    wrong("a folder as model", f"model add --owner alice --file {home.folder}", 1)
    wrong("a model for an unknown owner", f"model add --owner nobody --file {short}", 1)
    wrong("a budget without a limit", "budget set --scope owner:alice --per month", 2, "limit")
    wrong("a budget on nobody", "budget set --scope owner:nobody --limit 5 --per month", 1, "nobody")
    wrong("a scope that is none", "budget set --scope planet:mars --limit 5 --per month", 2, "planet")
    wrong("a period that is none", "budget set --scope owner:alice --limit 5 --per fortnight", 2, "fortnight")
    wrong("a negative limit", "budget set --scope owner:alice --limit -5 --per month", 2)
    wrong("a limit finer than a nano-dollar", "budget set --scope owner:alice --limit 0.0000000001 --per month", 2)
    wrong("a limit beyond all money", "budget set --scope owner:alice --limit 99999999999999999999 --per month", 2)
    wrong("a budget that is not there", "budget show bud_999", 1, "999")
    wrong("a request that is not there", "request req_00000000000000000000000000", 1, "req_0")
    wrong("a request id that is none", "request banana", 2, "banana")
    wrong("reconciling what was never held", "budget reconcile req_00000000000000000000000000 --cost 1", 1)
    wrong("usage by what is no group", "usage --by colour", 2, "colour")
    wrong("restore of what is no backup", f"restore {model}", 1)
    wrong("backup into a folder that is not there", "backup /nowhere/b", 1, "/nowhere/b")
    shown = [answer for answer in home.answers if key in answer.out + answer.err and "--key" not in answer.arguments]
    checks.check("no message repeats a key", not shown, [answer.arguments for answer in shown])


def json_everywhere(checks: Checks, home: Home) -> None:
    """--json is JSON and nothing else, also where nothing is there to list."""
    created = home.do("key", "create", "--owner", "alice", "--app", "notes", "--json")
    checks.check("key create --json has the key once", len(re.findall(VIRTUAL_KEY, created.out)) == 1, created.out)
    checks.check("in an object", isinstance(json.loads(created.out), dict), created.out)
    for command in (
        "owner list", "app list", "credential list", "key list", "budget list", "model list", "requests",
        "usage", "vault status", "doctor",
    ):  # fmt: skip
        answer = home.run(*command.split(), "--json")
        try:
            json.loads(answer.out)
            valid = True
        except ValueError:
            valid = False
        checks.check(f"{command} --json is JSON", valid and answer.status == 0, answer.out + answer.err)
    refusal = home.run("owner", "remove", "nobody", "--json")
    checks.equal("a refusal under --json exits with 1 too", refusal.status, 1)
    budget = home.set_budget("owner:alice", "12.345678901")
    checks.equal("a limit is kept to the nano-dollar", home.balance(budget)["limit"], nanos("12.345678901"))


def remote(checks: Checks, home: Home, server: Server) -> None:
    """The same commands from elsewhere, with an admin key."""
    url = f"http://127.0.0.1:{server.port}"
    elsewhere = {"CLAVIGER_HOME": str(home.folder / "no-home")}
    good = home.run("owner", "list", "--url", url, CLAVIGER_ADMIN_KEY=home.admin_key, **elsewhere)
    checks.check("--url with an admin key", good.status == 0 and "alice" in good.out, good.err)
    refused(
        checks, "--url without a key", home.run("owner", "list", "--url", url, **elsewhere), 1, "CLAVIGER_ADMIN_KEY"
    )
    wrong_key = home.run("owner", "list", "--url", url, CLAVIGER_ADMIN_KEY="clva_" + "x" * 49, **elsewhere)
    refused(checks, "--url with a wrong key", wrong_key, 1, "key")
    virtual = home.create_key("alice", "notes")
    refused(
        checks,
        "--url with a virtual key",
        home.run("owner", "list", "--url", url, CLAVIGER_ADMIN_KEY=virtual, **elsewhere),
        1,
        "key",
    )
    refused(
        checks,
        "--url where nobody listens",
        home.run("owner", "list", "--url", "http://127.0.0.1:1", CLAVIGER_ADMIN_KEY=home.admin_key, **elsewhere),
        1,
        "127.0.0.1:1",
    )


def backup_and_restore(checks: Checks) -> None:
    with Home() as home:
        home.init()
        backup = home.folder / "claviger.backup"
        with Server(home) as server:
            home.do("owner", "add", "alice")
            home.do("app", "add", "notes")
            key = home.create_key("alice", "notes")
            home.do("backup", str(backup))
            checks.equal("a backup is for its owner's eyes only", oct(backup.stat().st_mode & 0o777), oct(0o600))
            home.do("owner", "add", "later")
            refused(checks, "restore under a running server", home.run("restore", str(backup)), 1, "stop|running")
            server.stop()
        damaged = home.folder / "damaged.backup"
        shutil.copy(backup, damaged)
        with damaged.open("r+b") as file:
            file.truncate(damaged.stat().st_size // 2)
        refused(checks, "restore of half a backup", home.run("restore", str(damaged)), 1)
        restored = home.run("restore", str(backup), stdin="0.00\n")
        checks.equal("restore of a whole one", restored.status, 0)
        with Server(home) as server:
            owners = home.do("owner", "list").out
            checks.check(
                "brings back what was there, and nothing more", "alice" in owners and "later" not in owners, owners
            )
            status = server.call("GET", "/v1/models", key=key)[0]
            checks.check("virtual keys wait until they are confirmed", status in (401, 403), status)


def main() -> int:
    checks = Checks("cli")
    for part in (without_anything, homes, listening, backup_and_restore):
        with checks.story(part.__name__.replace("_", " ")):
            part(checks)
    with checks.story("a server"), Home() as home:
        home.init()
        checks.matches("init shows the first admin key", home.answers[-1].out, ADMIN_KEY)
        with Server(home) as server:
            for part in (commands_on_a_server, json_everywhere):
                with checks.story(part.__name__.replace("_", " ")):
                    part(checks, home)
            with checks.story("remote"):
                remote(checks, home, server)
            checks.equal("and the server is alive and well", server.call("GET", "/readyz")[0], 200)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
