"""Qdrant as a server, over HTTP."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from store.arrays import Doubles, Floats, Ids
from store.errors import LibraryError, VectorServiceError
from store.qdrant.adapter import INDEXES, META_POINT, UPSERTED, Filter, Payload, Point, Search
from store.remote import without_password

try:
    import httpx
    from qdrant_client import QdrantClient, models
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
except ImportError as error:
    raise LibraryError(
        "This library keeps its vectors in Qdrant, and what speaks to it is not installed. "
        'Install it: pip install "sightline[cluster]"'
    ) from error

_Result = TypeVar("_Result")

KEY: Final = "SIGHTLINE_QDRANT_API_KEY"
"""The environment variable with the server's API key."""

TIMEOUT_S: Final = 60
"""How long one request may take, seconds: exact scores of a large collection take a while."""

# How a collection is spread over the nodes of a cluster, by environment: the number of shards can't be changed later.
_SPREAD: Final = {
    "shard_number": "SIGHTLINE_QDRANT_SHARDS", "replication_factor": "SIGHTLINE_QDRANT_REPLICAS",
    "write_consistency_factor": "SIGHTLINE_QDRANT_WRITE_CONSISTENCY",
}  # fmt: skip
# Graphs are made of segments that are larger, kB, as in `edge`.
_INDEXING_KB: Final = 300_000


