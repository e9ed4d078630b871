"""A run of the indexer in its own process, waited for: the library itself never imports the indexer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from store.errors import LibraryError, LibraryLockedError
from store.paths import absolute
from store.walk_options import WalkChoice

_STOP_SECONDS: Final = 60.0  # that an interrupted run has to finish its batch
_LOCKED: Final = LibraryLockedError.exit_code


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the indexer, as its command line has; None: `space` all there are, `tiles` as they are."""

    space: str | None
    walk: WalkChoice
    prune: bool
    yes: bool
    offline: bool
    tiles: int | None = None

    def as_arguments(self) -> list[str]:
        """Return them as the command line has them."""
        flags = [("--prune", self.prune), ("--yes", self.yes), ("--offline", self.offline)]
        return [
            *self.walk.as_arguments(),
            *([f"--space={self.space}"] if self.space is not None else []),
            *([f"--tiles={self.tiles}"] if self.tiles is not None else []),
            *(name for name, given in flags if given),
        ]


def index_folders(library: Path, folders: Iterable[str | os.PathLike[str]], options: Options) -> dict[str, Any]:
    """Run `python -m indexer` and wait for its end; it ends when this process does.

    Args:
        library: the folder of the library.
        folders: absolute, or relative to the working directory.
        options: of the run.

    Returns:
        The summary of the run.

    Raises:
        LibraryLockedError: another indexer is at work on the library.
        LibraryError: the run could not start or finish; the message is the indexer's own.
        KeyboardInterrupt: after the run has committed the batch at hand.
    """
    # After `--` nothing is an option, whatever a folder is called.
    places = [os.fspath(absolute(Path(folder).expanduser())) for folder in folders]
    command = [sys.executable, "-m", "indexer.supervised", "index", f"--library={library}", "--json"]
    # From where the packages lie: a folder someone works in may have an `indexer` of its own.
    folder = Path(__file__).parent.parent
    with tempfile.TemporaryFile() as messages:
        try:
            process = subprocess.Popen(
                [*command, *options.as_arguments(), "--", *places],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=messages, cwd=folder, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise LibraryError(f"The indexer can't be started ({error}).") from error
        with process:
            assert process.stdin is not None and process.stdout is not None
            try:
                printed = process.stdout.read()
                code = process.wait()
            except KeyboardInterrupt:
                _stop(process, process.stdin)
                raise
        messages.seek(0)
        said = messages.read().decode("utf-8", "replace")
    done = json.loads(printed.splitlines()[-1]) if printed.strip() else {}
    # 1: done, but some files can't be indexed. 2 with folders that were doubted: done, but for these.
    if code not in (0, 1) and not (code == 2 and done.get("doubted")):
        raise (LibraryLockedError if code == _LOCKED else LibraryError)(_reason(said, code))
    summary: dict[str, Any] = done
    return summary


def _stop(process: subprocess.Popen[bytes], stdin: IO[bytes]) -> None:
    """Have the run end after its batch, by the byte that `indexer.supervised` waits for."""
    with suppress(OSError):  # it has just ended
        stdin.write(b".")
        stdin.flush()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _reason(said: str, code: int) -> str:
    """Why a run failed: the error that the indexer printed, or its last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if line.startswith("Error: ")), lines[-1] if lines else "")
    return last.removeprefix("Error: ") or f"The indexer ended with exit code {code} and said nothing."
