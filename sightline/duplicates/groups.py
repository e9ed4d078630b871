"""Groups of duplicates in a library: exact copies (several files of the same bytes), near-duplicates."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sightline.csv_cells import guarded
from sightline.duplicates.keep_rules import Name, Suggestion, Version, preferred, spared, suggest
from sightline.duplicates.near_pairs import Pairs, Report
from sightline.duplicates.same_files import files_by_content, identity, path_of
from sightline.duplicates.steps import DISTANCE_STEPS, burst_pairs, stepped_pairs
from store.arrays import Ids
from store.errors import SightlineError
from store.library import Library
from store.paths import as_json, display, to_bytes, to_path
from store.tables.catalog import CHUNK, PhotoRow, SpaceState

Kind = Literal["exact", "near", "burst"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

COLUMNS: Final = ("group", "photo", "picture", "state", "reason", "bytes", "path", "path_b64")
"""The keys of `group_records`, in the order of the columns of `csv_lines`."""


def _no_report(done: float, doing: str) -> None:
    """Ignore a report of progress."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of contents, sorted by photos (most first), then by freeable bytes (most first), then by id.

    Attributes:
        ids: the contents of all groups, one group after the other, int64 (n,).
        starts: where each group starts in `ids`, and the end of the last, int64 (groups + 1,).
        photos: how many files each group has, int64 (groups,); a file with several names counts once.
        freeable: bytes that each group would free if only its largest file stayed, int64 (groups,).
        min_cosine: the least cosine of two pictures that belong together; 1 for exact copies.
        is_cut: there were too many pairs, so some with a low cosine are missing.
    """

    ids: Ids
    starts: NDArray[np.int64]
    photos: NDArray[np.int64]
    freeable: NDArray[np.int64]
    min_cosine: float = 1.0
    is_cut: bool = False

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, number: int) -> Ids:
        """Return the content ids of a group, int64 (n,); the others are near-duplicates of the first."""
        return self.ids[self.starts[number] : self.starts[number + 1]]


@dataclass(frozen=True, slots=True)
class Group:
    """A group with the facts of its photos.

    Attributes:
        number: its place in the list, from 1.
        versions: its files that are present, the best to keep first.
        pictures: a row for each content, by id.
        suggestion: which photo to keep.
        rest: ids of the photos that are set aside when only the suggestion is to stay.
    """

    number: int
    versions: tuple[Version, ...]
    pictures: dict[int, PhotoRow]
    suggestion: Suggestion
    rest: tuple[int, ...]

    @property
    def freeable(self) -> int:
        """The bytes of all files but the one to keep."""
        return sum(version.size for version in self.versions) - self.suggestion.kept.size


def selection_ids(library: Library, name: str | None) -> Ids | None:
    """Return the content ids of a saved selection, sorted, int64 (n,); None without a name: all pictures.

    Raises:
        SightlineError: the library has no selection of this name any more.
    """
    if not name:
        return None
    ids = library.marks.set_ids(name)
    if ids is None:
        raise SightlineError(
            f"There is no selection {name!r} in this library any more. Choose the pictures again on the Search page, "
            "or look in all of them."
        )
    return ids


def exact(library: Library, report: Report = _no_report, *, among: Ids | None = None) -> Groups:
    """Find contents that several files hold; each is a group. `among`: content ids, None for all."""
    report(0, "Reading which files have copies")
    ids = np.array([id_ for id_, _ in library.catalog.copies()], np.int64)
    if among is not None:
        ids = ids[np.isin(ids, among)]
    return _sorted_groups(library, [ids[at : at + 1] for at in range(len(ids))], report)


def near(
    library: Library, space: SpaceState, report: Report = _no_report, *, among: Ids | None = None
) -> tuple[Groups, ...]:
    """Find groups of near-duplicates in a space, for each of `DISTANCE_STEPS`; see `group_pairs`.

    Args:
        library: the library.
        space: whose vectors are compared.
        report: called with the share that is done, 0 to 1, and what is being done.
        among: content ids to look among; None for all.
    """
    ids = _compared(library, space, among)
    found = stepped_pairs(library, space.id, ids, lambda done, doing: report(0.9 * done, doing))
    made = []
    for step in range(len(DISTANCE_STEPS)):
        report(0.9 + 0.1 * step / len(DISTANCE_STEPS), "Putting them into groups")
        made.append(_groups_of(library, ids, found.until(step), is_cut=found.is_cut(step)))
    return tuple(made)


def bursts(library: Library, space: SpaceState, report: Report = _no_report, *, among: Ids | None = None) -> Groups:
    """Find bursts: photos of one camera, taken within seconds, whose vectors are near.

    Arguments are as of `near`. They are different photographs. Versions of one picture are not among them.
    """
    ids = _compared(library, space, among)
    return _groups_of(library, ids, burst_pairs(library, space.id, ids, report))


def _compared(library: Library, space: SpaceState, among: Ids | None) -> Ids:
    """Content ids that have a vector and a photo, sorted; among those given."""
    ids = np.setdiff1d(library.vectors.get(space.id).ids, library.catalog.absent_contents())
    return ids if among is None else ids[np.isin(ids, among)]


def _groups_of(library: Library, ids: Ids, found: Pairs, *, is_cut: bool = False) -> Groups:
    groups = _sorted_groups(library, [ids[rows] for rows in group_pairs(found, -1)], _no_report)
    return replace(groups, min_cosine=float(found.cosines.min(initial=1.0)), is_cut=is_cut)


def group_pairs(found: Pairs, threshold: float) -> list[NDArray[np.int64]]:
    """Group rows greedily: the row with most neighbours first, with its neighbours not yet in a group.

    Every group has at least two rows, and no row is in two groups. All rows of a group are neighbours of its first
    row. Joining the neighbours of neighbours would chain pictures that have nothing in common.

    Args:
        found: the pairs.
        threshold: two pictures are neighbours from this cosine on; at least `found.min_cosine`.

    Returns:
        For each group its rows, int64 (n,): first the row with most neighbours (of several the lowest), then the
        others in order.
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


