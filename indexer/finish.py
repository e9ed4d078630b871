"""The end of a run: which photos are gone, moved or to be forgotten, and which space searches use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from indexer.doubt import Held, Prune, held, replaced
from indexer.identity import SAMPLE, Identity, is_large, sampled, share_in_words
from indexer.places import device_of, inode_of, is_gone, place_of
from indexer.root_scan import RootScan
from indexer.roots import emptied_root_error
from indexer.summary import Summary
from indexer.verify_vectors import DUE_IN_A_RUN, put_due_checksums
from store.disk_errors import disk_sentence
from store.errors import RootUnavailableError, VectorServiceError
from store.library import Library
from store.lock import files_locked
from store.marks_backup import back_up_marks
from store.paths import display, to_bytes, to_path
from store.tables.catalog import Catalog
from store.tables.losses import Losses, losses
from store.tables.space_choice import best_default, for_words, space_facts
from store.tables.writer import Failed, Writer

log = logging.getLogger(__name__)


class Finisher:
    """Finishes a run whose walks came to their end; only `save_vectors` is for every run."""

    def __init__(
        self, library: Library, writer: Writer, space_ids: Sequence[int], summary: Summary,
        may_lose: Callable[[Losses, int], bool],
    ) -> None:  # fmt: skip
        """`may_lose`: asked, with how many photos a prune would forget, whether marks may be lost with them."""
        self._library = library
        self._writer = writer
        self._space_ids = space_ids
        self._summary = summary
        self._may_lose = may_lose
        self._gone_of: dict[tuple[int, bytes], list[int]] = {}  # by root and the folder in it that was walked

    def mark_missing(self, scans: Sequence[RootScan]) -> list[Failed]:
        """Mark as missing the photos that the walks did not find.

        Returns:
            What the walks could not read; it is yet to be committed.

        Raises:
            RootUnavailableError: a folder that held photos had no file, or is another one now; nothing was marked.
        """
        for scan in scans:
            if scan.place != place_of(scan.target.root):
                raise RootUnavailableError(
                    f"The folder {scan.target.root} is not the one any more that it was when this run began: its drive "
                    "was taken away, or another folder was put in its place. Nothing was marked as missing. Run again "
                    "when it is there."
                )
        for scan in scans:
            if scan.files:
                continue
            if held := self._library.catalog.count_present(scan.root_id, scan.target.prefix):
                raise emptied_root_error(scan.target.start, held)  # its drive went away after it was looked at
        failed: list[Failed] = []
        for scan in scans:
            gone_here = scan.gone(self._library.catalog)
            self._writer.mark_missing(gone_here)
            self._gone_of.setdefault(_of(scan), []).extend(gone_here)
            failed.extend(scan.unreadable)
            unseen = scan.failures.keys() - scan.seen_failures - {failure.file.path for failure in scan.unreadable}
            self._writer.drop_failures([scan.failures[path].id for path in unseen if scan.covers(path)])
        self._summary.failed += len(failed)
        self._summary.failed_now += len(failed)
        return failed

    def resolve_moves(self, scans: Sequence[RootScan], linked: int, prune: Prune | None) -> None:
        """Tell moved photos from lost ones, once everything is committed.

        Args:
            scans: those that were marked.
            linked: new paths whose content was known.
            prune: to forget what is missing below the folders of this run.
        """
        catalog = self._library.catalog
        missing = [catalog.missing_photos(scan.root_id) for scan in scans]
        is_asked = prune is not None
        before = [held(catalog, scan, counts=is_asked or bool(self._gone_of.get(_of(scan)))) for scan in scans]
        moved = self._writer.settle_moves([scan.root_id for scan in scans])
        self._summary.moved = len(moved)
        self._summary.duplicates = max(0, linked - len(moved))
        self._summary.missing = len({id_ for ids in self._gone_of.values() for id_ in ids} - moved.keys())
        for scan, photos in zip(scans, missing, strict=True):
            if not scan.target.prefix:
                self._writer.finish_root(scan.root_id, _drives(scan, [path for _, path in photos]))
        for scan, counts in zip(scans, before, strict=True):
            self._keep_identity(scan, counts, warns=prune is None)
        if prune is None:
            return
        for scan, photos, counts in zip(scans, missing, before, strict=True):
            renamed = [path for photo_id, path in photos if moved.get(photo_id)]
            prune.take(catalog, scan, list(missing_for_good(catalog, scan)), counts, renamed)
        self._summary.doubted = [doubt.to_dict() for doubt in prune.doubts]
        self._forget(prune.photo_ids)

    def _keep_identity(self, scan: RootScan, before: Held, *, warns: bool) -> None:
        """Keep what the root is now, and that this run found a large share of it gone."""
        catalog, was = self._library.catalog, before.identity
        gone = self._gone_of.get(_of(scan), [])
        lost = catalog.lost_photos(gone) if gone else {}
        if is_large(len(lost), before.photos):  # what is only left out from now on is not lost
            paths = {id_: path for id_, path in missing_for_good(catalog, scan) if id_ in lost}
            other = replaced(scan.target.root, list(paths.values()))
            lost = {id_: lost[id_] for id_, path in paths.items() if path not in other}
        losses = {}
        if was.losses or lost:
            still = set(catalog.missing_times(scan.root_id))
            losses = {since: photos for since, photos in was.losses.items() if since in still}
        if is_large(len(lost), before.photos):
            losses |= dict.fromkeys(lost.values(), before.photos)
            share = share_in_words(len(lost), before.photos)
            level = logging.WARNING if warns else logging.DEBUG
            log.log(level, "%s: %s. They left the results, until they are back.", scan.target.start, share)
        if scan.target.prefix:
            now = replace(was, losses=losses)
        else:
            is_same = bool(was.sample) and not scan.news and not gone
            root = scan.target.root
            now = Identity(
                device_of(root), inode_of(root),
                was.sample if is_same else sampled(catalog.sample(scan.root_id, SAMPLE)),
                {drive: device_of(to_path(to_bytes(root), drive)) for drive in scan.drives}, losses,
            )  # fmt: skip
        if now != was:
            self._writer.keep_identity(scan.root_id, now.to_json())

    def _forget(self, photo_ids: list[int]) -> None:
        """Forget what is missing below this run's folders; not what is only unreadable, excluded or hidden."""
        catalog = self._library.catalog
        if lost := losses(catalog.engine, photo_ids):
            if not self._may_lose(lost, len(photo_ids)):
                self._summary.not_forgotten = len(photo_ids)
                return
            self._summary.marks_file = display(to_bytes(back_up_marks(self._library)))
        self._library.forget_pictures(self._writer.prune(photo_ids))
        self._summary.forgotten = len(photo_ids)

    def choose_default(self, away: Mapping[int, str]) -> None:
        """Let searches use the best space, see `best_default`: nothing that can be found now is lost by it.

        Also counts what spaces lack; `away` says why the model of a space can't be had now.
        """
        catalog = self._library.catalog
        facts, current = space_facts(catalog), catalog.default_space_id()
        chosen = best_default(facts, current)
        if chosen is not None and chosen != current:
            self._writer.make_default(chosen)
        names = {space.id: space.name for space in catalog.spaces()} if len(facts) > 1 else {}
        if names:  # a space may keep another name than its model has where that lies now
            self._summary.spaces = [names[id_] for id_ in self._space_ids]
        searched = for_words(facts, chosen)
        self._summary.searched_space = names.get(searched or 0, "")
        self._summary.behind = [
            {"name": names[each.id], "pictures": each.lacking, "reason": self._why_behind(each.id, away)}
            for each in facts
            if each.id in names and each.lacking and (each.held or each.id in self._space_ids)
        ]
        lacking = [each.lacking for each in facts if each.id in self._space_ids]
        if len(lacking) == 1 and searched not in self._space_ids:
            self._summary.not_in_space = lacking[0]

    def _why_behind(self, space_id: int, away: Mapping[int, str]) -> str:
        if space_id in self._space_ids:
            return "they failed, or lie in folders that were not indexed now"
        return away.get(space_id, "this run was for another model")

    def save_vectors(self) -> None:
        """Write the index that searches read, and checksums that vectors of an older version lack."""
        self._library.place.check()
        try:
            with files_locked(self._library.path):
                for space_id in self._space_ids:
                    self._library.vectors.save(space_id)
                    self._library.tiles.save(space_id)
        except OSError as error:  # a cache: searches make it again
            said = disk_sentence(error) or f"{error}."
            log.warning("the vector index can't be saved, and searches will build it each time. %s", said)
            return
        except VectorServiceError as error:  # vectors outside that can't be reached now
            log.warning("the vectors are in the library, and searches will bring their index up to date. %s", error)
        put_due_checksums(self._library, DUE_IN_A_RUN)


def _of(scan: RootScan) -> tuple[int, bytes]:
    return scan.root_id, scan.target.prefix


def missing_for_good(catalog: Catalog, scan: RootScan) -> Iterator[tuple[int, bytes]]:
    """Yield the id and path of each photo that is missing where a scan looked, its file really gone."""
    for photo_id, path in catalog.missing_photos(scan.root_id):
        if scan.covers(path) and is_gone(scan.target.root, path):
            yield photo_id, path


def _drives(scan: RootScan, missing: Sequence[bytes]) -> list[bytes]:
    """The folders on other devices that a root has, and those it had that photos are missing from."""
    known = scan.target.known.drives if scan.target.known else ()
    away = [drive for drive in known if drive not in scan.drives]
    return scan.drives + [drive for drive in away if any(path.startswith(drive + b"/") for path in missing)]
