"""Audit the pins of constraints.txt for known vulnerabilities, and the packages' code for risky calls.

    python tests/helpers/audit.py pins [--report FILE]
    python tests/helpers/audit.py code

`pins` runs pip-audit, or judges a report in its JSON that was made elsewhere. pip-audit ends with 0 and says "No known
vulnerabilities found" when it could look up nothing; here a pin without an answer is a failure, and so is one that the
report leaves out. `code` runs bandit over the packages. What it finds has to stand in audit.toml, with a reason, and
what stands there has to be found.

0 nothing was found, 1 something was, 2 not audited.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("store", "sightline", "sightline_cli", "indexer", "search_ui")
SERVICES: Final = ("pypi", "osv")
"""Databases that are asked in this order, until one knows about every pin."""

SECONDS: Final = 900


class NotAudited(Exception):
    """No verdict can be given; the message says why."""


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """Versions by the names of packages, of a file of pins.

    A local version (`2.15.0+cpu`) is one that no database knows: the release that it was made from is looked up.

    Raises:
        NotAudited: a line that is no pin, or no pin at all.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].strip()
        if not words:
            continue
        pin = re.fullmatch(r"([A-Za-z0-9_.-]+)==([^\s;+]+)(\+[^\s;]+)?", words)
        if not pin:
            raise NotAudited(f"{words!r} is not a pin")
        found[normal(pin[1])] = pin[2]
    if not found:
        raise NotAudited("there is no pin")
    return found


def vulnerable(report: Mapping[str, Any], wanted: Mapping[str, str]) -> list[str]:
    """A line for each known vulnerability of the pins, from a report of pip-audit in JSON.

    Raises:
        NotAudited: a pin is not in the report, was skipped, or is there in another version.
    """
    answered: dict[str, str] = {}
    lines, reasons = [], []
    try:
        for package in report["dependencies"]:
            name = normal(package["name"])
            if "skip_reason" in package:
                reasons.append(str(package["skip_reason"]))
                continue
            answered[name] = package["version"]
            for found in package["vulns"]:
                also = f" ({', '.join(found['aliases'])})" if found.get("aliases") else ""
                fixed = f"mended in {', '.join(found.get('fix_versions') or ['no release yet'])}"
                lines.append(f"{name} {package['version']}: {found['id']}{also}, {fixed}")
    except (KeyError, TypeError) as error:
        raise NotAudited(f"the report is not one of pip-audit: {error!r}") from error
    missing = sorted(f"{name}=={version}" for name, version in wanted.items() if answered.get(name) != version)
    if missing:
        shown = f"{', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}"
        why = f" ({reasons[0]})" if reasons else ""
        raise NotAudited(f"{len(missing)} of {len(wanted)} pins could not be looked up: {shown}{why}")
    return lines


def asked(wanted: Mapping[str, str]) -> list[str]:
    """What a database knows about the pins: a line for each vulnerability.

    Raises:
        NotAudited: no database could be asked about every pin.
    """
    said = []
    for service in SERVICES:
        with tempfile.TemporaryDirectory() as folder:
            file, out = Path(folder) / "pins.txt", Path(folder) / "report.json"
            file.write_text("".join(f"{name}=={version}\n" for name, version in wanted.items()), encoding="utf-8")
            options: list[str | Path] = ["--requirement", file, "--no-deps", "--disable-pip"]
            options += [
                "--vulnerability-service",
                service,
                "--progress-spinner",
                "off",
                "--format",
                "json",
                "--output",
                out,
            ]
            command = [sys.executable, "-m", "pip_audit", *options]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
                # 1 is for vulnerabilities as well as for a database that can't be reached: then there is no report.
                report = json.loads(out.read_text(encoding="utf-8"))
                return vulnerable(report, wanted)
            except subprocess.TimeoutExpired:
                said.append(f"{service}: no answer within {SECONDS} s")
            except (OSError, json.JSONDecodeError):
                last = done.stderr.strip().splitlines()[-1:] or [f"pip-audit ended with {done.returncode}"]
                said.append(f"{service}: {last[0][:200]}")
            except NotAudited as error:
                said.append(f"{service}: {error}")
    raise NotAudited("; ".join(said))


def unexplained(results: list[Mapping[str, Any]], accepted: list[Mapping[str, Any]]) -> list[str]:
    """A line for each place where bandit's results and the accepted ones are not the same.

    Args:
        results: `results` of bandit's report in JSON.
        accepted: tables of audit.toml: `test`, `reason`, and `files` with the number of times in each.
    """
    expected: Counter[tuple[str, str]] = Counter()
    lines = []
    for group in accepted:
        if len(str(group.get("reason", ""))) < 20:
            lines.append(f"audit.toml: {group.get('test')} has no reason")
        expected.update({(group["test"], name): count for name, count in group["files"].items()})
    seen = Counter((result["test_id"], str(result["filename"]).removeprefix("./")) for result in results)
    for test, name in sorted(seen.keys() | expected.keys()):
        if seen[test, name] == expected[test, name]:
            continue
        lines.append(f"{name}: {test} {seen[test, name]} times, and audit.toml explains {expected[test, name]}")
        lines += [
            f"  {name}:{result['line_number']}: {result['issue_text']}"
            for result in results
            if (result["test_id"], str(result["filename"]).removeprefix("./")) == (test, name)
        ]
    return lines


def code() -> list[str]:
    """What bandit finds in the packages and audit.toml does not explain."""
    # Exceptions stand in audit.toml, with their reasons, and not in the code.
    options = ["--quiet", "--ignore-nosec", "--format", "json", "--recursive", *PACKAGES]
    command = [sys.executable, "-m", "bandit", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise NotAudited(f"bandit ended with {done.returncode}: {done.stderr.strip()[-200:]}") from error
    if report["errors"]:
        raise NotAudited(f"bandit could not read {report['errors'][0]}")
    accepted = tomllib.loads((Path(__file__).parent / "audit.toml").read_text(encoding="utf-8"))["accepted"]
    return unexplained(report["results"], accepted)


def main() -> None:
    """Audit, print and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["pins", "code"])
    parser.add_argument("--report", type=Path, help="judge this report of pip-audit and ask nobody")
    options = parser.parse_args()
    try:
        if options.what == "code":
            lines, clean = code(), "bandit finds nothing that audit.toml does not explain"
        else:
            wanted = pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
            clean = f"{len(wanted)} pins were looked up, and have no known vulnerability"
            if options.report:
                try:
                    report = json.loads(options.report.read_text(encoding="utf-8"))
                except ValueError as error:
                    raise NotAudited(f"{options.report.name} is not JSON") from error
                lines = vulnerable(report, wanted)
            else:
                lines = asked(wanted)
    except NotAudited as error:
        print(f"not audited: {error}", file=sys.stderr)
        sys.exit(2)
    print("\n".join(lines) or clean)
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
