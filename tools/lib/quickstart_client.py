#!/usr/bin/env python3
"""What tools/quickstart needs beyond the command line: one streamed request, and readers of JSON.

  quickstart_client.py taken ADDRESS:PORT             status 0 where something listens there
  quickstart_client.py ready URL SECONDS PID          waits until that process answers
  quickstart_client.py chat --base-url U --key-file F --model M --summary OUT PROMPT
  quickstart_client.py names < list.json              every "name" in a list, a line each
  quickstart_client.py field NAME < object.json       one field of an object
  quickstart_client.py local-model FILE < list.json   the id of the model that FILE holds
  quickstart_client.py sandbox-missing < doctor.json  parts of the sandbox that are missing
  quickstart_client.py allow-missing TOML PART…       sets local.sandbox_allow_missing

Standard library only. Amounts are read as exact decimals, never as binary fractions.
"""

from __future__ import annotations

import argparse
import http.client
import json
import pathlib
import re
import socket
import sys
import time
import urllib.parse
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

ANSWER_SECONDS_MAX = 180  # The first request also loads the model.
POLL_SECONDS = 0.05
OUTPUT_TOKENS_MAX = 96


class Failure(Exception):
    """What went wrong, for a person."""


def connect(base_url: str, seconds_max: float) -> tuple[http.client.HTTPConnection, str]:
    parts = urllib.parse.urlsplit(base_url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds_max), parts.path


def taken(address: str) -> bool:
    parts = urllib.parse.urlsplit(f"//{address}")
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=2).close()
    except OSError:
        return False
    return True


def ready(url: str, seconds_max: float, pid: int) -> None:
    deadline = time.monotonic() + seconds_max
    while True:
        connection, path = connect(url, 2)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
            if status == 200:
                return
            reason = f"answers {status}"
        except (OSError, http.client.HTTPException) as error:
            reason = str(error)
        finally:
            connection.close()
        if not pathlib.Path(f"/proc/{pid}").exists():
            raise Failure("the server ended at once")
        if time.monotonic() > deadline:
            raise Failure(f"{url} is not ready after {seconds_max:g} s: {reason}")
        time.sleep(POLL_SECONDS)


def read_json(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


def explain(status: int, body: bytes) -> str:
    """An error answer as a sentence: what happened, and the remedy where there is one."""
    try:
        error = read_json(body)["error"]
        remedy = error.get("claviger", {}).get("remedy", "")
        return f"{error['message']} {remedy}".strip()
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the server answered {status}: {body[:300].decode(errors='replace')}"


def events(answer: http.client.HTTPResponse) -> Iterator[Any]:
    """The JSON of each event of a stream, until it says that it is done."""
    for raw in answer:
        line = raw.decode().strip()
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        event = read_json(data)
        if "error" in event:
            raise Failure(explain(200, data.encode()))
        yield event
    raise Failure("the stream broke off before it was done")


def chat(arguments: argparse.Namespace) -> None:
    key = pathlib.Path(arguments.key_file).read_text().strip()
    request = {
        "model": arguments.model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": OUTPUT_TOKENS_MAX,
        "messages": [{"role": "user", "content": arguments.prompt}],
    }
    connection, path = connect(arguments.base_url, ANSWER_SECONDS_MAX)
    connection.request(
        "POST", f"{path}/chat/completions", body=json.dumps(request),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )  # fmt: skip
    answer = connection.getresponse()
    if answer.status != 200:
        raise Failure(explain(answer.status, answer.read()))
    usage = None
    for event in events(answer):
        for choice in event.get("choices", []):
            print(choice.get("delta", {}).get("content") or "", end="", flush=True)
        usage = event.get("usage") or usage
    print()
    connection.close()
    if not usage or "cost" not in usage:
        raise Failure("the stream ended without saying what it cost")
    said = {
        "request_id": answer.getheader("x-claviger-request-id", ""),
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
        "cost": f"{Decimal(usage['cost']):f}",
    }
    pathlib.Path(arguments.summary).write_text(json.dumps(said))


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON document, outermost first."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from objects(inner)


def local_model(listed: Any, file: str) -> str:
    wanted = str(pathlib.Path(file).resolve())
    for entry in objects(listed):
        if wanted in entry.values():
            name = next((entry[field] for field in ("model", "name") if field in entry), "")
            return name if name.startswith("local/") else f"local/{name}"
    return ""


def sandbox_missing(findings: Any) -> list[str]:
    """Parts that `claviger doctor` calls a problem, e.g. "sandbox: landlock"."""
    return [
        entry["subject"].partition(":")[2].strip()
        for entry in objects(findings)
        if str(entry.get("subject", "")).startswith("sandbox:") and entry.get("level") == "problem"
    ]


def allow_missing(file: pathlib.Path, parts: list[str]) -> None:
    """Sets the key where it stands (also as a comment), else under [local], else at the end."""
    setting = f"sandbox_allow_missing = {json.dumps(parts)}"
    text = file.read_text()
    for place, replacement in (
        (r"(?m)^[ \t]*#?[ \t]*sandbox_allow_missing[ \t]*=.*$", setting),
        (r"(?m)^\[local\][ \t]*$", f"[local]\n{setting}"),
    ):
        changed, times = re.subn(place, lambda _, value=replacement: value, text, count=1)
        if times and re.search(r"(?m)^\[local\]", changed):
            file.write_text(changed)
            return
    file.write_text(f"{text.rstrip()}\n\n[local]\n{setting}\n")


def plain(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    waiting = commands.add_parser("ready")
    waiting.add_argument("url")
    waiting.add_argument("seconds", type=float)
    waiting.add_argument("pid", type=int)
    commands.add_parser("taken").add_argument("address")
    asking = commands.add_parser("chat")
    for name in ("--base-url", "--key-file", "--model", "--summary"):
        asking.add_argument(name, required=True)
    asking.add_argument("prompt")
    commands.add_parser("names")
    commands.add_parser("field").add_argument("name")
    commands.add_parser("local-model").add_argument("file")
    commands.add_parser("sandbox-missing")
    allowing = commands.add_parser("allow-missing")
    allowing.add_argument("file", type=pathlib.Path)
    allowing.add_argument("part", nargs="+")
    arguments = parser.parse_args()
    try:
        if arguments.command == "ready":
            ready(arguments.url, arguments.seconds, arguments.pid)
        elif arguments.command == "taken":
            return 0 if taken(arguments.address) else 1
        elif arguments.command == "chat":
            chat(arguments)
        elif arguments.command == "names":
            print("\n".join(str(entry["name"]) for entry in objects(read_json(sys.stdin.read())) if "name" in entry))
        elif arguments.command == "field":
            print(plain(read_json(sys.stdin.read())[arguments.name]))
        elif arguments.command == "local-model":
            print(local_model(read_json(sys.stdin.read()), arguments.file))
        elif arguments.command == "sandbox-missing":
            print(" ".join(sandbox_missing(read_json(sys.stdin.read()))))
        elif arguments.command == "allow-missing":
            allow_missing(arguments.file, arguments.part)
    except (Failure, OSError, ValueError, KeyError, http.client.HTTPException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