def _sorted_groups(library: Library, groups: Sequence[Ids], report: Report) -> Groups:
    """Sort groups, see `Groups`, and leave out those with fewer than two files."""
    counts, totals, largest = (np.zeros(len(groups), np.int64) for _ in range(3))
    for start in range(0, len(groups), CHUNK):
        report(start / len(groups), "Reading how large their files are")
        part = groups[start : start + CHUNK]
        numbers = {int(id_): start + at for at, group in enumerate(part) for id_ in group}
        for content_id, found in files_by_content(library.catalog.photos_of(list(numbers))):
            number = numbers[content_id]
            counts[number] += len(found)
            totals[number] += sum(names[0].size for names in found)
            largest[number] = max(largest[number], *(names[0].size for names in found))
    freeable = totals - largest
    first = np.array([group[0] for group in groups], np.int64)
    order = np.lexsort((first, -freeable, -counts))
    order = order[counts[order] > 1]
    kept = [groups[number] for number in order.tolist()]
    ids = np.concatenate([np.empty(0, np.int64), *kept])
    starts = np.cumsum([0, *(len(group) for group in kept)])
    return Groups(ids, starts, counts[order], freeable[order])


# -- pages and exported lists ---------------------------------------------------------------------------------------


def load_groups(library: Library, groups: Groups, first: int, count: int) -> list[Group]:
    """Load the facts of `count` groups from place `first` (from 0) on, without those left with one file."""
    numbers = range(first, min(first + count, len(groups)))
    ids = [int(id_) for number in numbers for id_ in groups[number]]
    rows = library.catalog.photos(ids)
    favourites, tags = library.marks.favourites_of(ids), library.marks.tags_of(ids)
    placed = library.catalog.photos_of(ids)
    aside = library.marks.set_aside_of([photo.photo_id for photo in placed])
    held: dict[int, list[Version]] = {}
    for content_id, found in files_by_content(placed):
        if (row := rows.get(content_id)) is None:
            continue
        for first_name, *others in found:
            also = tuple(
                Name(name.photo_id, name.root, name.path, _from_root(name.root, name.display)) for name in others
            )
            version = Version(
                first_name.photo_id, content_id, first_name.root, first_name.path,
                _from_root(first_name.root, first_name.display), first_name.size, first_name.mtime_ns, row.facts,
                content_id in favourites, tags.get(content_id, ()), also=also,
            )  # fmt: skip
            held.setdefault(content_id, []).append(replace(version, is_aside=aside.issuperset(version.photo_ids)))
    made = []
    for number in numbers:
        contents = groups[number].tolist()
        versions = preferred([version for id_ in contents for version in held.get(id_, ())])
        if len(versions) < 2:
            continue
        suggestion = suggest(versions)
        left = {version.photo_id for version in spared(versions, suggestion.kept)}
        rest = tuple(id_ for version in versions if version.photo_id not in left for id_ in version.photo_ids)
        pictures = {id_: rows[id_] for id_ in contents if id_ in rows}
        made.append(Group(number + 1, tuple(versions), pictures, suggestion, rest))
    return made


