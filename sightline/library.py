"""The public Python API: a library of pictures. docs/python-api.md shows it task by task."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.duplicates import groups as duplicate_groups
from sightline.duplicates.groups import Kind
from sightline.duplicates.steps import DEFAULT_STEP, DISTANCE_STEPS
from sightline.indexer_process import Options, index_folders
from sightline.labels import label
from sightline.library_marks import MarkedLibrary
from sightline.media.derived import thumbnail
from sightline.model_input import ImageSource, encode_images, encode_texts, file_bytes
from sightline.query.parser import parse, parse_filters
from sightline.query.types import QueryError
from sightline.ranking.handicap import Looks
from sightline.records import Record, Records, labelled, photo_details, photo_records, search_answer
from sightline.where.explain import Explanation, as_part
from store.arrays import Floats
from store.walk_options import WalkChoice

if TYPE_CHECKING:  # importing the encoder imports torch, which takes seconds: not before a model is needed
    from sightline.models.interface import JointEncoder


class Library(MarkedLibrary):
    """A library of pictures: a folder that the indexer made, with all that was read from the pictures.

    Searches see what the indexer last committed, also while it runs. Safe for use from several threads.

    Example:
        >>> with sightline.Library("pictures.library") as library:
        ...     library.index(["~/Pictures"])
        ...     hits = library.search("two red boats", limit=10)
    """

    # -- indexing -----------------------------------------------------------------------------------------------

    def index(
        self, folders: Iterable[str | os.PathLike[str]], *, space: str | None = None,
        exclude: Iterable[str] | None = None, hidden: bool | None = None, follow_symlinks: bool | None = None,
        caches: bool | None = None, prune: bool = False, yes: bool = False, tiles: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Index folders of pictures by a process of its own. An interrupt stops it after its batch.

        Args:
            folders: absolute, or relative to the working directory; `~` is the user's home.
            space: a preset, MODEL/TAG or `local-dir:PATH`. Default: all spaces of the library; else by the machine.
            exclude: patterns of names, or of paths below a folder, to leave out: `*.png`, `private/*`; none: `()`.
            hidden: take names that start with a dot.
            follow_symlinks: follow links to files and folders.
            caches: take bins, and caches of other programs. These four are kept with the folder; None: as before.
            prune: forget photos of these folders that are missing.
            tiles: encode parts of each picture, too, so many along its shorter side; 0: no more. Kept; None: as before.
            yes: also where marks are lost (`marks_file` of the counts has them), a third of a folder, or its disk.

        Returns:
            The run's counts, as `index --json` prints them: `added`, `failed`, ...; `behind` has spaces that lack
                pictures; `doubted` folders that are gone, empty or largely gone, below which `prune` forgot nothing.

        Raises:
            LibraryError: it could not start or finish, another indexer is at work, or marks would be lost.

        Example: `library.index(["photos"])["added"]`
        """
        walk = WalkChoice(None if exclude is None else tuple(exclude), hidden, follow_symlinks, caches)
        given = Options(space=space, walk=walk, prune=prune, yes=yes, offline=self._offline, tiles=tiles)
        return index_folders(self.path, folders, given)

    # -- searching ----------------------------------------------------------------------------------------------

    def search(
        self, text: str = "", *, images: Iterable[ImageSource] = (), limit: int | None = 60, offset: int = 0,
        closer: bool = False,
    ) -> Records:  # fmt: skip
        """Search for pictures, best first, as `GET /api/v1/search` does.

        Args:
            text: words and filters in the query language, see docs/search.md.
            images: pictures to search with, each a term beside the words.
            limit: most hits, 1 to 500; None for every match and possible match.
            offset: how many hits to pass over.
            closer: look for small things in parts of the first 200 hits, which takes about ten times their encoding;
                nothing more where the library was indexed with `tiles`.

        Returns:
            Hits with `rank`, `id`, `score`, `band` ("strong", "maybe" or "below"), `path`, `tags` and others; the
            counts are in `about`.

        Raises:
            QueryError: the query is wrong or empty, or a picture can't be read.
            SpaceError: the model reads no words, or can't be loaded.

        Example: `library.search("sunset -people date:2023", limit=20)`
        """
        searcher = self._open()
        pictures = {str(number): file_bytes(image) for number, image in enumerate(images, 1)}
        query = parse(text).with_pictures(tuple(pictures))
        looks: Looks = "closer" if closer else "tiles"
        most = 1 if limit is None else limit
        if closer:
            searcher.look_closer(query, pictures=pictures)
        result = searcher.search(query, pictures=pictures, limit=most, offset=offset, looks=looks)
        if limit is None:
            hits = list(islice(searcher.matches(query, pictures=pictures, looks=looks), offset, None))
            result = replace(result, hits=hits, more=False)
        answer = search_answer(searcher.library, query, result)
        return Records(answer.pop("hits"), answer)

    def similar(self, id: int, *, limit: int = 12, space: str | None = None) -> Records:
        """Find the pictures most similar to one: the hits of `like:ID` without it and its near-duplicates.

        Args:
            id: of the picture.
            limit: most hits, 1 to 500.
            space: whose vectors are compared, by name. Default: the one that searches use.

        Raises:
            QueryError: there is no such picture.

        Example: `library.similar(hits[0]["id"])`
        """
        self.photo(id)
        query = replace(parse(f"like:{id}"), space=space)
        searcher = self._open()
        # The first hit is the picture itself, whose near-duplicates are folded into it.
        answer = search_answer(searcher.library, query, searcher.search(query, limit=limit, offset=1, looks="whole"))
        return Records(answer.pop("hits"), answer)

    def label(
        self, labels: Sequence[str], query: str = "", *, templates: Sequence[str] | None = None, none: bool = True,
        top: int = 1,
    ) -> Records:  # fmt: skip
        """Choose the label that fits each picture best, in order of ids, as `POST /api/v1/label` does.

        Args:
            labels: words, such as "cat" and "dog".
            query: which pictures: filters only, as in "date:2023".
            templates: texts around a label, which goes where `{}` is; several are averaged. Default: the model's own.
            none: whether a picture may be none of these; its `label` is then None.
            top: how many labels to list for each picture.

        Returns:
            Records with `label`, `probability`, `labels` (the `top` best), `id`, `path` and others.

        Raises:
            QueryError: a label, a template or the query is wrong.
            SpaceError: the model reads no words, or can't be loaded.

        Example: `library.label(["cat", "dog"], "date:2023").to_pandas()["label"].value_counts()`
        """
        searcher, wanted = self._open(), parse_filters(query)
        space = searcher.space(wanted.space, words=True)
        found = label(
            searcher.library, searcher.encoders, space, labels,
            templates=templates, filters=wanted.filters, none=none, top=top,
        )  # fmt: skip
        return Records(map(labelled, found), {"space": space.name, "query": str(wanted)})

    def duplicates(self, kind: Kind = "near", query: str = "", *, tolerance: int = DEFAULT_STEP + 1) -> Records:
        """List duplicates group by group, with the photo to keep, as the page exports them.

        Args:
            kind: "exact": the same bytes in several files; "near": versions of one picture; "burst": frames of bursts.
            query: among which pictures: filters only.
            tolerance: of "near", 1 (pictures that look identical) to 5 (similar pictures), as on the page.

        Returns:
            Records with `group`, `picture` (its id), `state` ("keep", "undecided" or "set aside"), `path` and others.

        Raises:
            QueryError: the query or an argument is wrong.

        Example: `[photo["path"] for photo in library.duplicates() if photo["state"] == "undecided"]`
        """
        if kind not in duplicate_groups.KINDS:
            raise QueryError(f"Duplicates are exact, near or burst; not {kind!r}.")
        if not 1 <= tolerance <= len(DISTANCE_STEPS):
            raise QueryError(f"The tolerance is {tolerance}; it must be 1 to {len(DISTANCE_STEPS)}.")
        searcher, wanted = self._open(), parse_filters(query)
        store = searcher.library
        among = store.catalog.matching(wanted.filters) if wanted.filters else None
        if kind == "exact":
            found = duplicate_groups.exact(store, among=among)
        elif kind == "burst":
            found = duplicate_groups.bursts(store, searcher.space(wanted.space), among=among)
        else:
            found = duplicate_groups.near(store, searcher.space(wanted.space), among=among)[tolerance - 1]
        records = duplicate_groups.group_records(store, found)
        return Records(records, {"groups": len(found), "min_cosine": found.min_cosine})

    # -- pictures -----------------------------------------------------------------------------------------------

    def photo(self, id: int) -> Record:
        """Return all that is known of a picture, as `GET /api/v1/photos/{id}` does.

        Raises:
            QueryError: there is no such picture, or its files are missing.

        Example: `library.photo(7)["taken_at"]`
        """
        found = self._store.catalog.photos([id]).get(id)
        if found is None:
            raise QueryError(f"There is no picture {id} in the library {self.path}, or its files are missing.")
        return photo_details(self._store, found)

    def photos(self, query: str = "") -> Records:
        """List every picture that passes the filters of a query, in order of ids.

        Raises:
            QueryError: the query is wrong, or has something to look for.

        Example: `library.photos("date:2023").to_pandas()`
        """
        store, wanted = self._store, parse_filters(query)
        ids = store.catalog.matching(wanted.filters).tolist()
        found = store.catalog.photos(ids, wanted.filters)
        return Records(photo_records(store, [found[id] for id in ids if id in found]), {"query": str(wanted)})

    def explain(self, id: int, text: str, *, part: Mapping[str, float] | None = None) -> Explanation:
        """Show where in a picture a text was found, as `GET /api/v1/photos/{id}/explain` does.

        Args:
            id: of the picture.
            text: words, as in a query; filters and what is excluded count for nothing.
            part: of the picture that is looked at, as `box` of a hit. None: the tile of the library that the words are
                found in, or the whole.

        Returns:
            `map`, float32 (rows, columns), 1 where most speaks for the text and 0 where nothing does; `box`, the part
            of the upright picture that the map is of, a tile if it was found there; and `peak`, where it is 1.

        Raises:
            QueryError: the text has no words, there is no such picture or part, or it can't be read.
            SpaceError: the model reads no words, can't be loaded, or is of a kind that can't tell where.

        Example: `matplotlib.pyplot.imshow(library.explain(7, "a boat"))`
        """
        return self._open().explain(id, parse(text), None if part is None else as_part(part))

    def thumbnail(self, id: int) -> bytes:
        """Return a picture as a small JPEG, upright: at most 512 px, beyond 3:1 170 px of the shorter side.

        Raises:
            QueryError: there is no such picture, or neither a thumbnail nor its file can be read.

        Example: `IPython.display.Image(library.thumbnail(7))`
        """
        data = thumbnail(self._store, bytes.fromhex(self.photo(id)["hash"]))
        if data is None:
            raise QueryError(f"Picture {id} has no thumbnail, and its file can't be read now.")
        return data

    # -- vectors ------------------------------------------------------------------------------------------------

    def vectors(self, ids: Iterable[int], *, space: str | None = None) -> Floats:
        """Return the stored vectors of pictures: float32 (n, dim), unit length, in the order of `ids`.

        Raises:
            QueryError: a picture has no vector in the space, or the library has no such space.

        Example: `library.vectors([hit["id"] for hit in hits])`
        """
        searcher = self._open()
        found = searcher.space(space)
        try:
            return searcher.library.vectors.get(found.id).vectors_of(np.fromiter(ids, np.int64))
        except KeyError as error:
            raise QueryError(f"Picture {error.args[0]} has no vector of the model {found.name!r}.") from None

    def encode_texts(self, texts: Iterable[str], *, space: str | None = None) -> Floats:
        """Encode texts as they are with the library's model: float32 (n, dim), unit length.

        Raises:
            SpaceError: the model reads no words, a text is too long for it, or it can't be loaded.

        Example: `library.vectors(ids) @ library.encode_texts(["a boat"])[0]`
        """
        return encode_texts(self._encoder(space, words=True), [texts] if isinstance(texts, str) else texts)

    def encode_images(self, images: Iterable[ImageSource], *, space: str | None = None) -> Floats:
        """Encode pictures with the library's model: float32 (n, dim), unit length. The library stays as it is.

        Pictures are paths of files, bytes of files, or pictures of Pillow.

        Raises:
            QueryError: a picture can't be read; the message names it.
            SpaceError: the model can't be loaded.

        Example: `library.encode_images(["new.jpg"]) @ library.vectors(ids).T`
        """
        return encode_images(self._encoder(space), images)

    def _encoder(self, space: str | None, *, words: bool = False) -> JointEncoder:
        searcher = self._open()
        return searcher.encoders.get(searcher.space(space, words=words))
