"""Write the bill of materials of a wheel, in CycloneDX: `python tests/helpers/sbom.py WHEEL OUT`.

What the wheel needs, as it is installed in the environment that runs this (by the pins of constraints.txt): names,
versions, licences, and who needs whom. What only an extra for users needs is optional; what only tests, checks and
documents need is left out. cyclonedx-py describes the packages. Who needs whom is found here: it also draws what extras
that nobody asked for would need.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[2]
EXTRAS: Final = ("raw", "jxl", "gpu-jpeg", "compiled")
"""Extras that users install."""


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(name: str, extras: Iterable[str] = ()) -> dict[str, set[str]]:
    """The names of all packages that `name` with `extras` needs here, each with those that it needs itself.

    Raises:
        SystemExit: one of them is not installed.
    """
    edges: dict[str, set[str]] = {}
    waiting = [(normal(name), frozenset(extras))]
    seen = set(waiting)
    while waiting:
        own, asked = waiting.pop()
        edges.setdefault(own, set())
        try:
            lines = distribution(own).requires or []
        except PackageNotFoundError as error:
            raise SystemExit(f"{own} is needed and not installed") from error
        for requirement in map(Requirement, lines):
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in ("", *asked)):
                continue
            other = (normal(requirement.name), frozenset(requirement.extras))
            edges[own].add(other[0])
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return edges


def bill(wheel: Path) -> dict[str, Any]:
    """The bill of a wheel of the project, as CycloneDX has it in JSON."""
    options: list[str | Path] = ["--pyproject", ROOT / "pyproject.toml", "--output-reproducible"]
    options += ["--output-format", "JSON"]
    command = [sys.executable, "-m", "cyclonedx_py", "environment", *options, "--output-file", "-", sys.executable]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    made: dict[str, Any] = json.loads(done.stdout)
    required, all_ = needed("sightline"), needed("sightline", EXTRAS)
    own = made["metadata"]["component"]
    own["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}]
    own["purl"] = f"pkg:pypi/{own['name']}@{own['version']}"
    references = {normal(part["name"]): part["bom-ref"] for part in made["components"]} | {"sightline": own["bom-ref"]}
    made["components"] = [part for part in made["components"] if normal(part["name"]) in all_.keys() - {"sightline"}]
    for part in made["components"]:
        part["scope"] = "required" if normal(part["name"]) in required else "optional"
        # Where a file lay on the machine that built this is nobody's business.
        links = part.get("externalReferences", [])
        part["externalReferences"] = [link for link in links if not link["url"].startswith("file:")]
    made["dependencies"] = [
        {"ref": references[name], "dependsOn": sorted(references[other] for other in others)}
        for name, others in sorted(all_.items())
    ]
    return made


def write(wheel: Path, target: Path) -> None:
    """Write the bill of a wheel, once the schema of CycloneDX has nothing against it."""
    text = json.dumps(bill(wheel), indent=2, ensure_ascii=False) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"the bill of materials is not as CycloneDX asks: {error}")
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
