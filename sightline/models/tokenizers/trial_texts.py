# ruff: noqa: RUF001 - letters that look like others are what is tried
"""Texts of many scripts and of no sense, to compare two tokenizers on: the same ones each time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

_WORDS: Final = (
    "two red boats at sunset, a photo of a cat, The Quick BROWN fox's 3.14 m²",
    "don't we'll they've I'm, e-mail me@x.org, 24/7 @ 50% off!",
    "Straße im Schnee, l'été à la plage, año nuevo, smørrebrød, İstanbul'da ışık, Łódź, naïve café, Ǆungla, ﬁne ﬀ",
    "δύο κόκκινες βάρκες, Ὀδυσσεύς ΟΔΥΣΣΕΎΣ", "две красные лодки на закате, Київ, Ђорђе", "երկու նավակ, ორი ნავი",
    "قاربان أحمران عند الغروب، كَتَبَ، لا إله ١٢٣، پرتقال", "שתי סירות אדומות, בְּרֵאשִׁית",
    "दो लाल नावें सूर्यास्त पर, क्षत्रिय १२३", "দুটি লাল নৌকা, இரண்டு படகுகள், రెండు పడవలు",
    "เรือสีแดงสองลำตอนพระอาทิตย์ตก, ເຮືອ, លើទន្លេ, မြန်မာ, བོད་ཡིག", "日没の二隻の赤い船、ネコのﾈｺ。ガ ｶﾞ",
    "夕阳下的两艘红船，圖書館！１２３", "해질녘의 빨간 배 두 척, 각 한글", "ሁለት ጀልባዎች, ᎣᏏᏲ, ᓄᓇᕗᑦ, 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚 ①② Ⅻ ½",
)  # fmt: skip
_ODD: Final = (
    "", " ", "   ", "\t", "\n", "a\nb", "a\r\nb\rc", "\x00", "a\x00b", "\x07\x1b[31mred\x1b[0m", "\x1c\x1d", "\x7f",
    "\x85", "\u00a0x\u00a0", "\u200b", "\u200d", "\u200e\u202eabc", "\u2028\u2029", "\ufeffx", "\ufffd", "\ufffe",
    "\U000e0041", "\ud800", "a\udc80b", "\ud83d\ude00", "&amp;amp; &lt;b&gt; &#233; &nbsp;x &notanentity;",
    "<b>&amp;</b>", "&", "a&b", "â€œquotedâ€\x9d schÃ¶n Ã©tÃ©", "“curly” ‘quotes’ … — –",
    "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪🇫🇷 ❤️ ☃", "e\u0301a\u0308\u0323 Z\u0351\u036b\u0343a", "ÅÅÅ ﷺ ǅ",
    "<s> </s> <pad> <unk> <mask> [CLS] [SEP] [MASK] [UNK] <bos> <eos> <extra_id_0> <unused1>", "<s>x</s>y", "▁ ▁▁a▁b",
    "##ing ##", "<start_of_text> a <END_OF_TEXT>", "<|startoftext|>", "it'S THE'RE o'Ll '", "_snake_case_",
    "!?.,;:(){}[]/\\|@#$%^*~`\"'", "0123456789 1,000.50 -7 1e9 ２０２４", "a" * 300, "ab" * 200, "é" * 120, "!" * 200,
    "漢" * 150, " a" * 400, "👍" * 90, "xqzvwkj" * 40, "𐍈" * 40, "word " * 300, "K\u212a ſtrange 'ſ", "ΑΣ ΑΣ. ς",
    "İ i̇ I ı", "<0x41> <0xE2>", "\u1e9e\u0130",
)  # fmt: skip
# Ranges of code points that texts of chance are drawn from.
_RANGES: Final = (
    (0x20, 0x7F), (0x00, 0x100), (0x100, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE00),
    (0xE00, 0x1000), (0x1100, 0x1200), (0x1E00, 0x2100), (0x2100, 0x2800), (0x3000, 0x3200), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3), (0xF900, 0x10000), (0x1D400, 0x1D800), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF),
)  # fmt: skip
_SEED: Final = 17


def trial_texts(count: int) -> Iterator[str]:
    """Yield so many texts: odd ones first, then mixtures of words, characters of chance, and both."""
    yield from _ODD[:count]
    chance = random.Random(_SEED)
    words = [word for line in _WORDS for word in line.split(" ")]
    for number in range(count - len(_ODD)):
        kind = number % 4
        if kind == 0:  # of one script
            line = chance.choice(_WORDS).split(" ")
            yield " ".join(chance.choices(line, k=chance.randint(1, 8)))
        elif kind == 1:
            yield chance.choice((" ", "", "  ", "-")).join(chance.choices(words, k=chance.randint(1, 20)))
        elif kind == 2:
            yield "".join(_letter(chance) for _ in range(chance.randint(1, 40)))
        else:
            parts = [chance.choice((*words, *_ODD[:60], _letter(chance))) for _ in range(chance.randint(2, 9))]
            yield chance.choice((" ", "")).join(parts)


def _letter(chance: random.Random) -> str:
    first, last = chance.choice(_RANGES)
    return chr(chance.randrange(first, last))
