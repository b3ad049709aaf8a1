#!/usr/bin/env python3
"""Holds the includes of src/ against layers.txt, the one table of who may include whom.

Run: test/layers/check_layers.py [--source src] [--table test/layers/layers.txt]

An architecture that nothing checks is a wish. This reads the #include lines of every source
file, and fails on a breach, on a room that the table does not know, and on an exception that
nobody uses any more: a stale exception is a door that somebody will walk through later.

Prints `ok NAME` or `not ok NAME: why` for each room and each exception. Standard library only.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE_SUFFIXES = {".h", ".cpp"}
PROOF = re.compile(r"_(test|fuzz|bench)\.(h|cpp)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


@dataclasses.dataclass
class Table:
    layer_of: dict[str, int] = dataclasses.field(default_factory=dict)
    reach: dict[int, set[int]] = dataclasses.field(default_factory=dict)
    never: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    edges: set[tuple[str, str]] = dataclasses.field(default_factory=set)  # (room, room or room/header)
    external: dict[str, set[str]] = dataclasses.field(default_factory=dict)

    def reaches(self, room: str, other: str) -> bool:
        """Whether `room` may include all of `other` without an edge."""
        if room == other:
            return True
        in_reach = self.layer_of[other] in self.reach.get(self.layer_of[room], set())
        return in_reach and (room, other) not in self.never


@dataclasses.dataclass(frozen=True)
class Include:
    room: str  # That includes.
    file: str  # Relative to the source folder, for the message.
    line: int
    target: str  # As written, without quotes.
    is_proof: bool  # From a test, fuzzer or benchmark.


class TableError(Exception):
    """The table itself is wrong; the message says in which line and how."""


def read_table(text: str) -> Table:
    table = Table()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        if found := re.fullmatch(r"layer (\d+): (.+)", line):
            for room in found[2].split():
                if room in table.layer_of:
                    raise TableError(f"line {number}: room {room} has a layer already")
                table.layer_of[room] = int(found[1])
        elif found := re.fullmatch(r"reach (\d+): ([\d ]+)", line):
            table.reach[int(found[1])] = {int(layer) for layer in found[2].split()}
        elif found := re.fullmatch(r"never (\w+) -> (\w+)", line):
            table.never.add((found[1], found[2]))
        elif found := re.fullmatch(r"edge (\w+) -> ([\w/.]+)", line):
            table.edges.add((found[1], found[2]))
        elif found := re.fullmatch(r"external (\S+): (.+)", line):
            table.external[found[1]] = set(found[2].split())
        else:
            raise TableError(f'line {number}: "{line}" is none of layer, reach, never, edge, external')
    named = {room for pair in table.never for room in pair}
    named |= {name.split("/")[0] for pair in table.edges for name in pair}
    named |= {room for rooms in table.external.values() for room in rooms}
    for room in sorted(named - table.layer_of.keys()):
        raise TableError(f"room {room} is named, but has no layer")
    return table


def read_includes(source: pathlib.Path) -> list[Include]:
    found = []
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if path.suffix not in SOURCE_SUFFIXES or len(relative.parts) < 2:
            continue
        text = path.read_text(errors="replace")
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start(1) if match[1] else match.start(2)) + 1
            found.append(
                Include(relative.parts[0], str(relative), line, match[1] or match[2], bool(PROOF.search(path.name)))
            )
    return found


def breach(table: Table, include: Include, used: set[tuple[str, str]]) -> str:
    """Why this include is not allowed, or nothing. Notes in `used` what exception it uses."""
    place = f"src/{include.file}:{include.line} includes {include.target}"
    for prefix, rooms in table.external.items():
        if include.target.startswith(prefix):
            used.add((f"external {prefix}", include.room))
            if include.room in rooms or include.is_proof:
                return ""
            return f"{place}; only {', '.join(sorted(rooms))} may"
    other = include.target.split("/")[0]
    if "/" not in include.target or other not in table.layer_of:
        return ""
    if table.reaches(include.room, other):
        return ""
    for edge in ((include.room, other), (include.room, include.target)):
        if edge in table.edges:
            used.add(edge)
            return ""
    layer, other_layer = table.layer_of[include.room], table.layer_of[other]
    if include.is_proof and other_layer <= layer:
        return ""
    return (
        f"{place}; {include.room} (layer {layer}) may not include {other} (layer {other_layer}). Move the interface "
        f"to the room that needs it, or add an edge to test/layers/layers.txt and say why"
    )


def check(table: Table, source: pathlib.Path) -> list[tuple[str, list[str]]]:
    """Every check by name, with what is wrong."""
    includes = read_includes(source)
    present = {include.room for include in includes}
    used: set[tuple[str, str]] = set()
    wrong: dict[str, list[str]] = {room: [] for room in sorted(present)}
    for include in includes:
        if include.room not in table.layer_of:
            continue
        if reason := breach(table, include, used):
            wrong[include.room].append(reason)
    for room in sorted(present - table.layer_of.keys()):
        wrong[room].append(f"src/{room} is a room that test/layers/layers.txt gives no layer")
    results = [(f"layers: src/{room} includes only what it may", reasons) for room, reasons in wrong.items()]

    for room in sorted(table.layer_of.keys() - present):
        results.append((f"layers: room {room} exists", [f"there is no source file in src/{room}; drop it from the table"]))
    for room, target in sorted(table.edges):
        stale = [] if (room, target) in used else [f"no file of {room} uses it; drop the edge from the table"]
        results.append((f"layers: edge {room} -> {target} is used", stale))
    for prefix, rooms in sorted(table.external.items()):
        for room in sorted(rooms):
            stale = [] if (f"external {prefix}", room) in used else [f"{room} does not; drop it from the table"]
            results.append((f"layers: {room} includes {prefix}", stale))
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=pathlib.Path, default=ROOT / "src")
    parser.add_argument("--table", type=pathlib.Path, default=ROOT / "test" / "layers" / "layers.txt")
    arguments = parser.parse_args()
    try:
        table = read_table(arguments.table.read_text())
    except TableError as error:
        print(f"not ok layers: the table can be read: {arguments.table}: {error}")
        return 1
    failed = False
    for name, reasons in check(table, arguments.source):
        print(f"not ok {name}: {'; '.join(reasons)}" if reasons else f"ok {name}")
        failed = failed or bool(reasons)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
