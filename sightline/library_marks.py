"""What a person decides, in the public Python API: tags, favourites and concepts."""

from __future__ import annotations

from collections.abc import Iterable

from sightline.concepts import forget, listed, teach
from sightline.opened_library import OpenedLibrary
from sightline.records import Record, Records


class MarkedLibrary(OpenedLibrary):
    """The part of `sightline.Library` that changes what a person decided."""

    # -- tags and favourites ------------------------------------------------------------------------------------

    def tags(self) -> Records:
        """List every tag by `name`, with the `count` of pictures that have it."""
        return Records({"name": name, "count": count} for name, count in self._open().library.marks.tags())

    def tag(self, ids: int | Iterable[int], *names: str) -> None:
        """Give pictures tags; those that have one already keep it.

        Raises:
            ValueError: a name can't be a tag, or there is no such picture; nothing was changed.
            LibraryError: the library may not be written.

        Example: `library.tag([hit["id"] for hit in hits], "boat", "sea")`
        """
        self._open().library.marks.change(_ids(ids), add=names)

    def untag(self, ids: int | Iterable[int], *names: str) -> None:
        """Take tags from pictures; those that lack one are left as they are. Raises the errors of `tag`."""
        self._open().library.marks.change(_ids(ids), remove=names)

    def favourite(self, ids: int | Iterable[int], yes: bool = True) -> None:
        """Make pictures favourites, or with `yes=False` ordinary again. Raises the errors of `tag`."""
        self._open().library.marks.favourite(_ids(ids), yes)

    # -- concepts -----------------------------------------------------------------------------------------------

    def teach(
        self, name: str, examples: int | Iterable[int] = (), counter_examples: int | Iterable[int] = (), *,
        without: int | Iterable[int] = (), space: str | None = None,
    ) -> Record:  # fmt: skip
        """Teach a word by pictures, or teach it more: `concept:NAME` then finds pictures like the examples.

        Args:
            name: letters and digits, with hyphens between, as in "ours-boat".
            examples: ids of pictures that show it; three at least, eight are better.
            counter_examples: ids of pictures that do not; best those that `concept:NAME` takes for it.
            without: ids of pictures that shall teach it no more.
            space: the model that learns it at once, by name. Default: the one that searches use. Others learn it when a
                query asks them.

        Returns:
            `name`, `examples`, `counter_examples`, `changed_at`, and `spaces`: for each model that learnt it how `sure`
                it is, with `accuracy` and others; `note` says why it could not be learnt, or is None.

        Raises:
            QueryError: a bad name, or the library has no such space; nothing was changed.
            ValueError: there is no such picture, or fewer than three examples; likewise.
            LibraryError: the library may not be written.

        Example: `library.teach("ours-boat", [12, 40, 7], [3])["spaces"][0]["sure"]`
        """
        return teach(self._open(), name, _ids(examples), _ids(counter_examples), without=_ids(without), space=space)

    def concepts(self) -> Records:
        """List every concept by name, as `teach` returns one."""
        return Records(listed(self._open()))

    def forget_concept(self, name: str) -> bool:
        """Forget a concept; return whether there was one. Its pictures stay as they are.

        Raises:
            LibraryError: the library may not be written.
        """
        return forget(self._open(), name)


def _ids(ids: int | Iterable[int]) -> list[int]:
    return [int(id) for id in ids] if isinstance(ids, Iterable) else [ids]
