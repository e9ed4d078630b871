"""The tables of tiles: overlapping parts of pictures with vectors, and which spaces have them."""

from __future__ import annotations

from sqlalchemy import DDL, ColumnElement, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint, event

from store.tables.table_class import TableClass, column


class TileGridRow(TableClass):
    """How the pictures of a space are cut into tiles."""

    __tablename__ = "tile_grids"

    space_id: ColumnElement[int] = column(
        Integer, ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    # Tiles along the shorter side of a picture; 0 where it is cut no more.
    grid: ColumnElement[int] = column(Integer)
    # Raised when rows of `tiles` are removed, as the epoch of a space is.
    epoch: ColumnElement[int] = column(Integer)


class TileRow(TableClass):
    """The tiles of a content in a space, all of them in one row."""

    __tablename__ = "tiles"
    __table_args__ = (
        UniqueConstraint("space_id", "content_id"),
        # Counting tiles reads this, and not the vectors.
        Index("ix_tiles_count", "space_id", "tiles"),
        Index("ix_tiles_content", "content_id"),
        {"sqlite_autoincrement": True},
    )

    id: ColumnElement[int] = column(Integer, primary_key=True)
    space_id: ColumnElement[int] = column(Integer, ForeignKey("spaces.id", ondelete="CASCADE"))
    content_id: ColumnElement[int] = column(Integer, ForeignKey("contents.id", ondelete="CASCADE"))
    # How many; 0 of a picture that is too small to be cut.
    tiles: ColumnElement[int] = column(Integer)
    # Left, top, width and height of each as shares of the upright picture: float32, little-endian.
    boxes: ColumnElement[bytes] = column(LargeBinary)
    # Unit vectors, float16, little-endian: one after the other.
    vectors: ColumnElement[bytes] = column(LargeBinary)
    # As of vectors; over the boxes, too.
    checksum: ColumnElement[int] = column(Integer)


event.listen(
    TileRow.table,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "CREATE TRIGGER tiles_removed AFTER DELETE ON tiles "
        "BEGIN UPDATE tile_grids SET epoch = epoch + 1 WHERE space_id = old.space_id; END"
    ).execute_if(dialect="sqlite"),
)
