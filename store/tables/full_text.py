"""Full text on PostgreSQL: the tokens that SQLite's FTS5 makes, found as it finds them.

PostgreSQL's own parser and dictionaries would find other pictures: it knows stems, stop words and addresses, and other
letters. So the tokens are made by SQLite, here, and what is kept of them is looked for by PostgreSQL:

- `words`: all tokens of a picture, for the index. Without positions: a `tsvector` has 256 of a token at most.
- `tokens`: those of each text in their order, with a space around each, in which phrases are looked for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.engine import Connection

from store.tables.fact_table import TEXT_NAMES
from store.tables.patterns import Condition

TOKENIZER: Final = "unicode61 remove_diacritics 2"
"""SQLite's, and its options: https://sqlite.org/fts5.html#unicode61_tokenizer."""

_TEXT: Final = 'TEXT COLLATE "C"'
STATEMENTS: Final = (
    f"""CREATE TABLE texts (
      rowid BIGINT PRIMARY KEY,
      {", ".join(f"{name} {_TEXT}" for name in TEXT_NAMES)},
      tokens TEXT[] COLLATE "C" NOT NULL,
      words TSVECTOR NOT NULL
    )""",
    "CREATE INDEX ix_texts_words ON texts USING gin (words)",
)
"""What makes the table on PostgreSQL: that of FTS5 with two columns more."""

_LONGEST: Final = 100
"""Characters of a token that the index has: PostgreSQL takes 2,046 bytes."""

Texts = Sequence[str | None]
"""Of a picture, as `TEXT_NAMES` lists them."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens that follow each other; the last may be the beginning of one."""

    tokens: tuple[str, ...]
    is_prefix: bool

    @property
    def as_query(self) -> str:
        """As a `tsquery`: which pictures may have it."""
        words = [f"'{token[:_LONGEST]}'" for token in self.tokens]
        return " & ".join(words) + (":*" if self.is_prefix else "")

    @property
    def as_text(self) -> str:
        """As it stands in `tokens`."""
        return f" {' '.join(self.tokens)}{'' if self.is_prefix else ' '}"

    @property
    def is_word(self) -> bool:
        """Whether the index alone tells who has it, in any of the texts."""
        return len(self.tokens) == 1 and len(self.tokens[0]) < _LONGEST


def tokens_of(texts: Iterable[str | None]) -> list[list[str]]:
    """The tokens of each text, in their order; made by SQLite's own tokenizer."""
    given = list(enumerate(texts, start=1))
    found: list[list[str]] = [[] for _ in given]
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute(f"CREATE VIRTUAL TABLE given USING fts5(text, content='', tokenize='{TOKENIZER}')")
        made.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab(given, instance)")
        made.executemany("INSERT INTO given (rowid, text) VALUES (?, ?)", given)
        for row, token in made.execute('SELECT doc, term FROM tokens ORDER BY doc, "offset"'):
            found[row - 1].append(token)
    return found


def put(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Keep the texts of pictures that had none: the id of a content, and its `Texts`."""
    tokens = iter(tokens_of(text for _, *texts in rows for text in texts))
    full = []
    for row in rows:
        mine = [next(tokens) for _ in TEXT_NAMES]
        words = sorted({token[:_LONGEST] for of_text in mine for token in of_text})
        full.append((*row, [f" {' '.join(of_text)} " if of_text else "" for of_text in mine], words))
    connection.exec_driver_sql(_PUT, full)


def found_by(columns: Sequence[str], names: Sequence[Sequence[tuple[str, bool]]]) -> Condition:
    """The query for contents, by `id`, that have all phrases of any of the names in these texts.

    Args:
        columns: of `TEXT_NAMES`.
        names: of each the texts of its phrases, and whether what begins so is meant. A phrase without tokens is left
            out, as FTS5 does; a name without any is in no text.
    """
    tokens = iter(tokens_of(text for name in names for text, _ in name))
    asked = [[Phrase(tuple(next(tokens)), is_prefix) for _, is_prefix in name] for name in names]
    phrases = [found for name in asked if (found := [phrase for phrase in name if phrase.tokens])]
    anywhere = set(columns) >= set(TEXT_NAMES)
    by_index = [name for name in phrases if anywhere and all(phrase.is_word for phrase in name)]
    where: list[str] = []
    values: list[str] = []
    if by_index:
        where.append(_MAY_HAVE)
        values.append(" | ".join(_all_of(name) for name in by_index))
    texts = ", ".join(f"tokens[{1 + TEXT_NAMES.index(name)}]" for name in columns)
    for name in phrases:
        if name not in by_index:
            held = f" AND strpos(concat_ws('/', {texts}), ?) > 0" * len(name)
            where.append(f"({_MAY_HAVE}{held})")
            values += [_all_of(name), *(phrase.as_text for phrase in name)]
    return f"SELECT rowid AS id FROM texts WHERE {' OR '.join(where) or 'false'}", tuple(values)


def _all_of(name: Sequence[Phrase]) -> str:
    return f"({' & '.join(phrase.as_query for phrase in name)})"


_MAY_HAVE: Final = "words @@ CAST(? AS tsquery)"
_PUT: Final = (
    f"INSERT INTO texts (rowid, {', '.join(TEXT_NAMES)}, tokens, words) "
    f"VALUES ({', '.join('?' * (1 + len(TEXT_NAMES)))}, ?, array_to_tsvector(CAST(? AS TEXT[])))"
)
