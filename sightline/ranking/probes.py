"""The probes of a library's concepts: made where one is asked for, kept in the library's folder.

A probe is derived, as an index is. It carries what it was made from: which pictures teach the concept, their vectors,
and the size of the library. Where any of these changed, it is made again.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sightline.lru import Lru
from sightline.query.types import Query, QueryError, Taught
from sightline.ranking.calibration import TermCalibration, duplicate_threshold
from sightline.ranking.probe import BACKGROUND, MIN_OTHERS, Probe, Scores, learn
from sightline.ranking.text_vector_cache import PROBE_SUFFIX
from store.arrays import Floats, Ids
from store.checked_files import read_checked, write_checked
from store.library import Library
from store.tables.catalog import SpaceState
from store.tables.concepts import MIN_EXAMPLES, Concept
from store.tables.filters import casefolded

MAX_CACHED: Final = 64
_MOST_BYTES: Final = 1_000_000
_NUMBER: Final = np.dtype("<f4")
# Rises with every change of how a probe is made.
_VERSION: Final = 1
_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Learnt:
    """A concept and its probe in a space.

    Attributes:
        concept: as a person taught it.
        examples: content ids of those examples that have a vector in the space, int64 (n,).
        counter_examples: likewise, int64 (m,).
        probe: made from them.
    """

    concept: Concept
    examples: Ids
    counter_examples: Ids
    probe: Probe


class Probes:
    """The probes of one library, in any of its spaces. Safe for use from several threads."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._cache: Lru[tuple[str, str], tuple[str, Probe]] = Lru(MAX_CACHED)

    def get(self, name: str, space: SpaceState) -> Learnt:
        """What a concept is in a space, learnt now where it is not known.

        Raises:
            QueryError: there is no such concept, or too few pictures that the model has seen teach it.
        """
        concept = self._library.concepts.find(name)
        if concept is None:
            raise self._unknown(name)
        seen = _Seen.of(self._library, concept, space)
        probe = self._kept(seen, concept, space)
        if probe is None:
            probe = self._learn(seen, concept, space)
            self._cache.put((space.key, concept.key), (seen.basis, probe))
            if not self._library.readonly:
                path = self._path(space, concept.key)
                write_checked(path, _to_bytes(seen.basis, probe), path.name.encode())
        return Learnt(concept, seen.examples, seen.counter_examples, probe)

    def learn_all(self, query: Query, space: SpaceState) -> None:
        """Learn the concepts that a query asks for, where they are not known; errors as for `get`."""
        for term in query.terms:
            if isinstance(term.subject, Taught):
                self.get(term.subject.name, space)

    def kept(self, concept: Concept, space: SpaceState) -> Probe | None:
        """The probe of a concept, where it was learnt in this space and is still right."""
        return self._kept(_Seen.of(self._library, concept, space), concept, space)

    def drop(self, name: str) -> None:
        """Remove what was learnt of a concept that was forgotten."""
        key = casefolded(name)
        self._cache.drop(lambda known: known[1] == key)
        if not self._library.readonly:
            for space in self._library.catalog.spaces():
                self._path(space, key).unlink(missing_ok=True)

    def _kept(self, seen: _Seen, concept: Concept, space: SpaceState) -> Probe | None:
        basis, probe = self._cache.get((space.key, concept.key)) or ("", None)
        if probe is not None and basis == seen.basis:
            return probe
        path = self._path(space, concept.key)
        data = read_checked(path, path.name.encode(), _MOST_BYTES)
        probe = None if data is None else _from_bytes(data, seen.basis)
        if probe is not None:
            self._cache.put((space.key, concept.key), (seen.basis, probe))
        return probe

    def _learn(self, seen: _Seen, concept: Concept, space: SpaceState) -> Probe:
        if len(seen.examples) < MIN_EXAMPLES:
            raise QueryError(
                f"Of the examples of the concept {concept.name!r} the model {space.name!r} has seen "
                f"{len(seen.examples)}; it takes {MIN_EXAMPLES}. Index their folders, or add some: python -m search_ui "
                f"teach {concept.name} --like ID"
            )
        engine = self._library.vectors.get(space.id)
        given = np.array([*concept.examples, *concept.counter_examples], np.int64)
        absent = self._library.catalog.absent_contents()
        background = engine.sample(BACKGROUND, without=np.concatenate([given, absent]))[1]
        examples, others = engine.vectors_of(seen.examples), engine.vectors_of(seen.counter_examples)
        alike = duplicate_threshold(np.concatenate([background, examples]))
        # A copy of an example is no "probably not".
        background = background[(background @ examples.T).max(axis=1, initial=-1) < alike]
        if len(others) + len(background) < MIN_OTHERS:
            raise QueryError(
                f"The concept {concept.name!r} can't be told from other pictures: the model {space.name!r} has seen "
                f"{len(others) + len(background)} others, and it takes {MIN_OTHERS}. Index more pictures."
            )
        return learn(examples, others, background, alike)

    def _unknown(self, name: str) -> QueryError:
        known = {each.key: each.name for each in self._library.concepts.all()}
        near = difflib.get_close_matches(casefolded(name)[:80], known, 3)
        if near:
            hint = f"Did you mean {' or '.join(f'concept:{known[key]}' for key in near)}?"
        elif known:
            more = ", ..." if len(known) > _NAMED else ""
            hint = f"There are {', '.join(list(known.values())[:_NAMED])}{more}."
        else:
            hint = "None was taught yet: python -m search_ui teach NAME --like ID,ID,ID"
        suggestion = f"concept:{known[near[0]]}" if near else None
        return QueryError(f"There is no concept {name[:80]!r}. {hint}", suggestion=suggestion)

    def _path(self, space: SpaceState, key: str) -> Path:
        digest = hashlib.sha256(f"{space.key}\n{key}".encode()).hexdigest()
        return self._library.path / "vectors" / f"{digest[:32]}{PROBE_SUFFIX}"


@dataclass(frozen=True, slots=True)
class _Seen:
    """The pictures that teach a concept and have a vector, and a hash of all that its probe is made of."""

    examples: Ids
    counter_examples: Ids
    basis: str

    @classmethod
    def of(cls, library: Library, concept: Concept, space: SpaceState) -> _Seen:
        engine = library.vectors.get(space.id)
        # The background is another one when the library has doubled; else what is added changes nothing.
        digest = hashlib.sha256(f"{_VERSION} {space.key} {len(engine).bit_length()}".encode())
        sides: list[Ids] = []
        for given in (concept.examples, concept.counter_examples):
            ids = engine.held(np.array(given, np.int64))
            vectors = engine.vectors_of(ids)
            whole = vectors.any(axis=1)  # a damaged one is all zeros
            sides.append(ids[whole])
            digest.update(ids[whole].tobytes() + vectors[whole].tobytes() + b"|")
        return cls(sides[0], sides[1], digest.hexdigest())


def _to_bytes(basis: str, probe: Probe) -> bytes:
    head = {"basis": basis, "line": asdict(probe.line), "scores": asdict(probe.scores)}
    return json.dumps(head).encode() + b"\n" + probe.direction.astype(_NUMBER).tobytes()


def _from_bytes(data: bytes, basis: str) -> Probe | None:
    """The probe that was made from this; None where it was made from something else."""
    head, _, numbers = data.partition(b"\n")
    told = json.loads(head)
    if told["basis"] != basis:
        return None
    direction: Floats = np.frombuffer(numbers, _NUMBER).astype(np.float32)
    return Probe(direction, TermCalibration(**told["line"]), Scores(**told["scores"]))
