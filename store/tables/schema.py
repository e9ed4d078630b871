"""The tables, the truth: facts, vectors, failures and runs are committed here together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    Boolean,
    Column,
    ColumnElement,
    Computed,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    event,
    text,
)

from store.tables.fact_table import FACT_FILTERS, FACTS, Fact
from store.tables.table_class import METADATA, TEXT, WHOLE, TableClass, column

_REQUIRED = {fact.name for fact in FACTS if fact.required}


def _fact_column(fact: Fact) -> Column[Any]:
    # A computed column that is added to a table can't be NOT NULL.
    computed = [Computed(fact.sql, persisted=False)] if fact.sql else []
    kind: Any = {int: WHOLE, float: Float}.get(fact.type, TEXT)
    return Column(fact.name, kind, *computed, nullable=bool(fact.sql) or not fact.required)


class LibraryRow(TableClass):
    """One row: the state of the whole library."""

    __tablename__ = "library"

    id: ColumnElement[int] = column(Integer, primary_key=True)
    created_at: ColumnElement[str] = column(Text)
    # Raised in the same transaction as any change of what a search can return.
    generation: ColumnElement[int] = column(Integer)
    default_space_id: ColumnElement[int | None] = column(Integer, ForeignKey("spaces.id"), nullable=True)
    # Raised likewise by what a person decides, apart: vectors and what was computed from them stay valid.
    marks_generation: ColumnElement[int] = column(Integer, server_default=text("0"))
    # Contents with ids up to this were indexed before there were looks, and may have none yet.
    looks_due: ColumnElement[int] = column(Integer, server_default=text("0"))
    # Vectors with ids up to this were written before checksums of them were kept, and may have none yet.
    checksums_due: ColumnElement[int] = column(Integer, server_default=text("0"))
    # Whether thumbnails and previews may be those of an older version, without a checksum.
    unchecked_pictures: ColumnElement[int] = column(Integer, server_default=text("0"))
    # The address of the store of thumbnails and previews; null where each folder has its own.
    thumbnails: ColumnElement[str | None] = column(Text, nullable=True)


class Root(TableClass):
    """A folder given to the indexer. `path` is absolute, as bytes: file names need not be valid text."""

    __tablename__ = "roots"

    id: ColumnElement[int] = column(Integer, primary_key=True)
    path: ColumnElement[bytes] = column(LargeBinary, unique=True)
    display: ColumnElement[str] = column(Text)
    added_at: ColumnElement[str] = column(Text)
    last_walked_at: ColumnElement[str | None] = column(Text, nullable=True)
    # Photos with id > settled_photo_id were added since the last complete scan: the possible targets of a move.
    settled_photo_id: ColumnElement[int] = column(Integer)
    # How it is walked, as a JSON object; NULL before it was first kept.
    options: ColumnElement[str | None] = column(Text, nullable=True)
    # Folders in it, a JSON array of paths, that lay on other devices than what is around them, and hold photos.
    drives: ColumnElement[str | None] = column(Text, nullable=True)
    # What tells this root from another put in its place, as a JSON object; NULL before it was first walked with that.
    identity: ColumnElement[str | None] = column(Text, nullable=True)
    # Whether a server of the page keeps a watcher on it.
    watched: ColumnElement[int] = column(Integer, server_default=text("0"))


class Content(TableClass):
    """The bytes of a picture, by SHA-256, and its facts.

    It has a column for each row of `fact_table.FACTS`, too.
    """

    __tablename__ = "contents"
    __table_args__ = (
        *map(_fact_column, FACTS),
        Index("ix_contents_absent", "photo_count", sqlite_where=text("photo_count = 0")),
        # One for each fact that filters ask for; SQLite keeps the id in each, so the table itself is not read.
        # Newest first, then by id: the order of a result by date.
        Index("ix_contents_taken", text("taken_at DESC"), sqlite_where=text("taken_at IS NOT NULL")),
        Index("ix_contents_place", text("latitude"), text("longitude"), sqlite_where=text("latitude IS NOT NULL")),
        *(
            Index(
                f"ix_contents_{row.column}", text(row.column),
                sqlite_where=None if row.column in _REQUIRED else text(f"{row.column} IS NOT NULL"),
            )
            for row in FACT_FILTERS
        ),
        # What was read by an older version is found without a look at the rest.
        Index("ix_contents_facts_version", "facts_version"),
        # Most places first, then by id: the order in which exact copies are listed.
        Index("ix_contents_copies", text("photo_count DESC"), sqlite_where=text("photo_count > 1")),
        {"sqlite_autoincrement": True},  # an id that was pruned never comes back as another picture
    )  # fmt: skip

    id: ColumnElement[int] = column(Integer, primary_key=True)
    hash: ColumnElement[bytes] = column(LargeBinary(32), unique=True)
    # How many photos that are not missing hold it; kept by every transaction that touches photos.
    photo_count: ColumnElement[int] = column(Integer)
    # `fact_table.FACTS_VERSION` of the program that read the header.
    facts_version: ColumnElement[int] = column(Integer, server_default=text("1"))


# In an index beside its own condition: SQLite 3.40 takes an index for covering only if it has every column asked for.
_PRESENT = "missing_since"


class Photo(TableClass):
    """A path under a root, as bytes with `/`, and the content it held when last read."""

    __tablename__ = "photos"
    __table_args__ = (
        UniqueConstraint("root_id", "path"),
        Index("ix_photos_content", "content_id"),
        Index("ix_photos_missing", "missing_since", sqlite_where=text("missing_since IS NOT NULL")),
        Index("ix_photos_folder", "folder", "content_id", _PRESENT, sqlite_where=text("missing_since IS NULL")),
        # By name, then by content: the order of a result by name.
        Index("ix_photos_name", "name", "content_id", _PRESENT, sqlite_where=text("missing_since IS NULL")),
        Index("ix_photos_ext", "ext", "content_id", _PRESENT, sqlite_where=text("missing_since IS NULL")),
        {"sqlite_autoincrement": True},
    )

    id: ColumnElement[int] = column(Integer, primary_key=True)
    root_id: ColumnElement[int] = column(Integer, ForeignKey("roots.id", ondelete="CASCADE"))
    path: ColumnElement[bytes] = column(LargeBinary)
    display: ColumnElement[str] = column(Text)
    content_id: ColumnElement[int] = column(Integer, ForeignKey("contents.id"))
    size: ColumnElement[int] = column(Integer)
    mtime_ns: ColumnElement[int] = column(Integer)
    missing_since: ColumnElement[str | None] = column(Text, nullable=True)
    # What the file was when it was read: st_dev, st_ino, st_ctime_ns. NULL in photos last read before these were kept.
    device: ColumnElement[int | None] = column(Integer, nullable=True)
    inode: ColumnElement[int | None] = column(Integer, nullable=True)
    ctime_ns: ColumnElement[int | None] = column(Integer, nullable=True)
    # Names, times and sizes of its XMP sidecars, see `indexer.sidecars`; NULL where it has none.
    sidecars: ColumnElement[bytes | None] = column(LargeBinary, nullable=True)
    # From the root's own name down, as displayed, with `/` before, between and after.
    folder: ColumnElement[str] = column(Text, server_default=text("''"))
    # The file's own name and what follows its last dot, both by `filters.casefolded`: SQLite knows ASCII only.
    name: ColumnElement[str] = column(Text, server_default=text("''"))
    ext: ColumnElement[str] = column(Text, server_default=text("''"))


class Space(TableClass):
    """An embedding space: one model with one preprocessing, known by `fingerprint`, or by `key`."""

    __tablename__ = "spaces"
    __table_args__ = (Index("ix_spaces_fingerprint", "fingerprint", sqlite_where=text("fingerprint IS NOT NULL")),)

    id: ColumnElement[int] = column(Integer, primary_key=True)
    key: ColumnElement[str] = column(Text, unique=True)
    name: ColumnElement[str] = column(Text)
    model: ColumnElement[str] = column(Text)
    weights: ColumnElement[str] = column(Text)
    preprocess: ColumnElement[str] = column(Text)
    dim: ColumnElement[int] = column(Integer)
    has_text: ColumnElement[bool] = column(Boolean)
    created_at: ColumnElement[str] = column(Text)
    # Raised when vectors are removed or replaced; growth is seen from the highest vector id.
    epoch: ColumnElement[int] = column(Integer)
    # Of the bytes of its weights, configuration and tokenizer, wherever they lie; NULL where not read yet.
    fingerprint: ColumnElement[str | None] = column(Text, nullable=True)


class Vector(TableClass):
    """One unit vector per content and space: float16, little-endian, `dim` numbers."""

    __tablename__ = "vectors"
    __table_args__ = (
        UniqueConstraint("space_id", "content_id"),
        # By which a content that is pruned finds its vectors: without it, each looks through the whole table.
        Index("ix_vectors_content", "content_id"),
        {"sqlite_autoincrement": True},
    )

    id: ColumnElement[int] = column(Integer, primary_key=True)
    space_id: ColumnElement[int] = column(Integer, ForeignKey("spaces.id", ondelete="CASCADE"))
    content_id: ColumnElement[int] = column(Integer, ForeignKey("contents.id", ondelete="CASCADE"))
    vector: ColumnElement[bytes] = column(LargeBinary)
    # See `store.tables.checks`; NULL of vectors written before these were kept.
    checksum: ColumnElement[int | None] = column(Integer, nullable=True)


class LookRow(TableClass):
    """What a picture looks like, from its thumbnail: a perceptual hash, 63 bits, and a small grey picture."""

    __tablename__ = "looks"

    content_id: ColumnElement[int] = column(
        Integer, ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    hash: ColumnElement[int] = column(Integer)
    grey: ColumnElement[bytes] = column(LargeBinary)
    # As of vectors.
    checksum: ColumnElement[int | None] = column(Integer, nullable=True)


class Failure(TableClass):
    """A file or folder that could not be indexed, with what it looked like then.

    It is not retried until it changes.
    """

    __tablename__ = "failures"
    __table_args__ = (UniqueConstraint("root_id", "path"),)

    id: ColumnElement[int] = column(Integer, primary_key=True)
    root_id: ColumnElement[int] = column(Integer, ForeignKey("roots.id", ondelete="CASCADE"))
    path: ColumnElement[bytes] = column(LargeBinary)
    display: ColumnElement[str] = column(Text)
    stage: ColumnElement[str] = column(Text)
    reason: ColumnElement[str] = column(Text)
    size: ColumnElement[int] = column(Integer)
    mtime_ns: ColumnElement[int] = column(Integer)
    inode: ColumnElement[int | None] = column(Integer, nullable=True)
    ctime_ns: ColumnElement[int | None] = column(Integer, nullable=True)
    failed_at: ColumnElement[str] = column(Text)


class Run(TableClass):
    """One run of the indexer. One that was killed stays `running` until the next run calls it `killed`."""

    __tablename__ = "runs"

    id: ColumnElement[int] = column(Integer, primary_key=True)
    started_at: ColumnElement[str] = column(Text)
    finished_at: ColumnElement[str | None] = column(Text, nullable=True)
    state: ColumnElement[str] = column(Text)
    space_id: ColumnElement[int | None] = column(Integer, ForeignKey("spaces.id"), nullable=True)
    summary: ColumnElement[str | None] = column(Text, nullable=True)


class WordRow(TableClass):
    """A keyword, or a person's name, that files give their pictures.

    `kind` is the fact that lists it. `name` is written as it was first, `key` is its folded form. Of a keyword with
    levels, each level is a word, and so is the whole of it.
    """

    __tablename__ = "words"
    __table_args__ = (UniqueConstraint("kind", "key"),)

    id: ColumnElement[int] = column(Integer, primary_key=True)
    kind: ColumnElement[str] = column(Text)
    name: ColumnElement[str] = column(Text)
    key: ColumnElement[str] = column(Text)


class WordedRow(TableClass):
    """A content has a word."""

    __tablename__ = "content_words"
    __table_args__ = (Index("ix_content_words_content", "content_id", "word_id"), {"sqlite_with_rowid": False})

    word_id: ColumnElement[int] = column(Integer, ForeignKey("words.id", ondelete="CASCADE"), primary_key=True)
    content_id: ColumnElement[int] = column(Integer, ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True)


# Full text of what people wrote, a row for each content that has any: see `store.tables.written`. SQLAlchemy knows
# neither virtual tables nor triggers.
for _statement in (
    'CREATE VIRTUAL TABLE texts USING fts5(title, caption, keywords, people, tokenize="unicode61 remove_diacritics 2")',
    "CREATE TRIGGER texts_removed AFTER DELETE ON contents "
    "WHEN coalesce(old.title, old.caption, old.keywords, old.people) IS NOT NULL "
    "BEGIN DELETE FROM texts WHERE rowid = old.id; END",
):
    event.listen(METADATA, "after_create", DDL(_statement).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]
