"""Pictures that a library holds more than once: the same bytes in several places, and versions of one picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sightline.duplicates.keep_rules import Suggestion, Version, preferred, spared, suggest
from sightline.duplicates.near_pairs import Pairs, Report, pairs
from sightline.ranking.calibration import Calibration
from store.arrays import Ids
from store.errors import SightlineError
from store.library import Library
from store.paths import as_json, display, to_bytes, to_path
from store.tables.catalog import CHUNK, PhotoRow, SpaceState

Kind = Literal["exact", "near"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

ALIKE: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""How alike two pictures must be to count as versions of one, from identical-looking to similar: their distance, 1
minus the cosine, is at most so many times the one that searches fold at (`Calibration.duplicates`)."""
USUAL: Final = ALIKE.index(1.0)

COLUMNS: Final = ("group", "photo", "picture", "state", "reason", "bytes", "path", "path_b64")
"""What an exported list says of a photo; `csv_lines` writes them in this order."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of contents, those with most photos first, of as many those that could free most, then by id.

    Attributes:
        photos: how many present photos each group has, int64 (groups,).
        freeable: bytes that each would free if only its largest file stayed, int64 (groups,).
        floor: the cosine that pictures of a group have at least; 1 for copies.
        is_cut: so many pictures are alike that those are left out which were asked for but are less so than `floor`.
    """

    ids: Ids
    starts: NDArray[np.int64]
    photos: NDArray[np.int64]
    freeable: NDArray[np.int64]
    floor: float = 1.0
    is_cut: bool = False

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, number: int) -> Ids:
        """The content ids of a group, int64 (n,); the first is the picture that the others are near to."""
        return self.ids[self.starts[number] : self.starts[number + 1]]


@dataclass(frozen=True, slots=True)
class Group:
    """A group with what is known of its photos.

    Attributes:
        number: its place in the list, from 1.
        versions: its present photos, the best to keep first.
        pictures: one row for each content, by id.
        suggestion: which photo to keep.
        rest: ids of the photos that "set aside all but the suggestion" sets aside.
    """

    number: int
    versions: tuple[Version, ...]
    pictures: dict[int, PhotoRow]
    suggestion: Suggestion
    rest: tuple[int, ...]

    @property
    def freeable(self) -> int:
        """Bytes of all files but the one to keep."""
        return sum(version.size for version in self.versions) - self.suggestion.kept.size


def chosen(library: Library, name: str | None) -> Ids | None:
    """The content ids of a kept set, sorted, int64 (n,); None for the whole library, where there is no name.

    Raises:
        SightlineError: there is no set of this name any more.
    """
    if not name:
        return None
    ids = library.marks.set_ids(name)
    if ids is None:
        raise SightlineError(
            f"There is no selection {name!r} in this library any more. Choose the pictures again on the Search page, "
            "or look among all of them."
        )
    return ids


def exact(library: Library, report: Report, *, among: Ids | None = None) -> Groups:
    """Contents that several present photos hold, each a group; `among`: content ids, None for all."""
    report(0, "Reading which files have copies")
    ids = np.array([id_ for id_, _ in library.catalog.copies()], np.int64)
    if among is not None:
        ids = ids[np.isin(ids, among)]
    return _weighed(library, [ids[at : at + 1] for at in range(len(ids))], report)


def near(library: Library, space: SpaceState, report: Report, *, among: Ids | None = None) -> tuple[Groups, ...]:
    """Groups of pictures that are near each other in a space, for each step of `ALIKE`; see `grouped`.

    Args:
        library: where they are.
        space: whose vectors are compared.
        report: told how far it is.
        among: content ids, for groups of those alone; None for all.
    """
    index, absent = library.vectors.get(space.id), library.catalog.absent_contents()
    usual = Calibration.of(index, absent).duplicates
    ids = np.setdiff1d(index.ids, absent)
    if among is not None:
        ids = ids[np.isin(ids, among)]
    thresholds = [1 - times * (1 - usual) for times in ALIKE]
    found = pairs(index, ids, min(thresholds), lambda done, doing: report(0.9 * done, doing))
    made = []
    for step, threshold in enumerate(thresholds):
        report(0.9 + 0.1 * step / len(thresholds), "Putting them into groups")
        floor = max(threshold, found.floor)
        groups = [ids[rows] for rows in grouped(found, floor)]
        weighed = _weighed(library, groups, lambda done, doing: None)
        made.append(replace(weighed, floor=floor, is_cut=floor > threshold))
    return tuple(made)


def grouped(found: Pairs, threshold: float) -> list[NDArray[np.int64]]:
    """Groups of rows: a picture and those near it that are in no group yet; none is in two, none alone in one.

    Begins with the picture that is near to most, of as many the first. A picture joins one that it is near to itself,
    never one that is merely near to another of the group: in small steps, a walk through a library leads anywhere.

    Args:
        found: the pairs.
        threshold: cosine from which two pictures are near; at least `found.floor`.

    Returns:
        For each group its rows, int64 (n,), the picture that it began with first, the others in order.
    """
    near = found.cosines >= threshold
    left, right = found.left[near].astype(np.int64), found.right[near].astype(np.int64)
    sources, targets = np.concatenate([left, right]), np.concatenate([right, left])
    order = np.lexsort((targets, sources))
    sources, targets = sources[order], targets[order]
    rows, starts, degrees = np.unique(sources, return_index=True, return_counts=True)
    is_taken = np.zeros(int(sources.max(initial=-1)) + 1, np.bool_)
    groups = []
    for place in np.lexsort((rows, -degrees)).tolist():
        row = rows[place]
        if is_taken[row]:
            continue
        mine = targets[starts[place] : starts[place] + degrees[place]]
        mine = mine[~is_taken[mine]]
        if len(mine):
            group = np.concatenate([[row], mine])
            is_taken[group] = True
            groups.append(group)
    return groups


