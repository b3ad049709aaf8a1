#!/usr/bin/env python3
"""Our tokens are the reference implementation's tokens, one by one, on ten thousand texts.

    test/tokenizers/compare_with_reference.py build/dev/src/tokenize/tokenize_texts [SEED]

The reference is OpenAI's own tiktoken (PyPI, pinned with hashes), in a venv under build/. It
fetches its vocabularies from the network; it gets ours instead, turned back into OpenAI's form, and
itself checks that they are OpenAI's to the byte. Prints `ok` and `not ok` lines.
"""

from __future__ import annotations

import base64
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unicodedata

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENV = ROOT / "build" / "tokenizers" / "venv"
NAMES = ("o200k_base", "cl100k_base")
SEED = 20261125
SECONDS_MAX = 240


def continue_in_venv() -> None:
    requirements = HERE / "requirements.txt"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = VENV / "pins.sha256"
    if not stamp.is_file() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        subprocess.run(
            [str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
             "--only-binary", ":all:", "-r", str(requirements)],
            check=True,
        )  # fmt: skip
        stamp.write_text(wanted)
    if pathlib.Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(VENV / "bin" / "python", [str(VENV / "bin" / "python"), *sys.argv])


def openai_form(vocabulary: bytes) -> bytes:
    """The lines of OpenAI's own file, from what tools/update-tokenizers made of it."""
    bits = int.from_bytes(vocabulary[12:16], "little")
    at = 20 + 4 * ((1 << bits) + 1)
    ranked = []
    while at < len(vocabulary):
        length = vocabulary[at]
        ranked.append((int.from_bytes(vocabulary[at + 1 : at + 4], "little"), vocabulary[at + 4 : at + 4 + length]))
        at += 4 + length
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in sorted(ranked))


def tokens_of(program: str, name: str, texts: list[str]) -> list[list[int]]:
    encoded = [text.encode() for text in texts]
    given = b"".join(len(text).to_bytes(4, "little") + text for text in encoded)
    out = subprocess.run([program, name], input=given, capture_output=True, timeout=SECONDS_MAX, check=True).stdout
    result = []
    at = 0
    for _ in texts:
        count = int.from_bytes(out[at : at + 4], "little")
        numbers = out[at + 4 : at + 4 + 4 * count]
        result.append([int.from_bytes(numbers[i : i + 4], "little") for i in range(0, len(numbers), 4)])
        at += 4 + 4 * count
    return result


def compare(program: str, name: str, texts: list[str]) -> bool:
    import tiktoken  # In the venv.

    reference = tiktoken.get_encoding(name)
    ours = tokens_of(program, name, texts)
    different = 0
    for text, mine in zip(texts, ours, strict=True):
        theirs = reference.encode_ordinary(text)
        if mine != theirs:
            different += 1
            if different <= 3:
                print(f"# {text[:80]!r}: {len(mine)} tokens, the reference has {len(theirs)}")
                first = next((i for i, pair in enumerate(zip(mine, theirs)) if pair[0] != pair[1]), 0)
                print(f"#   ours {mine[first:first + 8]}, theirs {theirs[first:first + 8]} from the {first}th on")
        too_many = len(mine) > len(text.encode())
        if too_many:
            different += 1
            print(f"# {text[:80]!r} has more tokens than bytes")
    if different:
        print(f"not ok {name}: {different} of {len(texts)} texts differ from the reference")
    else:
        print(f"ok {name}: the tokens of {len(texts)} texts are the reference's ({sum(map(len, ours))} tokens)")
    return different == 0


def bound_normal_forms(program: str, texts: list[str]) -> bool:
    """No normal form makes a text longer than we say, and what it becomes has no more tokens than
    bytes: so the bound holds for every tokenizer that falls back to bytes."""
    every = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    # Escapes are for JSON; here a backslash is a letter like any other.
    plain = every + [text.replace("\\", "/") for text in texts]
    wrong = 0
    for text, (nfc_max, any_max) in zip(plain, tokens_of(program, "expansion", plain), strict=True):
        lengths = {form: len(unicodedata.normalize(form, text).encode()) for form in ("NFC", "NFKC")}
        if lengths["NFC"] > nfc_max or max(lengths.values()) > any_max or len(text.encode()) > nfc_max:
            wrong += 1
            if wrong <= 3:
                print(f"# {text[:40]!r} becomes {lengths} bytes; the bounds are {nfc_max} and {any_max}")
    print(f"{'ok' if not wrong else 'not ok'} normal forms: {len(plain)} texts are within their bounds")
    return not wrong


def main() -> int:
    if len(sys.argv) not in (2, 3):
        print(__doc__)
        return 2
    continue_in_venv()
    sys.path.insert(0, str(HERE))
    from texts import texts

    seed = int(sys.argv[2]) if len(sys.argv) == 3 else SEED
    print(f"# seed {seed}")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TIKTOKEN_CACHE_DIR"] = cache
        for name in NAMES:
            url = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
            vocabulary = (ROOT / "data" / "tokenizers" / f"{name}.vocabulary").read_bytes()
            key = hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
            (pathlib.Path(cache) / key).write_bytes(openai_form(vocabulary))
        compared = texts(seed)
        results = [compare(sys.argv[1], name, compared) for name in NAMES]
        results.append(bound_normal_forms(sys.argv[1], compared))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
