"""Those who use a server of the page in a soak: programs, open pages, people who mark and download, and an indexer.

Each does one thing after another until the time is over, and tells what was answered and how long it took. Requests go
to the loopback only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

QUERIES = (
    "two red boats", "a lighthouse at night", "snow OR beach", "house -people", "sort:date", "width:>=100 sea",
    "folder:*2023*", "date:2020..2024 tree", "place:kyoto", "ext:jpg dedup:off",
)  # fmt: skip
PAGES = ("", "library", "duplicates", "map", "compare")
PATIENCE = 60.0
PAUSES = (
    ("search", 0.5), ("search", 0.5), ("page", 3.0), ("page", 3.0), ("look", 1.0), ("mark", 1.0), ("upload", 2.0),
    ("index", 5.0), ("export", 30.0),
)  # fmt: skip
"""Who comes, and the seconds that pass on average before they do the next thing."""


class Tally:
    """What was answered, by all visitors together, and how long searches took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.answers: Counter[tuple[str, str]] = Counter()
        self.took: dict[str, list[float]] = {}
        self.wrong: list[str] = []

    def add(self, kind: str, answer: str, seconds: float | None = None) -> None:
        """One answer: a status, or what went wrong in its place."""
        with self._lock:
            self.answers[kind, answer] += 1
            if seconds is not None:
                self.took.setdefault(kind, []).append(seconds)

    def complain(self, text: str) -> None:
        """What must not happen, in words."""
        with self._lock:
            self.wrong.append(text)


