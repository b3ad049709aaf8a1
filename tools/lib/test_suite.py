#!/usr/bin/env python3
"""The whole test suite: builds, unit and contract tests, layers, format, tidy, sanitizers,
fuzzers, end to end. Called by tools/test, which installs what it needs.

Parts run one after another and go on after a failure. The last line is `N passed, N failed`;
the exit status is 0 where none failed. Logs are in build/test-logs.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

from test_context import BUILD, JOBS, LOGS, ROOT, Context, Finished, build, last_lines, missing, run, say
from test_counting import Count, count_gtest, count_lines, count_status

# Where data races, lifetime errors and torn arithmetic would cost somebody money or a key.
# Parsers meet AddressSanitizer in their fuzzers.
SANITIZED_ROOMS = ["net", "access", "budget", "vault", "record", "relay"]
# Where threads meet.
THREADED_ROOMS = ["net", "budget", "record", "alert"]
PROOF_SUFFIXES = ("_test.cpp", "_fuzz.cpp", "_bench.cpp")

BUILD_SECONDS_MAX = 1500
UNIT_SECONDS_MAX = 300
END_TO_END_SECONDS_MAX = 900
TIDY_FILE_SECONDS_MAX = 180
FUZZ_INPUT_SECONDS_MAX = 10
FUZZ_MEMORY_MIB_MAX = 2048


def part_model(context: Context) -> Count:
    """The model runner and the default model, for the tests that need a real answer."""
    count = Count()
    for tool, names in (
        ("runner", ("CLAVIGER_RUNNER", "CLAVIGER_TEST_RUNNER")),
        ("model", ("CLAVIGER_TEST_MODEL",)),
    ):
        finished = run(f"model/{tool}", [f"tools/{tool}"], seconds_max=BUILD_SECONDS_MAX)
        lines = finished.output.strip().splitlines()
        if finished.status == 0 and lines and pathlib.Path(lines[-1]).is_file():
            context.environment |= dict.fromkeys(names, lines[-1])
        count.add(count_status(f"tools/{tool}", finished.status, finished.output))
    return count


def part_tools(_: Context) -> Count:
    """The tools' own tests: that tools/test counts well, and that a planted breach is found."""
    count = Count()
    for test in [*sorted((ROOT / "tools" / "tests").glob("*_test.py")), ROOT / "test/layers/check_layers_test.py"]:
        if test.name == "quickstart_test.py":
            continue  # Needs the release build: a part of its own.
        finished = run(f"tools/{test.stem}", [sys.executable, str(test)], seconds_max=UNIT_SECONDS_MAX)
        count.add(count_status(str(test.relative_to(ROOT)), finished.status, finished.output))
    return count


def part_layers(_: Context) -> Count:
    """Who includes whom."""
    finished = run("layers", [sys.executable, "test/layers/check_layers.py"], seconds_max=60)
    return count_lines("layers", finished.status, finished.output)


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def is_shell(name: str) -> bool:
    with (ROOT / name).open("rb") as file:
        first = file.readline(80)
    return name.endswith(".sh") or (first.startswith(b"#!") and first.rstrip().endswith((b"bash", b"/sh")))


def part_format(_: Context) -> Count:
    """Formatting of C++ and shell, and shellcheck."""
    sources = tracked("*.cpp", "*.h")
    scripts = [name for name in tracked("tools", ".ci", "bench", "test", "examples") if is_shell(name)]
    count = Count()
    for name, command in (
        ("clang-format", ["clang-format-19", "--dry-run", "-Werror", *sources]),
        ("shfmt", ["shfmt", "-d", *scripts]),
        ("shellcheck", ["shellcheck", "--external-sources", *scripts]),
    ):
        finished = run(f"format/{name}", command, seconds_max=120)
        if finished.status != 0:
            say(last_lines(finished.output))
        count.add(count_status(name, finished.status, f"see {finished.log}"))
    return count


def part_build(context: Context) -> Count:
    """The dev preset, with every test."""
    return build(context, "dev", [], BUILD_SECONDS_MAX)


def registered_tests(preset: str) -> list[tuple[str, list[str]]]:
    """Name and command of every test that CMake registered."""
    listed = subprocess.run(
        ["ctest", "--test-dir", str(BUILD / preset), "--show-only=json-v1"], capture_output=True, text=True, check=True
    )
    return [(test["name"], test["command"]) for test in json.loads(listed.stdout)["tests"] if "command" in test]


