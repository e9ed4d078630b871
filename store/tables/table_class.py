"""Tables of SQLAlchemy Core that are declared as classes, with their columns as attributes.

Its ORM would give the same and more: sessions and mapped objects, which nothing here uses, and which take 90 ms and
7 MB of every start.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

METADATA: Final = MetaData()

# SQLite's whole numbers have 64 bits, and its texts are compared byte by byte: so they are on PostgreSQL.
WHOLE: Final = Integer().with_variant(BigInteger(), "postgresql")
TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")
_KINDS: Final = {Integer: WHOLE, Text: TEXT}


class TableClass:
    """A table: its columns by name, as SQLAlchemy's declarative classes have them.

    Attributes:
        table: made of the columns of a class and of what `__table_args__` lists beside them, options last.
    """

    __tablename__: ClassVar[str]
    __table_args__: ClassVar[tuple[Any, ...]] = ()
    table: ClassVar[Table]

    def __init_subclass__(cls) -> None:
        columns = {name: value for name, value in vars(cls).items() if isinstance(value, Column)}
        for name, column in columns.items():
            column.name = name
        items = list(cls.__table_args__)
        options = items.pop() if items and isinstance(items[-1], dict) else {}
        cls.table = Table(cls.__tablename__, METADATA, *columns.values(), *items, **options)


def column(*given: Any, nullable: bool = False, **options: Any) -> Any:
    """A column whose type of values the class says."""
    return Column(*(_KINDS.get(each, each) for each in given), nullable=nullable, **options)