def _weighed(library: Library, groups: Sequence[Ids], report: Report) -> Groups:
    """Groups with their weight, in order; those that have fewer than two present photos by now are left out."""
    counts, totals, largest = (np.zeros(len(groups), np.int64) for _ in range(3))
    for start in range(0, len(groups), CHUNK):
        report(start / len(groups), "Reading how large their files are")
        part = groups[start : start + CHUNK]
        numbers = {int(id_): start + at for at, group in enumerate(part) for id_ in group}
        for photo in library.catalog.photos_of(list(numbers)):
            number = numbers[photo.content_id]
            counts[number] += 1
            totals[number] += photo.size
            largest[number] = max(largest[number], photo.size)
    freeable = totals - largest
    first = np.array([group[0] for group in groups], np.int64)
    order = np.lexsort((first, -freeable, -counts))
    order = order[counts[order] > 1]
    kept = [groups[number] for number in order.tolist()]
    ids = np.concatenate([np.empty(0, np.int64), *kept])
    starts = np.cumsum([0, *(len(group) for group in kept)])
    return Groups(ids, starts, counts[order], freeable[order])


# -- what a page shows, and a list says -----------------------------------------------------------------------------


def load(library: Library, groups: Groups, first: int, count: int) -> list[Group]:
    """Groups by their place, from 0, with all that is known of their photos; those that came apart are left out."""
    numbers = range(first, min(first + count, len(groups)))
    ids = [int(id_) for number in numbers for id_ in groups[number]]
    rows = library.catalog.photos(ids)
    favourites, tags = library.marks.favourites_of(ids), library.marks.tags_of(ids)
    placed = library.catalog.photos_of(ids)
    aside = library.marks.set_aside_of([photo.photo_id for photo in placed])
    held: dict[int, list[Version]] = {}
    for photo in placed:
        if (row := rows.get(photo.content_id)) is not None:
            version = Version(
                photo.photo_id, photo.content_id, photo.root, photo.path, _from_root(photo.root, photo.display),
                photo.size, photo.mtime_ns, row.facts, photo.content_id in favourites,
                tags.get(photo.content_id, ()), photo.photo_id in aside,
            )  # fmt: skip
            held.setdefault(photo.content_id, []).append(version)
    made = []
    for number in numbers:
        contents = groups[number].tolist()
        versions = preferred([version for id_ in contents for version in held.get(id_, ())])
        if len(versions) < 2:
            continue
        suggestion = suggest(versions)
        left = {version.photo_id for version in spared(versions, suggestion.kept)}
        rest = tuple(version.photo_id for version in versions if version.photo_id not in left)
        pictures = {id_: rows[id_] for id_ in contents if id_ in rows}
        made.append(Group(number + 1, tuple(versions), pictures, suggestion, rest))
    return made


def _from_root(root: bytes, path: str) -> str:
    return f"{display(root.rstrip(b'/').rpartition(b'/')[2])}/{path}".lstrip("/")


def listed(library: Library, groups: Groups) -> Iterator[dict[str, Any]]:
    """Every photo of every group: `COLUMNS`, of `path` and `path_b64` the one that can hold it.

    `state` is "keep" for the suggestion, "set aside", or "undecided"; `reason` says what speaks for the suggestion, or
    against the other; `picture` is the content's id, the one that `like:` takes.
    """
    for first in range(0, len(groups), CHUNK):
        for group in load(library, groups, first, CHUNK):
            for version in group.versions:
                is_kept = version == group.suggestion.kept
                why = group.suggestion.reasons if is_kept else (group.suggestion.why[version.photo_id],)
                yield {
                    "group": group.number,
                    "photo": version.photo_id,
                    "picture": version.content_id,
                    "state": "set aside" if version.is_aside else "keep" if is_kept else "undecided",
                    "reason": ", ".join(why),
                    "bytes": version.size,
                    **as_json(to_bytes(to_path(version.root, version.path))),
                }


def csv_lines(records: Iterable[dict[str, Any]]) -> str:
    """The list as CSV (RFC 4180), with a line of names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def json_lines(records: Iterable[dict[str, Any]]) -> str:
    """The list as JSON, an object a line."""
    return "".join(f"{json.dumps(record)}\n" for record in records)


@dataclass(frozen=True, slots=True)
class Aside:
    """What is set aside in a library, whatever group it is in.

    Attributes:
        size: of all the files together, in bytes.
        paths: absolute, as the file system spells them, in order.
    """

    size: int
    paths: tuple[bytes, ...]

    def as_lines(self) -> bytes:
        """A path a line. Those with a line break in them are left out, see `with_breaks`: they would become two."""
        return b"".join(path + b"\n" for path in self.paths if b"\n" not in path)

    @property
    def with_breaks(self) -> int:
        """How many paths have a line break in them."""
        return sum(b"\n" in path for path in self.paths)


_ASIDE: Final = (
    "SELECT roots.path, photos.path, photos.size FROM photos JOIN roots ON roots.id = root_id "
    "WHERE photos.id IN (SELECT value FROM json_each(?)) AND missing_since IS NULL"
)


def set_aside(library: Library) -> Aside:
    """The photos that are set aside and still there."""
    ids = library.marks.set_aside_of()
    with library.catalog.engine.connect() as connection:
        rows = connection.exec_driver_sql(_ASIDE, (json.dumps(sorted(ids)),)).all()
    paths = sorted(to_bytes(to_path(root, path)) for root, path, _ in rows)
    return Aside(sum(size for *_, size in rows), tuple(paths))