def run_unit(preset: str, name: str, command: list[str], environment: dict[str, str]) -> Count:
    log = f"{preset}/{name}"
    report = LOGS / f"{log}.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    is_gtest = name.endswith("_test") and len(command) == 1
    more = [f"--gtest_output=json:{report}"] if is_gtest else []
    finished = run(log, command + more, seconds_max=UNIT_SECONDS_MAX, environment=environment)
    if is_gtest:
        count = count_gtest(f"{preset} {name}", finished.status, finished.output, report)
    else:
        count = count_status(f"{preset} {name}", finished.status, finished.output)
    if count.failed:
        say(last_lines(finished.output))
        say(f"     {finished.log}")
    return count


def run_units(preset: str, wanted: Callable[[str], bool], environment: dict[str, str]) -> Count:
    count = Count()
    tests = [(name, command) for name, command in registered_tests(preset) if wanted(name)]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for one in pool.map(lambda test: run_unit(preset, test[0], test[1], environment), tests):
            count.add(one)
    if not tests:
        count.failed.append(f"{preset}: no test is registered")
    return count


def part_unit(context: Context) -> Count:
    """Unit and contract tests."""
    if "dev" not in context.built:
        return missing("the dev preset did not build")
    return run_units("dev", lambda _: True, context.environment)


def part_tokenizers(context: Context) -> Count:
    """Our tokens against the reference implementation's, on ten thousand texts."""
    program = BUILD / "dev" / "src" / "tokenize" / "tokenize_texts"
    if "dev" not in context.built or not program.is_file():
        return missing("the dev preset did not build")
    finished = run(
        "tokenizers", [sys.executable, "test/tokenizers/compare_with_reference.py", str(program)],
        seconds_max=END_TO_END_SECONDS_MAX,
    )  # fmt: skip
    if finished.status != 0:
        say(last_lines(finished.output))
    return count_lines("tokenizers", finished.status, finished.output)


def symbolizer() -> str:
    return shutil.which("llvm-symbolizer-19") or shutil.which("llvm-symbolizer") or ""


def sanitized(context: Context, preset: str, rooms: list[str], environment: dict[str, str]) -> Count:
    names = [f"{room}_test" for room in rooms if any((ROOT / "src" / room).rglob("*_test.cpp"))]
    count = build(context, preset, names, BUILD_SECONDS_MAX)
    if not count.failed:
        count.add(run_units(preset, lambda name: name in names, context.environment | environment))
    return count


def part_asan(context: Context) -> Count:
    """AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer where it matters most."""
    options = f"detect_leaks=1:strict_string_checks=1:external_symbolizer_path={symbolizer()}"
    return sanitized(context, "asan", SANITIZED_ROOMS, {"ASAN_OPTIONS": options, "UBSAN_OPTIONS": "print_stacktrace=1"})


def part_tsan(context: Context) -> Count:
    """ThreadSanitizer where threads meet."""
    options = f"second_deadlock_stack=1:external_symbolizer_path={symbolizer()}"
    return sanitized(context, "tsan", THREADED_ROOMS, {"TSAN_OPTIONS": options})


def run_fuzzer(context: Context, name: str, program: pathlib.Path) -> Count:
    """A short run, from the seeds that are kept beside the sources and what it found before."""
    found = BUILD / "fuzz" / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    seeds = [str(folder) for folder in (ROOT / "test" / "corpus" / name,) if folder.is_dir()]
    (LOGS / "fuzz").mkdir(parents=True, exist_ok=True)
    finished = run(
        f"fuzz/{name}",
        [
            str(program), f"-max_total_time={context.fuzz_seconds}", f"-timeout={FUZZ_INPUT_SECONDS_MAX}",
            f"-rss_limit_mb={FUZZ_MEMORY_MIB_MAX}", f"-artifact_prefix={LOGS}/fuzz/{name}-", str(found), *seeds,
        ],
        seconds_max=context.fuzz_seconds + 120,
        environment={"ASAN_OPTIONS": f"external_symbolizer_path={symbolizer()}"},
        quiet=True,
    )  # fmt: skip
    if finished.status != 0:
        say(last_lines(finished.output))
    return count_status(name, finished.status, f"see {finished.log}; the input is beside it")


def part_protocol(_: Context) -> Count:
    """The lease protocol, model-checked: no state breaks it, and each planted mistake is found."""
    finished = run("protocol", ["test/model/check"], seconds_max=UNIT_SECONDS_MAX)
    return count_status("test/model/check", finished.status, finished.output)


