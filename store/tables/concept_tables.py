"""The tables of concepts: words that a person taught by pictures."""

from __future__ import annotations

from sqlalchemy import ColumnElement, ForeignKey, Index, Integer, Text

from store.tables.table_class import TableClass, column


class ConceptRow(TableClass):
    """A concept: its name as first typed, and its folded name, which identifies it."""

    __tablename__ = "concepts"

    id: ColumnElement[int] = column(Integer, primary_key=True)
    name: ColumnElement[str] = column(Text)
    key: ColumnElement[str] = column(Text, unique=True)
    changed_at: ColumnElement[str] = column(Text)


class ConceptPictureRow(TableClass):
    """A content is an example of a concept, or a counter-example: `is_example` is 1 or 0."""

    __tablename__ = "concept_pictures"
    __table_args__ = (Index("ix_concept_pictures_content", "content_id"), {"sqlite_with_rowid": False})

    concept_id: ColumnElement[int] = column(Integer, ForeignKey("concepts.id", ondelete="CASCADE"), primary_key=True)
    content_id: ColumnElement[int] = column(Integer, ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True)
    is_example: ColumnElement[int] = column(Integer)
