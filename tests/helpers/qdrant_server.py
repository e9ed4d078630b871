"""A stand-in for a Qdrant server: what Sightline uses of its REST interface, over Qdrant's engine in a process.

It is no Qdrant: one node, no limits, no consistency, and only as much of each answer as `qdrant_client` wants. What it
is for: the client's own requests are answered by the engine itself, in another process, which can be killed.

    python tests/helpers/qdrant_server.py FOLDER PORT
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as edge
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from store.qdrant.adapter import META_POINT, Point, Search
from store.qdrant.edge import EdgeAdapter
from store.qdrant.edge_filters import edge_filter

_HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
_OPTIMIZERS = {"default_segment_number": 1, "flush_interval_sec": 5}


class Collections:
    """The collections in a folder, each a shard."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, EdgeAdapter] = {}

    def get(self, name: str) -> EdgeAdapter:
        if name not in self._open:
            self._open[name] = EdgeAdapter.open(self._folder / name)
        return self._open[name]

    def create(self, collection: EdgeAdapter, asked: Any) -> Any:
        collection.create({name: params["size"] for name, params in asked["vectors"].items()}, {})
        return True

    def delete(self, collection: EdgeAdapter, asked: Any) -> Any:
        there = collection.names() is not None
        collection.remove()
        return there

    def info(self, collection: EdgeAdapter, asked: Any) -> Any:
        names = collection.names() or {}
        vectors = {name: {"size": dim, "distance": "Dot"} for name, dim in names.items()}
        config = {"params": {"vectors": vectors}, "hnsw_config": _HNSW, "optimizer_config": _OPTIMIZERS}
        return {
            "status": "green",
            "optimizer_status": "ok",
            "segments_count": 1,
            "config": config,
            "payload_schema": {},
        }

    def exists(self, collection: EdgeAdapter, asked: Any) -> Any:
        return {"exists": collection.names() is not None}

    def index(self, collection: EdgeAdapter, asked: Any) -> Any:
        schema = asked["field_schema"]
        collection.add_index(asked["field_name"], schema if isinstance(schema, str) else schema["type"])
        return _DONE

    def add_name(self, collection: EdgeAdapter, asked: Any) -> Any:
        collection.add_name(asked["name"], asked["dense"]["size"])
        return _DONE

    def upsert(self, collection: EdgeAdapter, asked: Any) -> Any:
        for each in asked["points"]:
            if each["id"] == META_POINT:
                collection.set_meta(each["payload"])
        collection.upsert(
            [
                Point(
                    each["id"],
                    {name: np.array(vector, np.float16) for name, vector in each["vector"].items()},
                    each["payload"],
                )
                for each in asked["points"]
                if each["id"] != META_POINT
            ]
        )
        return _DONE

    def delete_points(self, collection: EdgeAdapter, asked: Any) -> Any:
        collection.delete(asked["points"])
        return _DONE

    def overwrite(self, collection: EdgeAdapter, asked: Any) -> Any:
        collection.overwrite(asked["points"], asked["payload"])
        return _DONE

    def count(self, collection: EdgeAdapter, asked: Any) -> Any:
        return {"count": collection.count(asked.get("filter"))}

    def query(self, collection: EdgeAdapter, asked: Any) -> Any:
        answers = []
        for each in asked["searches"]:
            params, query = each["params"], np.array([each["query"]["nearest"]], np.float32)
            ef = None if params["exact"] else params["hnsw_ef"]
            search = Search(each["using"], query, each.get("filter"), each["limit"], each.get("score_threshold"), ef)
            ((ids, scores),) = collection.search(search)
            points = zip(ids.tolist(), scores.tolist(), strict=True)
            answers.append({"points": [{"id": id_, "version": 0, "score": score} for id_, score in points]})
        return answers

    def retrieve(self, collection: EdgeAdapter, asked: Any) -> Any:
        found = collection.shard.retrieve(asked["ids"], asked["with_payload"], asked["with_vector"])
        return [_record(record) for record in found]

    def scroll(self, collection: EdgeAdapter, asked: Any) -> Any:
        records, following = collection.shard.scroll(
            edge.ScrollRequest(
                offset=asked.get("offset"), limit=asked["limit"], filter=edge_filter(asked.get("filter")),
                with_payload=asked["with_payload"], with_vector=asked["with_vector"],
            )
        )  # fmt: skip
        return {"points": [_record(record) for record in records], "next_page_offset": following}


_DONE = {"operation_id": 0, "status": "completed"}


def _record(record: Any) -> dict[str, Any]:
    return {"id": record.id, "payload": record.payload, "vector": record.vector}


def application(folder: Path, key: str | None) -> Starlette:
    collections = Collections(folder)

    def route(method: str, path: str, answer: Callable[[EdgeAdapter, Any], Any]) -> Route:
        async def endpoint(request: Request) -> JSONResponse:
            if key is not None and request.headers.get("api-key") != key:
                return JSONResponse({"status": {"error": "forbidden"}}, 403)
            body = await request.body()
            asked = {**(json.loads(body) if body else {}), **request.path_params}
            try:
                result = answer(collections.get(request.path_params["collection"]), asked)
            except Exception as error:  # noqa: BLE001 - as a server: it goes on
                return JSONResponse({"status": {"error": str(error)}, "time": 0.0}, 500)
            return JSONResponse({"result": result, "status": "ok", "time": 0.0})

        return Route("/collections/{collection}" + path, endpoint, methods=[method])

    return Starlette(
        routes=[
            route("GET", "/exists", collections.exists), route("GET", "", collections.info),
            route("PUT", "", collections.create), route("DELETE", "", collections.delete),
            route("PUT", "/index", collections.index), route("PUT", "/vectors/{name}", collections.add_name),
            route("PUT", "/points", collections.upsert), route("POST", "/points/delete", collections.delete_points),
            route("PUT", "/points/payload", collections.overwrite),
            route("POST", "/points/count", collections.count), route("POST", "/points/query/batch", collections.query),
            route("POST", "/points", collections.retrieve), route("POST", "/points/scroll", collections.scroll),
        ]
    )  # fmt: skip


class Server:
    """A process of it on a port of this machine; `kill` and `start` as often as wanted."""

    def __init__(self, folder: Path, key: str | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._folder, self._key = folder, key
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        if self._key is not None:
            environment["STAND_IN_KEY"] = self._key
        self._process = subprocess.Popen([sys.executable, __file__, str(self._folder), str(self.port)], env=environment)
        for _ in range(600):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the stand-in for Qdrant did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


if __name__ == "__main__":
    uvicorn.run(
        application(Path(sys.argv[1]), os.environ.get("STAND_IN_KEY")), host="127.0.0.1", port=int(sys.argv[2]),
        log_level="warning",
    )  # fmt: skip
