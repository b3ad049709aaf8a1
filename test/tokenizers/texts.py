"""Ten thousand texts to disagree about: many languages, code, emoji, digits, white space, every
character there is, hostile Unicode, and long runs of one letter. The same seed gives the same
texts."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator

COUNT = 10_000

SENTENCES = [
    "The quick brown fox jumps over the lazy dog, doesn't it? I'll say WE'VE seen it; they'd AGREE.",
    "Der Überseefrachter Größe XXL fährt über die Donaudampfschifffahrtsgesellschaft.",
    "L'été, c'est déjà fini ; où êtes-vous, François ?",
    "¿Dónde está la biblioteca? ¡Mañana será otro día, señor Ñandú!",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. МОСКВА Ёлка",
    "我能吞下玻璃而不伤身体。今天是二〇二六年十一月二十五日,星期三。",
    "いろはにほへと ちりぬるを。カタカナとひらがなが混ざっています。",
    "나는 유리를 먹을 수 있어요. 그래도 아프지 않아요.",
    "أنا قادر على أكل الزجاج و هذا لا يؤلمني. بِسْمِ ٱللَّهِ",
    "אני יכול לאכול זכוכית וזה לא מזיק לי. שָׁלוֹם",
    "मैं काँच खा सकता हूँ, मुझे उस से कोई पीडा नहीं होती।",
    "ฉันกินกระจกได้ แต่มันไม่ทำให้ฉันเจ็บ",
    "Tôi có thể ăn thủy tinh mà không hại gì.",
    "Μπορώ να φάω σπασμένα γυαλιά χωρίς να πάθω τίποτα.",
    "İstanbul'da ışık ILIK Iğdır dotless ſ 'ſ it'ſ",
    "ǅ ǈ ǋ ǲ Titlecase ᾼ ῼ ʰ ˠ modifiers ªº",
]
CODE = [
    "def f(x: int) -> list[str]:\n    return [str(i) for i in range(x) if i % 2 == 0]\n\n\n",
    "for (std::size_t i = 0; i < v.size(); ++i) { total += v[i] * 0x1F; }\t// sum\r\n",
    '{"model": "gpt-4o", "messages": [{"role": "user", "content": "hi\\n"}], "n": 1.5e-10}',
    "SELECT * FROM users WHERE name LIKE '%o''brien%' AND id IN (1,22,333,4444,55555);\n",
    "<div class=\"a b\">&nbsp;</div>\n<!-- -->\n\n   \n",
    "https://example.com/path/to//file.html?q=1&r=%20#frag ../../etc/passwd //////\n/",
    "ls -la | grep -E '^d' | awk '{print $9}' >> out.txt 2>&1 &&\techo \"$HOME\"\n",
    "CamelCaseHTTPServer XMLHttpRequest2 snake_case_NAME kebab-case ALLCAPSword iPhone McDonald's",
]
EMOJI = "😀👍🏽👩‍👩‍👧‍👦🏳️‍🌈🇩🇪❤️☃️🫠🧑🏿‍🚀1️⃣"
SPACES = " \t\n\r\v\f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u200b\ufeff\u180e"
CONTRACTIONS = ["'s", "'S", "'t", "'re", "'RE", "'ve", "'m", "'ll", "'lL", "'d", "'ſ", "'x", "’s", "''", "'"]
HOSTILE = [
    "\ufdfa", "\u0344", "\U0001d160", "\u0390", "Z" + "\u0335\u0323\u0301" * 12, "\u202eevil\u202c", "\x00\x01\x7f",
    "\ufffd\uffff", "<|endoftext|>", "<|im_start|>system", "\U0010ffff\U000e0001", "\ue000\uf8ff", "a\u0301e\u0308",
    "ﬃ①½㍿", "\U00013000\U00020000", "ᏴᏵꭰ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "0٠०๐〇Ⅷ²⅓", "\u0378\u0e3b",
]  # fmt: skip


def every_character() -> Iterator[str]:
    """Each code point in several surroundings, a block to a text."""
    for block in range(0, 0x110000, 0x80):
        characters = [chr(c) for c in range(block, block + 0x80) if not 0xD800 <= c < 0xE000]
        if not any(unicodedata.category(c) not in ("Cn", "Co") for c in characters) and block % 0x8000:
            continue
        yield "".join(f"a{c}b1{c}B {c}{c} " for c in characters)


def runs(rng: random.Random) -> Iterator[str]:
    for character in "aA0 \n.=-_/\t'é中😀\u0301\u00a0":
        for length in (1, 2, 3, 47, 48, 49, 50, 127, 128, 129, 500, 4000, 15_000):
            yield character * length
            yield f"x{character * length}{rng.choice('aA1 .')}"


def mixed(rng: random.Random) -> str:
    text = ""
    for _ in range(rng.randint(1, 30)):
        kind = rng.randrange(10)
        if kind == 0:
            text += rng.choice(SENTENCES)
        elif kind == 1:
            text += rng.choice(CODE)
        elif kind == 2:
            text += "".join(rng.choices(EMOJI, k=rng.randint(1, 8)))
        elif kind == 3:
            text += "".join(rng.choices(SPACES, k=rng.randint(1, 6)))
        elif kind == 4:
            text += rng.choice(["it", "IT", "Él", "中", "a\u0301", "1", "."]) + rng.choice(CONTRACTIONS)
        elif kind == 5:
            text += rng.choice(HOSTILE)
        elif kind == 6:
            text += str(rng.randrange(10 ** rng.randint(1, 18)))
        elif kind == 7:
            text += "".join(rng.choices("aAbBéÉǅʰ中\u0301\u0903'1 ./\n", k=rng.randint(1, 12)))
        elif kind == 8:
            words = rng.choice(SENTENCES).split()
            text += " ".join(rng.sample(words, min(len(words), rng.randint(1, 6)))) + rng.choice(["", " ", "\n"])
        else:
            code_points = (rng.randrange(rng.choice([0x80, 0x800, 0x3000, 0x10000, 0x110000])) for _ in range(6))
            text += "".join(chr(c) for c in code_points if not 0xD800 <= c < 0xE000)
    return text


def texts(seed: int, count: int = COUNT) -> list[str]:
    rng = random.Random(seed)
    result = ["", *SENTENCES, *CODE, *HOSTILE, *every_character(), *runs(rng)]
    while len(result) < count:
        result.append(mixed(rng))
    return result
