"""Print the lowest versions that pyproject.toml names as constraints for pip: tests/helpers/lowest.py [EXTRA ...]."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def lowest(*extras: str) -> list[str]:
    """A line `name==version` for each requirement of the product and of these extras that applies to this machine.

    Raises:
        ValueError: a requirement names no lowest version.
    """
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    lines: dict[str, str] = {}
    for each in map(Requirement, wanted):
        if each.marker is not None and not each.marker.evaluate():
            continue
        versions = [clause.version for clause in each.specifier if clause.operator == ">="]
        if not versions:
            raise ValueError(f"pyproject.toml names no lowest version of {each.name}; write {each.name}>=VERSION")
        lines[each.name] = f"{each.name}=={versions[0]}"
    return sorted(lines.values(), key=str.lower)


if __name__ == "__main__":
    print("\n".join(lowest(*sys.argv[1:])))
