"""What people wrote about a picture, kept so that it can be asked for: its words, and its full text.

A keyword or a name is a *word*, found as a whole. Title, caption, keywords and names together are the full text, of
which any word is found: SQLite's FTS5 with the tokenizer unicode61. It knows no case of "ß", and no words in scripts
that write none apart; so what is indexed, and what is asked for, goes through `searchable` first. On PostgreSQL the
same tokens are kept and looked for by `store.tables.full_text`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from store.tables.dialect import is_postgres
from store.tables.fact_filters import LEVEL
from store.tables.fact_table import LIST_NAMES, TEXT_NAMES
from store.tables.filter_checks import has_tokens
from store.tables.filters import casefolded
from store.tables.patterns import Condition

# Scripts that put no spaces between words: Thai, Lao, Myanmar, Khmer, kana, Chinese characters; and Hangul, whose words
# end in particles. Each character becomes a token, so that any part of a text can be found as a phrase.
_RUNNING: Final = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U0003ffff])"
)
_SEPARATOR: Final = "\n"


def searchable(text: str) -> str:
    """A text as the full-text index has it.

    Of one width (NFKC), casefolded, with spaces around characters that are words of their own.
    """
    return _RUNNING.sub(r" \1 ", casefolded(unicodedata.normalize("NFKC", text)))


def expression(columns: Sequence[str], names: Sequence[str]) -> str:
    """The FTS5 expression for texts that have all words of any of the names in these columns.

    A word that ends in `*` stands for all that begin with it. Each name has a letter or a digit in it; whatever else it
    has, the expression is valid.
    """
    any_of = " OR ".join(f"({' '.join(map(_quoted, _terms(name)))})" for name in names)
    return f"{{{' '.join(columns)}}} : ({any_of})"


def found_by(connection: Connection, columns: Sequence[str], names: Sequence[str]) -> Condition:
    """The query for contents, by `id`, whose texts have all words of any of the names, see `expression`."""
    if is_postgres(connection):
        from store.tables import full_text

        return full_text.found_by(columns, [list(_terms(name)) for name in names])
    return "SELECT rowid AS id FROM texts WHERE texts MATCH ?", (expression(columns, names),)


def _terms(name: str) -> Iterable[tuple[str, bool]]:
    """Yield the phrases of a name, and whether what begins so is meant."""
    for word in name.split():
        if has_tokens(word):
            yield searchable(word.rstrip("*")), word.endswith("*")


def _quoted(term: tuple[str, bool]) -> str:
    quoted = term[0].replace('"', '""')
    return f'"{quoted}"{" *" if term[1] else ""}'


def words_of(value: str) -> list[str]:
    """The words of one keyword: each of its levels, and the whole where it has several."""
    levels = [level for part in value.split(LEVEL) if (level := " ".join(part.split()))]
    return levels if len(levels) < 2 else [*dict.fromkeys(levels), LEVEL.join(levels)]


def add(connection: Connection, contents: Mapping[int, Mapping[str, Any]]) -> None:
    """Keep the words and the full text of contents that had none, by id, from their facts."""
    written = {id_: facts for id_, facts in contents.items() if any(facts.get(name) for name in TEXT_NAMES)}
    if not written:
        return
    rows = [(id_, *(_text(facts.get(name)) for name in TEXT_NAMES)) for id_, facts in written.items()]
    if is_postgres(connection):
        from store.tables import full_text

        full_text.put(connection, rows)
    else:
        connection.exec_driver_sql(_PUT_TEXT, rows)
    named: dict[tuple[str, str], str] = {}
    having: dict[tuple[int, str, str], None] = {}
    for id_, facts in written.items():
        for kind in LIST_NAMES:
            for word in (word for value in facts.get(kind) or () for word in words_of(value)):
                key = casefolded(word)
                named.setdefault((kind, key), word)
                having[id_, kind, key] = None
    if having:
        connection.exec_driver_sql(_ADD_WORD, [(kind, word, key) for (kind, key), word in named.items()])
        connection.exec_driver_sql(_HAS_WORD, list(having))


def differing(connection: Connection) -> list[int]:
    """Ids of contents whose words or full text are not those that `add` would keep, sorted."""
    texts = {row[0]: tuple(row[1:]) for row in connection.exec_driver_sql(_TEXTS)}
    words: dict[int, set[tuple[str, str]]] = {}
    for id_, kind, key in connection.exec_driver_sql(_WORDS):
        words.setdefault(id_, set()).add((kind, key))
    found = []
    for id_, facts in _facts(connection.exec_driver_sql(_ALL_WRITTEN).all()):
        wanted = {
            (kind, casefolded(word)) for kind in LIST_NAMES for value in facts[kind] for word in words_of(value)
        }  # fmt: skip
        if texts.pop(id_, None) != tuple(_text(facts[name]) for name in TEXT_NAMES) or words.pop(id_, set()) != wanted:
            found.append(id_)
    return sorted({*found, *texts, *words})


def renew(connection: Connection, ids: Sequence[int]) -> None:
    """Keep the words and the full text of contents as the table of contents now has them."""
    if not ids:
        return
    rows = [(id_,) for id_ in ids]
    connection.exec_driver_sql("DELETE FROM texts WHERE rowid = ?", rows)
    connection.exec_driver_sql("DELETE FROM content_words WHERE content_id = ?", rows)
    add(connection, dict(_facts(connection.exec_driver_sql(_WRITTEN, (json.dumps(list(ids)),)).all())))


def _facts(rows: Iterable[Any]) -> Iterable[tuple[int, dict[str, Any]]]:
    """Ids of contents and what was written about them, from rows of `_WRITTEN`."""
    lists = {name: at for at, name in enumerate(TEXT_NAMES) if name in LIST_NAMES}
    for row in rows:
        named = {name: tuple(json.loads(row[1 + at] or "[]")) for name, at in lists.items()}
        yield row[0], dict(zip(TEXT_NAMES, row[1:], strict=True)) | named


def drop_unused_words(connection: Connection) -> None:
    """Forget words that no content has any more."""
    connection.exec_driver_sql(
        "DELETE FROM words WHERE NOT EXISTS (SELECT 1 FROM content_words WHERE word_id = words.id)"
    )


def _text(value: str | Sequence[str] | None) -> str | None:
    if not value:
        return None
    return searchable(value if isinstance(value, str) else _SEPARATOR.join(value))


_PUT_TEXT: Final = (
    f"INSERT INTO texts (rowid, {', '.join(TEXT_NAMES)}) VALUES ({', '.join('?' * (1 + len(TEXT_NAMES)))})"
)
_WRITTEN: Final = f"SELECT id, {', '.join(TEXT_NAMES)} FROM contents WHERE id IN (SELECT value FROM json_each(?))"
_ALL_WRITTEN: Final = (
    f"SELECT id, {', '.join(TEXT_NAMES)} FROM contents WHERE coalesce({', '.join(TEXT_NAMES)}) IS NOT NULL"
)
_TEXTS: Final = f"SELECT rowid, {', '.join(TEXT_NAMES)} FROM texts"
_WORDS: Final = "SELECT content_id, kind, key FROM content_words JOIN words ON words.id = word_id"
_ADD_WORD: Final = "INSERT INTO words (kind, name, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_HAS_WORD: Final = (
    "INSERT INTO content_words (content_id, word_id) SELECT ?, id FROM words WHERE kind = ? AND key = ? "
    "ON CONFLICT DO NOTHING"
)