class ServerAdapter:
    """A collection of a server; see `Adapter`."""

    def __init__(self, address: str, collection: str) -> None:
        """Nothing is asked of the server yet.

        Args:
            address: http://host:6333, or https.
            collection: its name.
        """
        self._address = str(without_password(address))
        self._collection = collection
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a key over HTTP: docs/cluster.md says when that is right
            self._client = QdrantClient(
                url=address, api_key=os.environ.get(KEY) or None, timeout=TIMEOUT_S, check_compatibility=False
            )

    def _ask(self, call: Callable[..., _Result], **given: Any) -> _Result:
        """What a method of the client returns for this collection.

        Raises:
            VectorServiceError: see `Adapter`.
        """
        try:
            return call(collection_name=self._collection, **given)
        except UnexpectedResponse as error:
            raise self._refused(error) from error
        except (ResponseHandlingException, httpx.HTTPError, OSError) as error:
            source = getattr(error, "source", error)
            if isinstance(source, httpx.TimeoutException):
                raise VectorServiceError(
                    f"Qdrant at {self._address} did not answer in {TIMEOUT_S} seconds. It may be busy: try again; or "
                    "give it more memory or nodes."
                ) from error
            raise VectorServiceError(
                f"Qdrant at {self._address} can't be reached ({source}). Start it, or name another with --vectors; "
                "--vectors local needs none."
            ) from error

    def _refused(self, error: UnexpectedResponse) -> VectorServiceError:
        if error.status_code in (401, 403):
            return VectorServiceError(
                f"Qdrant at {self._address} refuses the key in {KEY}, or wants one. Set it to a key that may write."
            )
        said = error.content.decode("utf-8", "replace")[:300]
        return VectorServiceError(
            f"Qdrant at {self._address} refused a request for the collection {self._collection} with "
            f"{error.status_code}: {said} Its log says more."
        )

    def names(self) -> Mapping[str, int] | None:
        """See `Adapter.names`."""
        if not self._ask(self._client.collection_exists):
            return None
        vectors = self._ask(self._client.get_collection).config.params.vectors
        return {name: params.size for name, params in (vectors if isinstance(vectors, dict) else {}).items()}

    def create(self, names: Mapping[str, int], facts: Mapping[str, str]) -> None:
        """See `Adapter.create`."""
        self._ask(self._client.delete_collection)
        spread = {option: int(os.environ[name]) for option, name in _SPREAD.items() if os.environ.get(name)}
        # Else a search right after a change might be answered by a replica that has not seen it yet.
        spread.setdefault("write_consistency_factor", spread.get("replication_factor", 1))
        self._ask(
            self._client.create_collection,
            vectors_config={name: _params(dim) for name, dim in names.items()},
            on_disk_payload=True,
            optimizers_config=models.OptimizersConfigDiff(indexing_threshold=_INDEXING_KB),
            **spread,
        )
        for key, kind in {**INDEXES, **facts}.items():
            schema = (
                models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, prefix=True)
                if key == "photos[].name"
                else models.PayloadSchemaType(kind)
            )
            self._ask(self._client.create_payload_index, field_name=key, field_schema=schema, wait=True)

    def add_name(self, name: str, dim: int) -> None:
        """See `Adapter.add_name`."""
        config = models.DenseVectorNameConfig(
            dense=models.DenseVectorConfig(
                size=dim, distance=models.Distance.DOT, datatype=models.VectorStorageDatatype.FLOAT16
            )
        )
        self._ask(self._client.create_vector_name, vector_name=name, vector_name_config=config, wait=True)

    def remove_name(self, name: str) -> None:
        """See `Adapter.remove_name`."""
        self._ask(self._client.delete_vector_name, vector_name=name, wait=True)

    def upsert(self, points: Sequence[Point]) -> None:
        """See `Adapter.upsert`."""
        for start in range(0, len(points), UPSERTED):
            some = [
                models.PointStruct(
                    id=point.id, payload=point.payload,
                    vector={name: vector.astype(np.float32).tolist() for name, vector in point.vectors.items()},
                )
                for point in points[start : start + UPSERTED]
            ]  # fmt: skip
            self._ask(self._client.upsert, points=some, wait=True)

    def delete(self, ids: Sequence[int]) -> None:
        """See `Adapter.delete`."""
        if ids:
            self._ask(self._client.delete, points_selector=models.PointIdsList(points=list(ids)), wait=True)

    def overwrite(self, ids: Sequence[int], payload: Payload) -> None:
        """See `Adapter.overwrite`."""
        self._ask(self._client.overwrite_payload, payload=payload, points=list(ids), wait=True)

    def set_meta(self, meta: Payload) -> None:
        """See `Adapter.set_meta`."""
        self._ask(self._client.upsert, points=[models.PointStruct(id=META_POINT, vector={}, payload=meta)], wait=True)

    def meta(self) -> Payload | None:
        """See `Adapter.meta`."""
        found = self._ask(self._client.retrieve, ids=[META_POINT], with_payload=True, with_vectors=False)
        return dict(found[0].payload or {}) if found else None

    def count(self, filter_: Filter | None) -> int:
        """See `Adapter.count`."""
        return self._ask(self._client.count, count_filter=_filter(filter_), exact=True).count

    def search(self, search: Search) -> list[tuple[Ids, Floats]]:
        """See `Adapter.search`."""
        params = models.SearchParams(exact=search.ef is None, hnsw_ef=search.ef)
        filter_ = _filter(search.filter)
        requests = [
            models.QueryRequest(
                query=query, using=search.name, filter=filter_, limit=search.limit, score_threshold=search.floor,
                params=params, with_payload=False, with_vector=False,
            )
            for query in search.queries.tolist()
        ]  # fmt: skip
        found = self._ask(self._client.query_batch_points, requests=requests)
        return [
            (
                np.fromiter((point.id for point in each.points), np.int64, len(each.points)),
                np.fromiter((point.score for point in each.points), np.float32, len(each.points)),
            )
            for each in found
        ]

    def retrieve(self, ids: Sequence[int], name: str) -> tuple[Ids, Floats, Doubles]:
        """See `Adapter.retrieve`."""
        found = self._ask(self._client.retrieve, ids=list(ids), with_payload=["gone"], with_vectors=[name])
        kept = [record for record in found if name in _vectors(record.vector)]
        vectors = np.array([_vectors(record.vector)[name] for record in kept], np.float32)
        gone = np.array([(record.payload or {}).get("gone", np.nan) for record in kept], np.float64)
        return np.array([record.id for record in kept], np.int64), vectors, gone

    def scroll(self, filter_: Filter | None, *, payload: bool, vectors: bool, page: int) -> Iterator[list[Point]]:
        """See `Adapter.scroll`."""
        offset: Any = META_POINT + 1
        wanted = _filter(filter_)
        while offset is not None:
            records, offset = self._ask(
                self._client.scroll, scroll_filter=wanted, limit=page, offset=offset, with_payload=payload,
                with_vectors=vectors,
            )  # fmt: skip
            yield [
                Point(
                    int(record.id),
                    {name: np.array(own, np.float16) for name, own in _vectors(record.vector).items()},
                    dict(record.payload or {}),
                )
                for record in records
            ]

    def flush(self) -> None:
        """See `Adapter.flush`: what a server acknowledged is on its disk."""

    def optimize(self) -> None:
        """See `Adapter.optimize`: a server does so by itself."""

    def disk_bytes(self) -> int:
        """See `Adapter.disk_bytes`."""
        return 0

    def close(self) -> None:
        """See `Adapter.close`."""
        self._client.close()


def _params(dim: int) -> models.VectorParams:
    # Rows are unit vectors as they are: Cosine would make them so once more, and change their last bits.
    return models.VectorParams(size=dim, distance=models.Distance.DOT, datatype=models.Datatype.FLOAT16, on_disk=True)


def _filter(filter_: Filter | None) -> models.Filter | None:
    return None if filter_ is None else models.Filter.model_validate(filter_)


def _vectors(vectors: Any) -> Mapping[str, Any]:
    return vectors if isinstance(vectors, dict) else {}
