"""What a run did, counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Summary:
    """Counts of one run. Every file that may be a picture is in exactly one of the first seven.

    Attributes:
        added: new paths with new content.
        changed: known paths with other content than before.
        moved: new paths whose content was at a path that is gone.
        duplicates: new paths with the content of another photo that is still there.
        restored: paths that were missing and are back.
        unchanged: the same content at the same path.
        failed: files that can't be indexed, newly or still.
        failed_now: those of them that failed in this run.
        growing: files that a watcher left to its next run, because they are still being written.
        missing: photos that this run found gone.
        forgotten: photos that `--prune` removed.
        not_forgotten: photos that it would have removed, but nobody said yes to what would be lost with them.
        marks_carried: pictures whose file changed and that kept their tags, being a favourite, or selections.
        marks_left: pictures with marks whose file holds another picture now; the marks stayed with the old one.
        marks_file: where marks were written before any were lost; empty where none were.
        encoded: pictures that went through a model.
        tiled: those of them whose tiles did.
        spaces: names of the spaces that were brought up to date.
        searched_space: the name of the one that searches by words use; empty where the library has one only.
        not_in_space: pictures without a vector in the one space of this run, for which searches keep to their old one.
        behind: spaces that lack pictures, where the library has several: name, pictures, reason.
        other_files: files passed over as no pictures.
        links: links passed over.
        caches: bins and caches of other programs that were left out: how many, by their names.
        doubted: folders below which a prune forgot nothing, as `indexer.doubt` tells: path, photos, reason.
        unmatched: exclude patterns that left nothing out.
        seconds: from the first file to the last commit.
        loading: seconds of those that went into loading the model.
        bound_by: what the run waited for most: decode, encode, write or walk.
    """

    added: int = 0
    changed: int = 0
    moved: int = 0
    duplicates: int = 0
    restored: int = 0
    unchanged: int = 0
    failed: int = 0
    failed_now: int = 0
    growing: int = 0
    missing: int = 0
    forgotten: int = 0
    not_forgotten: int = 0
    marks_carried: int = 0
    marks_left: int = 0
    marks_file: str = ""
    encoded: int = 0
    tiled: int = 0
    spaces: list[str] = field(default_factory=list)
    searched_space: str = ""
    not_in_space: int = 0
    behind: list[dict[str, Any]] = field(default_factory=list)
    other_files: int = 0
    links: int = 0
    caches: dict[str, int] = field(default_factory=dict)
    doubted: list[dict[str, Any]] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    seconds: float = 0.0
    loading: float = 0.0
    bound_by: str = "walk"

    @property
    def pictures(self) -> int:
        """Files looked at that may be pictures."""
        return (
            self.added + self.changed + self.moved + self.duplicates + self.restored + self.unchanged + self.failed
        )  # fmt: skip

    @property
    def rate(self) -> float:
        """Pictures encoded per second, loading the model not counted; 0 when none were."""
        working = self.seconds - self.loading
        return self.encoded / working if working > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the counts, `rate` in pictures per second, seconds rounded to a millisecond."""
        return {
            **asdict(self),
            "seconds": round(self.seconds, 3),
            "loading": round(self.loading, 3),
            "rate": round(self.rate, 2),
        }