class Visitors:
    """Visitors of one server.

    Args:
        url: its address on the loopback.
        token: what lets a program in.
        photos: the folder that is indexed; the indexer's changes are made in it.
        library: the library of it.
        spare: pictures that the indexer adds, one after another.
    """

    def __init__(self, url: str, token: str, photos: Path, library: Path, spare: Path) -> None:
        if not url.startswith("http://127.0.0.1:"):
            raise ValueError(f"{url} is not on the loopback")
        self.url, self.token, self.photos, self.library = url, token, photos, library
        self._spare = sorted(spare.rglob("*.jpg"))
        self._example = self._spare[0].read_bytes()
        self.tally = Tally()
        self.over = threading.Event()

    def client(self) -> httpx.Client:
        """A client that the server lets in."""
        # Connections that the server may be closing are not used again.
        limits = httpx.Limits(keepalive_expiry=2)
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, timeout=PATIENCE, headers=headers, limits=limits)

    def start(self) -> list[threading.Thread]:
        """Let each visitor of `PAUSES` come, in a thread of its own, until `over` is set."""

        def go_on(number: int, name: str, pause: float) -> None:
            chance, act = Random(number), getattr(self, name)
            with self.client() as client:
                while not self.over.is_set():
                    try:
                        act(client, chance)
                    except (httpx.HTTPError, OSError, WebSocketException) as error:
                        self.tally.add(name, type(error).__name__)
                        self.tally.complain(f"{name}: {error!r}")
                    self.over.wait(min(chance.expovariate(1 / pause), 5 * pause))

        rows = [(place, *visitor) for place, visitor in enumerate(PAUSES)]
        threads = [threading.Thread(target=go_on, args=row, daemon=True) for row in rows]
        for thread in threads:
            thread.start()
        return threads

    def _ask(self, client: httpx.Client, kind: str, method: str, path: str, **given: Any) -> httpx.Response:
        begun = time.perf_counter()
        answer = client.request(method, path, **given)
        self.tally.add(kind, str(answer.status_code), time.perf_counter() - begun)
        if answer.status_code == 503 and "retry-after" in answer.headers:
            self.over.wait(min(float(answer.headers["retry-after"]), 5))
        elif answer.status_code >= 500:
            self.tally.complain(f"{method} {path.partition('?')[0]}: {answer.status_code} {answer.text[:200]}")
        return answer

    # -- what they do ------------------------------------------------------------------------------------------------

    def search(self, client: httpx.Client, chance: Random) -> None:
        """A search by text; now and then one by a picture of the library."""
        ids = f"like:{chance.randrange(1, 100)}"
        query = chance.choice(QUERIES) if chance.random() < 0.8 else ids
        self._ask(client, "search", "GET", "/api/v1/search", params={"q": query, "limit": 60})

    def upload(self, client: httpx.Client, chance: Random) -> None:
        """A picture from outside that is searched with, in both ways."""
        if chance.random() < 0.5:
            files = {"picture": ("a.jpg", self._example, "image/jpeg")}
            self._ask(client, "upload", "POST", "/api/v1/search", data={"q": "boat OR picture:1"}, files=files)
        else:
            self._ask(client, "upload", "POST", "/picture", content=self._example)

    def look(self, client: httpx.Client, chance: Random) -> None:
        """What a page loads for its pictures: thumbnails, a preview, the file itself."""
        answer = self._ask(client, "list", "GET", "/api/v1/search", params={"q": chance.choice(QUERIES), "limit": 20})
        hits = answer.json().get("hits", []) if answer.status_code == 200 else []
        for hit in hits[:12]:
            self._ask(client, "thumbnail", "GET", f"/api/v1/photos/{hit['id']}/thumbnail")
        for hit in hits[:1]:
            about = self._ask(client, "photo", "GET", f"/api/v1/photos/{hit['id']}")
            if about.status_code == 200:
                self._ask(client, "preview", "GET", f"/preview/{about.json()['hash']}.jpg")
            self._ask(client, "original", "GET", f"/original/{hit['id']}")

    def mark(self, client: httpx.Client, chance: Random) -> None:
        """Tags, favourites and saved searches, set and taken back."""
        id_ = chance.randrange(1, 100)
        change = {chance.choice(["add", "remove"]): [chance.choice(["sea", "holiday", "work"])]}
        self._ask(client, "mark", "POST", f"/api/v1/photos/{id_}/tags", json=change)
        self._ask(client, "mark", chance.choice(["PUT", "DELETE"]), f"/api/v1/photos/{id_}/favourite")
        name = f"/api/v1/searches/search {chance.randrange(20)}"
        if chance.random() < 0.5:
            self._ask(client, "mark", "PUT", name, json={"q": chance.choice(QUERIES)})
        else:
            self._ask(client, "mark", "DELETE", name)

    def page(self, client: httpx.Client, chance: Random) -> None:
        """A page as a browser opens it: the document, then a session on the socket until its script has finished."""
        self._ask(client, "document", "GET", "/")
        begun = time.perf_counter()
        headers = {"Authorization": f"Bearer {self.token}"}
        address = f"{self.url.replace('http', 'ws', 1)}/_stcore/stream"
        with connect(
            address, origin=self.url, subprotocols=["streamlit"], additional_headers=headers, max_size=None,  # type: ignore[list-item, arg-type]
            open_timeout=PATIENCE, proxy=None,
        ) as socket:  # fmt: skip
            for _ in range(2):
                asked = BackMsg()
                asked.rerun_script.query_string = f"q={chance.choice(QUERIES)}"
                asked.rerun_script.page_name = chance.choice(PAGES)
                socket.send(asked.SerializeToString())
                while True:
                    said = ForwardMsg.FromString(socket.recv(timeout=PATIENCE))  # type: ignore[arg-type]
                    if said.WhichOneof("type") == "script_finished":
                        break
                    if said.delta.new_element.WhichOneof("type") == "exception":
                        self.tally.complain(f"the page shows an exception: {said.delta.new_element.exception.message}")
                self.tally.add("page", "drawn", time.perf_counter() - begun)
                begun = time.perf_counter()

    def export(self, client: httpx.Client, chance: Random) -> None:
        """Files copied to a folder by the command line, which is then removed."""
        target = self.library.parent / "exported"
        command = ["export", chance.choice(QUERIES[:4]), "--limit", "20", "--to", str(target)]
        self._command("export", "search_ui", *command)
        shutil.rmtree(target, ignore_errors=True)

    def index(self, client: httpx.Client, chance: Random) -> None:
        """A run of the indexer after files came, changed and went; gone ones are forgotten."""
        own = sorted((self.photos / "soak").glob("*.jpg"))
        (self.photos / "soak").mkdir(exist_ok=True)
        for path in chance.sample(own, min(len(own), 12)):
            path.unlink()
        for number in range(12):
            # The last bytes, after the picture's end, make it another file.
            data = chance.choice(self._spare).read_bytes() + chance.randbytes(8)
            (self.photos / "soak" / f"{chance.randrange(40)}-{number}.jpg").write_bytes(data)
        self._command("index", "indexer", "index", str(self.photos), "--prune", "--prune-emptied", "--yes", "--quiet")

    def _command(self, kind: str, module: str, *words: str) -> None:
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", module, *words, "--library", str(self.library)],
            capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
        self.tally.add(kind, f"exit {done.returncode}", time.perf_counter() - begun)
        if done.returncode:
            self.tally.complain(f"{module} {words[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
