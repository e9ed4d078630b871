"""Ten very different architectures give the vectors of their own library; the nightly tests try all."""

from __future__ import annotations

from pathlib import Path

import pytest
from zoo_check import check_vectors, name_of
from zoo_table import ARCHITECTURES, Architecture


@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES if a.everyday], ids=name_of)
def test_vectors_are_those_of_the_models_own_library(architecture: Architecture, tmp_path: Path) -> None:
    check_vectors(architecture, tmp_path)
