"""A model is tried before a library gets a space of it."""

from __future__ import annotations

from pathlib import Path

import models
import pytest
import torch
from model_files import rewrite, timm_folder
from support import Index

import sightline
from sightline.models.resolve import resolve
from store.library import Library
from store.remote import DATABASE
from store.tables.writer import Writer


@pytest.mark.parametrize("architecture", ["mobilenetv3_small_050", "ghostnet_050"])
def test_a_network_wider_than_its_configuration_says_is_indexed(
    photos: Path, index: Index, library: Path, tmp_path: Path, architecture: str
) -> None:
    space = timm_folder(tmp_path / "model", architecture)
    with Library.create(library) as opened:  # as a run left it that ended with the first vector
        Writer(opened.catalog.engine).add_space(resolve(space).identity())
    first = index(photos, space=space)
    assert (first.code, first.encoded, first.failed) == (0, 24, 0)
    with Library.open(library) as opened:
        (state,) = opened.catalog.spaces()
        assert (state.dim, state.count) == (1280 if "ghost" in architecture else 1024, 24)
    assert index(photos, space=None).encoded == 0
    with sightline.Library(library) as opened_again:
        assert len(opened_again.similar(1, limit=3)) == 3


def test_a_model_of_no_use_is_refused_before_a_file_is_read_and_leaves_no_library(
    photos: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    space = models.clip_like(tmp_path / "model")
    rewrite(tmp_path / "model", lambda state: {**state, "token_embedding.weight": torch.zeros(49408, 32) / 0})
    outcome = index(photos, space=space)
    assert outcome.code == 2
    assert "not finite" in outcome.err
    assert str(tmp_path / "model") in outcome.err
    assert not (library / DATABASE).exists()
    assert index(photos, space=models.clip_like(tmp_path / "sound")).code == 0
    assert index(photos, space=space).code == 2
    with Library.open(library) as opened:
        assert [state.name for state in opened.catalog.spaces()] == ["sound"]
