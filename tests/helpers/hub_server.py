"""A hub on this computer that huggingface_hub downloads from: the few addresses of its interface that matter."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

# Repository, then commit: a folder. The main branch is at the last one.
Published = dict[str, dict[str, Path]]


@contextmanager
def serving(published: Published, *, seconds: float = 0.0) -> Iterator[tuple[str, list[str]]]:
    """Serve repositories; gives the address, and a list that fills with the paths asked for.

    A megabyte takes `seconds`.
    """
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _answer(self, *, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            asked.append(path)
            parts = path.strip("/").split("/")
            try:
                if parts[:2] == ["api", "models"]:
                    self._told(_interface(published, parts[2:]))
                else:
                    name, commit, file = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
                    self._file((published[name][_commit(published[name], commit)] / file), commit, body=body)
            except (LookupError, OSError) as error:
                self.send_response(404)
                known = error.args[:1] == ("RevisionNotFound",)
                self.send_header("X-Error-Code", "RevisionNotFound" if known else "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def _told(self, answer: Any) -> None:
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _file(self, file: Path, commit: str, *, body: bool) -> None:
            content = file.read_bytes()
            self.send_response(200)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for start in range(0, len(content) if body else 0, 1_000_000):
                self.wfile.write(content[start : start + 1_000_000])
                time.sleep(seconds)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def _commit(commits: dict[str, Path], revision: str) -> str:
    commit = list(commits)[-1] if revision == "main" else revision
    if commit not in commits:
        raise LookupError("RevisionNotFound")
    return commit


def _interface(published: Published, parts: list[str]) -> Any:
    name, what, revision = "/".join(parts[:2]), *(parts[2:4] or ["revision", "main"])
    commit = _commit(published[name], revision)
    folder = published[name][commit]
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    names = [file.relative_to(folder).as_posix() for file in files]
    if what == "tree":
        return [
            {"type": "file", "path": path, "size": file.stat().st_size, "oid": hashlib.sha1(path.encode()).hexdigest()}
            for path, file in zip(names, files, strict=True)
        ]
    siblings = [{"rfilename": path, "size": file.stat().st_size} for path, file in zip(names, files, strict=True)]
    return {"id": name, "sha": commit, "siblings": siblings, "private": False}
