"""Every architecture of the table gives the vectors that its own library gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from zoo_check import check_vectors, name_of
from zoo_table import ARCHITECTURES, Architecture

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES if not a.everyday], ids=name_of)
def test_vectors_are_those_of_the_models_own_library(architecture: Architecture, tmp_path: Path) -> None:
    check_vectors(architecture, tmp_path)