def part_fuzz(context: Context) -> Count:
    """Every fuzzer for a few seconds: that it works, and that nothing falls at the first push."""
    names = sorted(path.stem for path in (ROOT / "src").rglob("*_fuzz.cpp"))
    if not names:
        return Count(failed=["there is no fuzzer"])
    count = build(context, "fuzz", names, BUILD_SECONDS_MAX)
    if count.failed:
        return count
    programs = {path.name: path for path in (BUILD / "fuzz").rglob("*_fuzz") if path.is_file()}
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for one in pool.map(lambda name: run_fuzzer(context, name, programs[name]), names):
            count.add(one)
    return count


def newest_first(files: list[str]) -> list[str]:
    """By the commit that last changed each; a file that is not committed comes first."""
    listed = subprocess.run(
        ["git", "log", "--format=", "--name-only", "-n", "500", "--", "src"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    rank: dict[str, int] = {}
    for position, name in enumerate(line for line in listed.stdout.splitlines() if line):
        rank.setdefault(name, position)
    return sorted(files, key=lambda name: (rank.get(name, -1), name))


def headers_of_objects() -> dict[str, list[str]]:
    """Source file → our own headers that it reads, as Ninja recorded them while building."""
    listed = subprocess.run(["ninja", "-C", str(BUILD / "dev"), "-t", "deps"], capture_output=True, text=True, check=False)
    read: dict[str, list[str]] = {}
    for block in listed.stdout.split("\n\n"):
        # A cache of compilations may have written them relative to the build folder.
        names = [os.path.normpath(BUILD / "dev" / line.strip()) for line in block.splitlines()[1:]]
        ours = [name for name in names if name.startswith(f"{ROOT}/src/")]
        if ours:
            read[str(pathlib.Path(ours[0]).relative_to(ROOT))] = ours
    return read


def tidy_file(name: str, key: str, folder: pathlib.Path, deadline: float) -> tuple[str, Finished | None]:
    stamp = folder / key
    if stamp.exists():
        return name, Finished(0, "", stamp, 0)
    if time.monotonic() > deadline:
        return name, None
    command = ["clang-tidy-19", "-p", str(BUILD / "dev"), "--quiet", name]
    finished = run(f"tidy/{name}", command, seconds_max=TIDY_FILE_SECONDS_MAX, quiet=True)
    if finished.status == 0:
        stamp.touch()
    return name, finished


def part_tidy(context: Context) -> Count:
    """clang-tidy, newest files first, within its time. What was clean and is unchanged, with
    the headers that it reads, is not looked at again."""
    if "dev" not in context.built:
        return missing("the dev preset did not build")
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "claviger" / "tidy"
    cache.mkdir(parents=True, exist_ok=True)
    rules = (ROOT / ".clang-tidy").read_bytes()
    headers = headers_of_objects()
    files = [name for name in tracked("src/*.cpp") if not name.endswith(PROOF_SUFFIXES) and name in headers]
    keys = {}
    for name in files:
        digest = hashlib.sha256(rules)
        for read in headers[name]:
            digest.update(read.removeprefix(str(ROOT)).encode() + b"\0" + pathlib.Path(read).read_bytes())
        keys[name] = digest.hexdigest()
    deadline = time.monotonic() + context.tidy_seconds_max
    count = Count()
    unchecked = []
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for name, finished in pool.map(lambda name: tidy_file(name, keys[name], cache, deadline), newest_first(files)):
            if finished is None:
                unchecked.append(name)
            elif finished.status != 0:
                say(last_lines("\n".join(line for line in finished.output.splitlines() if " error: " in line)))
                count.failed.append(f"clang-tidy {name}: see {finished.log}")
    if unchecked:
        count.notes.append(f"clang-tidy's time was over before {len(unchecked)} of {len(files)} files; they were changed longest ago")
    count.passed += 0 if count.failed or not files else 1
    if not files:
        count.failed.append("clang-tidy found no source file")
    return count


def part_release(context: Context) -> Count:
    """The release preset: what people run."""
    return build(context, "release", [], BUILD_SECONDS_MAX)


def part_e2e(context: Context) -> Count:
    """The whole product, called as its users call it: real SDKs, a real model, real crashes."""
    preset = next((name for name in ("release", "dev") if name in context.built), None)
    programs = sorted((BUILD / preset).rglob("claviger")) if preset else []
    programs = [path for path in programs if path.is_file() and os.access(path, os.X_OK)]
    if not programs:
        return missing("there is no server binary")
    environment = context.environment | {"CLAVIGER_BINARY": str(programs[0])}
    count = Count()
    for test in sorted((ROOT / "test" / "e2e").glob("*_test.py")):
        finished = run(
            f"e2e/{test.stem}", [sys.executable, str(test)], seconds_max=END_TO_END_SECONDS_MAX, environment=environment
        )
        one = count_lines(test.stem, finished.status, finished.output)
        if one.failed:
            say(last_lines(finished.output))
        count.add(one)
    return count


def part_quickstart(context: Context) -> Count:
    """tools/quickstart, as a stranger types it, twice."""
    if "release" not in context.built:
        return missing("the release preset did not build")
    finished = run(
        "quickstart", [sys.executable, "tools/tests/quickstart_test.py"],
        seconds_max=END_TO_END_SECONDS_MAX, environment=context.environment,
    )  # fmt: skip
    if finished.status != 0:
        say(last_lines(finished.output))
    return count_lines("quickstart", finished.status, finished.output)


# In this order: what fails fast comes first. `quick` is what one runs before each commit.
PARTS: list[tuple[str, Callable[[Context], Count], str]] = [
    ("layers", part_layers, "quick"),
    ("tools", part_tools, "quick"),
    ("format", part_format, "quick"),
    ("build", part_build, "quick"),
    ("model", part_model, "quick"),
    ("unit", part_unit, "quick"),
    ("tokenizers", part_tokenizers, "whole"),
    ("release", part_release, "whole"),
    ("e2e", part_e2e, "quick"),
    ("quickstart", part_quickstart, "whole"),
    ("asan", part_asan, "whole"),
    ("tsan", part_tsan, "whole"),
    ("protocol", part_protocol, "whole"),
    ("fuzz", part_fuzz, "whole"),
    ("tidy", part_tidy, "whole"),
]
# What a part cannot do without, for --only.
NEEDS = {"unit": ["build", "model"], "tokenizers": ["build"], "e2e": ["build", "model", "release"], "quickstart": ["release"], "tidy": ["build"]}


def chosen(arguments: argparse.Namespace) -> list[tuple[str, Callable[[Context], Count], str]]:
    if not arguments.only:
        return [part for part in PARTS if not arguments.quick or part[2] == "quick"]
    wanted = set(arguments.only)
    for name in arguments.only:
        wanted |= set(NEEDS.get(name, []))
    if arguments.quick:
        wanted.discard("release")
    return [part for part in PARTS if part[0] in wanted]


def report(total: Count, seconds: float) -> int:
    for note in total.notes:
        say(f"# {note}")
    if total.failed:
        say(f"\nfailed ({LOGS} has the logs):")
        for name in total.failed:
            say(f"  {name}")
    say(f"\nin {seconds / 60:.1f} minutes")
    say(f"{total.passed} passed, {len(total.failed)} failed")
    return 0 if total.passed and not total.failed else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/test", description="Set-up and the whole test suite.")
    parser.add_argument("--quick", action="store_true", help="what one runs before a commit: no sanitizers, fuzzers, tidy, release build")
    parser.add_argument("--only", action="append", choices=[name for name, _, _ in PARTS], help="this part and what it needs; may be repeated")
    going = parser.add_mutually_exclusive_group()
    going.add_argument("--keep-going", action="store_true", help="run every part whatever fails (the default)")
    going.add_argument("--stop-at-first", action="store_true", help="stop after the first part that fails")
    parser.add_argument("--list", action="store_true", help="say what the parts are")
    parser.add_argument("--tidy-seconds", type=int, default=120, help="how long clang-tidy may take (%(default)s)")
    parser.add_argument("--fuzz-seconds", type=int, default=5, help="how long each fuzzer runs (%(default)s)")
    arguments = parser.parse_args()
    if arguments.list:
        for name, part, _ in PARTS:
            say(f"{name:<12}{' '.join((part.__doc__ or '').split())}")
        return 0

    began = time.monotonic()
    context = Context(arguments.quick, arguments.tidy_seconds, arguments.fuzz_seconds, {})
    total = Count()
    for name, part, _ in chosen(arguments):
        say(f"== {name}: {' '.join((part.__doc__ or '').split())}")
        part_began = time.monotonic()
        try:
            count = part(context)
        except Exception as error:  # The next part must still run.
            count = Count(failed=[f"{name}: {type(error).__name__}: {error}"])
        for failure in count.failed:
            say(f"   not ok {failure}")
        say(f"   {count.passed} passed, {len(count.failed)} failed in {time.monotonic() - part_began:.0f} s")
        total.add(count)
        if count.failed and arguments.stop_at_first:
            break
    return report(total, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
