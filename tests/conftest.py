"""Fixtures used throughout: a tiny model, a folder of pictures, a library, and the indexer as a user calls it."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

# Before anything imports huggingface_hub: no test may wait for a network.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Two suites, their servers and browsers share the cores: a run that steps aside for all of them takes minutes.
os.environ.setdefault("SIGHTLINE_NICE", "0")
# Servers take it, and what talks to them sends it (helpers/serving.py). Before any test makes an application.
os.environ["SIGHTLINE_TOKEN"] = "a-token-of-the-tests-alone"

import models
import object_store
import pytest
from hypothesis import settings
from support import DEMO, Index, Outcome

# Counts in the tests are those of `ci` (helpers/examples.py); `--hypothesis-profile=NAME` chooses another one.
settings.register_profile("dev", max_examples=25, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("nightly", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# Before any test imports it.
pytest.register_assert_rewrite("engine_conformance")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave nightly tests out where `-m` does not speak of them."""
    if "nightly" in config.option.markexpr:
        return
    left = [item for item in items if item.get_closest_marker("nightly")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What is remembered of models goes here, and not to the user's own cache; for child processes, too."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("SIGHTLINE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def decoders() -> Iterator[None]:
    """Keep the process that forks decoders from test to test, as a program does from run to run.

    It is kept while the environment is the same, in which pytest names each test.
    """
    from sightline.images import kept_server

    state = kept_server._state

    def without_name() -> tuple[object, ...]:
        facts = state()
        return tuple({**each, "PYTEST_CURRENT_TEST": ""} if isinstance(each, dict) else each for each in facts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_server, "_state", without_name)
        yield


@pytest.fixture(scope="session")
def tiny_space(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a space with a tiny untrained model: for what does not depend on meaning."""
    return models.clip_like(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def other_space(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another tiny space, of another width."""
    return models.clip_like(tmp_path_factory.mktemp("other"), seed=1, dim=48)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 24 demo pictures that a test may change."""
    folder = tmp_path / "photos"
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("*.json"))
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Where a test's library goes."""
    return tmp_path / "library"


@pytest.fixture
def index(library: Path, tiny_space: str, capfd: pytest.CaptureFixture[str]) -> Index:
    """Run the indexer as its command line does; the tiny space and the test's library unless told otherwise."""
    from indexer.commands import run

    def call(*arguments: str | Path, space: str | None = tiny_space) -> Outcome:
        given = [str(argument) for argument in arguments]
        if "--library" not in given:
            given += ["--library", str(library)]
        if space is not None:
            given += ["--space", space]
        capfd.readouterr()
        code = run([*given, "--json"])
        out, err = capfd.readouterr()
        lines = [line for line in out.splitlines() if line.startswith("{")]
        return Outcome(code, json.loads(lines[-1]) if lines else {}, out, err)

    return call


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 60 drawn `photos/`, one of them twice, and the `library/` of them. Not to be changed."""
    import sightline
    from indexer.demo.pictures import write_pictures

    folder = tmp_path_factory.mktemp("library")
    pictures = write_pictures(folder / "photos", 60, 0, (160, 120))
    shutil.copy(folder / "photos" / pictures[0].path, folder / "photos" / "copy.jpg")
    with sightline.Library(folder / "library") as library:
        summary = library.index([folder / "photos"], space="demo")
    assert (summary["added"], summary["duplicates"], summary["failed"]) == (60, 1, 0)
    return folder


@pytest.fixture
def public_tmp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that other users can reach, unlike pytest's own."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="sightline-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server for all tests of a run."""
    with object_store.server() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[object_store.Bucket]:
    """A bucket of its own, which programs find by the environment."""
    from store import objects

    environment = {**object_store.KEYS, "FSSPEC_S3_ENDPOINT_URL": s3_endpoint}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # fsspec reads the environment once, when it is imported.
    import fsspec.config

    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": s3_endpoint})
    made = object_store.Bucket(f"b{uuid.uuid4().hex[:12]}", object_store.client(s3_endpoint), environment)
    made.client.create_bucket(Bucket=made.name)
    yield made
    objects.forget()
