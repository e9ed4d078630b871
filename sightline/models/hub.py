"""Repositories of the Hugging Face hub: what its cache on this disk holds of them, and downloads.

The cache is read directly: a snapshot without a reference to it, as other programs leave, is as good as any.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sightline.models.downloads import counting_bar, reporter
from store.errors import SpaceError

log = logging.getLogger(__name__)

PREFIX: Final = "hf-hub:"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
# As the hub has it (huggingface_hub/utils/_validators.py).
_NAME: Final = re.compile(r"(\b[\w.-]{1,96}\b/)?\b[\w.-]{1,96}\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository `ORG/NAME`, and the branch, tag or commit asked for; None for the main branch."""

    name: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.name if self.revision is None else f"{self.name}@{self.revision}"


def repository_named(name: str) -> str | None:
    """The repository that a name may stand for, `ORG/NAME` or the NAME of an old one; None for a path."""
    is_valid = _NAME.fullmatch(name) and "--" not in name and ".." not in name and not name.endswith(".git")
    return name if is_valid else None


def parse(spec: str) -> Repository:
    """Read `ORG/NAME` or `ORG/NAME@REVISION`.

    Raises:
        SpaceError: it names no repository.
    """
    name, at, revision = spec.strip().partition("@")
    name, revision = name.strip().rstrip("/"), revision.strip()
    if name.count("/") != 1 or repository_named(name) is None or (at and not revision):
        raise SpaceError(
            f"{PREFIX + spec!r} does not name a hub repository; say {PREFIX}ORG/NAME, or {PREFIX}ORG/NAME@REVISION"
        )
    return Repository(name, revision or None)


def snapshots(repository: Repository) -> Iterator[Path]:
    """Folders of the cache that hold a repository, the one that is meant first.

    With a revision only that; else the commit that the main branch had when something was last downloaded, then the
    others, the newest first. A folder may hold a part of the repository.
    """
    place = _place(repository.name)
    try:
        held = [folder for folder in (place / "snapshots").iterdir() if folder.is_dir()]
    except OSError:
        return
    referred = _referred(place, repository.revision or "main")
    if repository.revision is not None and referred is None:
        # A commit, in full or its beginning, as the hub's pages show it.
        begun = [folder for folder in held if folder.name.startswith(repository.revision)]
        referred = begun[0].name if len(begun) == 1 and len(repository.revision) >= 7 else None
    yield from (folder for folder in held if folder.name == referred)
    if repository.revision is None:
        others = [folder for folder in held if folder.name != referred]
        yield from sorted(others, key=lambda folder: (folder.stat().st_mtime_ns, folder.name), reverse=True)


def is_interrupted(repository: Repository) -> bool:
    """Whether the cache holds the beginning of a download."""
    return any((_place(repository.name) / "blobs").glob("*.incomplete"))


def commit_of(folder: Path) -> str | None:
    """`ORG/NAME@COMMIT` of a folder that is a snapshot in a hub cache, wherever that lies; else None."""
    place = folder.parent.parent
    if folder.parent.name != "snapshots" or not place.name.startswith("models--") or not _COMMIT.fullmatch(folder.name):
        return None
    return f"{place.name.removeprefix('models--').replace('--', '/')}@{folder.name}"


def _place(name: str) -> Path:
    return Path(_cache()) / f"models--{name.replace('/', '--')}"


def _cache() -> str:
    """Where the hub's cache lies, as huggingface_hub 2.4 says it (constants.py), which is not imported."""
    known = sys.modules.get("huggingface_hub.constants")
    if known is not None or "HUGGINGFACE_CO_STAGING" in os.environ:
        from huggingface_hub.constants import HF_HUB_CACHE

        return HF_HUB_CACHE
    users = os.environ.get("XDG_CACHE_HOME", str(Path("~", ".cache")))
    home = os.environ.get("HF_HOME", str(Path(users, "huggingface")))
    named = os.environ.get("HUGGINGFACE_HUB_CACHE", str(Path(home, "hub")))
    written = os.environ.get("HF_HUB_CACHE", named)
    return os.path.expandvars(os.path.expanduser(written))  # noqa: PTH111 - "~nobody" stays what it is there, too


def _referred(place: Path, revision: str) -> str | None:
    try:
        return (place / "refs" / revision).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None


class UnreachableError(SpaceError):
    """The hub did not give what was asked for; the message is a part of a sentence."""


def download(repository: Repository, patterns: Sequence[str]) -> Path:
    """Download the files of a repository that match the patterns. Returns the folder of the snapshot.

    `sightline.models.downloads.reporting` has its progress told.

    Raises:
        UnreachableError: the hub refuses it, or can't be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    log.info("downloading %s from the hub, once", repository)
    try:
        with _without_retries_told():
            shown = reporter(repository.name, repository.revision, patterns, _place(repository.name))
            bar = None if shown is None else counting_bar(shown)
            folder = snapshot_download(
                repository.name, revision=repository.revision, allow_patterns=list(patterns), tqdm_class=bar
            )
            if shown is not None:
                shown.finish()
            return Path(folder)
    except GatedRepoError as error:
        raise UnreachableError(
            f"the hub gives {repository.name} only to who accepted its licence there and signed in (hf auth login)"
        ) from error
    except RepositoryNotFoundError as error:
        raise UnreachableError(f"the hub has no repository {repository.name}, or a private one") from error
    except RevisionNotFoundError as error:
        raise UnreachableError(f"{repository.name} has no revision {repository.revision!r} on the hub") from error
    except HfHubHTTPError as error:
        answer = error.response.status_code if error.response is not None else "no answer"
        raise UnreachableError(f"the hub refused it ({answer})") from error
    except (OSError, LocalEntryNotFoundError) as error:
        raise UnreachableError("the hub can't be reached") from error


@contextmanager
def _without_retries_told() -> Iterator[None]:
    """Keep huggingface_hub from telling each of its attempts; what comes of them is told here."""
    said = logging.getLogger("huggingface_hub.utils._http")
    if log.isEnabledFor(logging.DEBUG):
        yield
        return
    level = said.level
    said.setLevel(logging.ERROR)
    try:
        yield
    finally:
        said.setLevel(level)


def files_of(repository: Repository) -> list[str]:
    """The names of a repository's files, as the hub lists them; none where it can't be asked."""
    from huggingface_hub import HfApi

    try:
        return HfApi().list_repo_files(repository.name, revision=repository.revision)
    except Exception as error:  # noqa: BLE001 - only to say more in an error
        log.debug("the files of %s can't be listed: %s", repository, error)
        return []
