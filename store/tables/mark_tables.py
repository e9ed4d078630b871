"""The tables of what a person decides: tags, favourites, what is set aside, sets and saved searches."""

from __future__ import annotations

from sqlalchemy import ColumnElement, ForeignKey, Index, Integer, LargeBinary, Text

from store.tables.table_class import TableClass, column


class TagRow(TableClass):
    """A tag: its name as first typed, and its folded name, which identifies it."""

    __tablename__ = "tags"

    id: ColumnElement[int] = column(Integer, primary_key=True)
    name: ColumnElement[str] = column(Text)
    key: ColumnElement[str] = column(Text, unique=True)


class TaggedRow(TableClass):
    """A content has a tag."""

    __tablename__ = "content_tags"
    __table_args__ = (Index("ix_content_tags_content", "content_id", "tag_id"), {"sqlite_with_rowid": False})

    tag_id: ColumnElement[int] = column(Integer, ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    content_id: ColumnElement[int] = column(Integer, ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True)


class FavouriteRow(TableClass):
    """A content is a favourite."""

    __tablename__ = "favourites"

    content_id: ColumnElement[int] = column(
        Integer, ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )


class SetAsideRow(TableClass):
    """A photo that a person marked as not needed. Its file stays where it is."""

    __tablename__ = "set_asides"

    photo_id: ColumnElement[int] = column(
        Integer, ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )


class LeftMarkRow(TableClass):
    """A content with marks that a photo held before it came to hold another picture."""

    __tablename__ = "left_marks"
    __table_args__ = (Index("ix_left_marks_content", "content_id"), {"sqlite_with_rowid": False})

    photo_id: ColumnElement[int] = column(Integer, ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True)
    content_id: ColumnElement[int] = column(Integer, ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True)


class SetRow(TableClass):
    """Contents that were chosen on a page: sorted int64 ids, little-endian. `name` comes from them."""

    __tablename__ = "sets"

    id: ColumnElement[int] = column(Integer, primary_key=True)
    name: ColumnElement[str] = column(Text, unique=True)
    ids: ColumnElement[bytes] = column(LargeBinary)
    made_at: ColumnElement[str] = column(Text)


class SearchRow(TableClass):
    """A search that was saved: its text, by name."""

    __tablename__ = "saved_searches"

    id: ColumnElement[int] = column(Integer, primary_key=True)
    name: ColumnElement[str] = column(Text, unique=True)
    query: ColumnElement[str] = column(Text)
    saved_at: ColumnElement[str] = column(Text)