def _from_root(root: bytes, path: str) -> str:
    return f"{display(root.rstrip(b'/').rpartition(b'/')[2])}/{path}".lstrip("/")


def group_records(library: Library, groups: Groups) -> Iterator[dict[str, Any]]:
    """Yield a record for each photo of each group, with the keys of `COLUMNS`.

    `picture` is the content's id, which `like:` takes. `state` is "keep" for the suggestion, "set aside", or
    "undecided". `reason` says why to keep the suggestion, or why not to keep the other. Another name of a file, such as
    a link to it, has its state and no `bytes` of its own. A path that is not valid text is in `path_b64` instead of
    `path`.
    """
    for first in range(0, len(groups), CHUNK):
        for group in load_groups(library, groups, first, CHUNK):
            for version in group.versions:
                is_kept = version == group.suggestion.kept
                why = group.suggestion.reasons if is_kept else (group.suggestion.why[version.photo_id],)
                names: tuple[Version | Name, ...] = (version, *version.also)
                for name in names:
                    yield {
                        "group": group.number,
                        "photo": name.photo_id,
                        "picture": version.content_id,
                        "state": "set aside" if version.is_aside else "keep" if is_kept else "undecided",
                        "reason": ", ".join(why) if name is version else f"the same file as {version.display}",
                        "bytes": version.size if name is version else 0,
                        **as_json(to_bytes(to_path(name.root, name.path))),
                    }


def csv_lines(records: Iterable[dict[str, Any]]) -> str:
    """Format records as CSV (RFC 4180) with a header line, without formulas; see `sightline.csv_cells`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: guarded(value) for name, value in record.items()} for record in records)
    return text.getvalue()


def json_lines(records: Iterable[dict[str, Any]]) -> str:
    """Format records as JSON lines: an object a line."""
    return "".join(f"{json.dumps(record)}\n" for record in records)


@dataclass(frozen=True, slots=True)
class SetAside:
    """The photos of a library that are set aside, in groups or not.

    A photo is left out while its file has another name that is not set aside, such as a link to it: moving one would
    free nothing, and may take the file away from the other.

    Attributes:
        size: bytes of all their files.
        paths: absolute paths as the file system spells them, sorted.
        shared: how many photos were left out.
        others: paths of photos with the same bytes that are not set aside.
    """

    size: int
    paths: tuple[bytes, ...]
    shared: int
    others: tuple[bytes, ...]

    def as_lines(self) -> bytes:
        """Format the paths, one a line. Those with a line break are left out, see `with_breaks`.

        The disk is asked once more which are one file: since the last run a copy may have become a link.
        """
        paths = [path for path in self.paths if b"\n" not in path]
        if kept := {identity(path) for path in self.others} - {None}:
            paths = [path for path in paths if identity(path) not in kept]
        return b"".join(path + b"\n" for path in paths)

    @property
    def with_breaks(self) -> int:
        """The number of paths that have a line break in them."""
        return sum(b"\n" in path for path in self.paths)


_CONTENTS: Final = (
    "SELECT DISTINCT content_id FROM photos WHERE id IN (SELECT value FROM json_each(?)) AND missing_since IS NULL"
)


def set_aside(library: Library) -> SetAside:
    """Return the photos that are set aside and still present."""
    ids = library.marks.set_aside_of()
    with library.catalog.engine.connect() as connection:
        contents = list(connection.exec_driver_sql(_CONTENTS, (json.dumps(sorted(ids)),)).scalars())
    size, shared, paths, others = 0, 0, list[bytes](), list[bytes]()
    for _, found in files_by_content(library.catalog.photos_of(contents)):
        for names in found:
            aside = [name for name in names if name.photo_id in ids]
            if len(aside) == len(names):
                size += names[0].size
                paths += map(path_of, names)
            else:
                shared += len(aside)
                others += [path_of(name) for name in names if name not in aside]
    return SetAside(size, tuple(sorted(paths)), shared, tuple(others))
