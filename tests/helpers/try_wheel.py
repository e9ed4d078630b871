"""Build the sdist and the wheel, install the wheel into an environment of its own, and run it in another folder.

What was tried goes to dist/, with the bill of materials of the wheel beside it.

python tests/helpers/try_wheel.py [--full]

Without `--full` the new environment reads the dependencies of the environment that runs this, which saves downloading
6 GB; the product itself comes from the wheel alone. With it, pip installs the dependencies as well.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import sbom
from serving import free_port
from support import ROOT

PACKAGES = ("store", "sightline", "sightline_cli", "indexer", "search_ui")


def build(folder: Path) -> Path:
    """Build the sdist, and the wheel from it; the path of the wheel."""
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


def left_out(wheel: Path) -> list[str]:
    """Files of the packages that the wheel does not hold: data that pyproject.toml forgets."""
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    here = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    names = (path.relative_to(ROOT).as_posix() for path in here if "__pycache__" not in path.parts)
    return sorted(name for name in names if name not in inside and not name.endswith("/README.md"))


def installed(wheel: Path, folder: Path, environment: dict[str, str], *, full: bool) -> Path:
    """The folder of the commands of a new environment with the wheel."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    pip: list[str | Path] = [commands / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *([] if full else ["--no-deps"]), wheel], check=True, env=environment)
    if not full:
        asked: list[str | Path] = [commands / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        site = subprocess.run(asked, check=True, capture_output=True, text=True, env=environment).stdout.strip()
        # What a .pth names is read after the environment's own, and .pth files in it are not: no editable install.
        (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return commands


def answers(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the page's server answers."""
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"the page's server ended with {process.returncode}")
        try:
            with urlopen(f"{url}/healthz", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise SystemExit("the page's server did not answer within a minute")


def main() -> None:
    """Build, install and run; raise where something is missing."""
    with tempfile.TemporaryDirectory(prefix="sightline-wheel-") as name:
        scratch = Path(name).resolve()
        wheel = build(scratch / "dist")
        if missing := left_out(wheel):
            raise SystemExit(f"{wheel.name} lacks {', '.join(missing)}; add them to [tool.setuptools.package-data]")
        elsewhere = scratch / "elsewhere"
        elsewhere.mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "SIGHTLINE_"))}
        kept |= {
            "SIGHTLINE_CACHE": str(scratch / "cache"),
            "XDG_STATE_HOME": str(scratch / "state"),
            "HF_HUB_OFFLINE": "1",
        }
        commands = installed(wheel, scratch / "environment", kept, full="--full" in sys.argv)

        def run(*command: str) -> str:
            print("+", *command, flush=True)
            program = commands / command[0]
            done = subprocess.run([program, *command[1:]], cwd=elsewhere, env=kept, text=True, stdout=subprocess.PIPE)
            if done.returncode:
                raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
            return done.stdout

        code = f"import {', '.join(PACKAGES)}; print(*({'.__file__, '.join(PACKAGES)}.__file__), sep='\\n')"
        for place in run("python", "-c", code).splitlines():
            if not Path(place).resolve().is_relative_to(scratch):
                raise SystemExit(f"{place} is not of the wheel")
        run("sightline", "index", "--help")
        run("sightline", "--help")
        run("python", "-m", "indexer.demo", "photos", "--count", "24")
        run("sightline", "index", "photos", "--library", "library", "--space", "demo", "--quiet")
        found = run("sightline", "query", "a boat", "--library", "library", "--json")
        if not found.strip():
            raise SystemExit("a query found nothing in 24 demo pictures")
        port = free_port()
        page = ["--library", "library", "--port", str(port), "--no-browser", "--offline"]
        print("+ sightline", *page, flush=True)
        with subprocess.Popen([commands / "sightline", *page], cwd=elsewhere, env=kept) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                answers(url, process)
                name, value = run("sightline", "address", "--library", "library", "--header").strip().split(": ")

                def asked(address: str) -> bytes:
                    answer: bytes = urlopen(Request(address, headers={name: value}), timeout=120).read()
                    return answer

                if not json.loads(asked(f"{url}/api/v1/search?q=boat"))["hits"] or b"<html" not in asked(url):
                    raise SystemExit("the page or its JSON interface shows nothing")
            finally:
                process.terminate()
        dist = ROOT / "dist"
        dist.mkdir(exist_ok=True)
        for built in wheel.parent.iterdir():
            shutil.copy(built, dist)
        sbom.write(wheel, dist / f"{wheel.stem}.cdx.json")
        print(f"{wheel.name} is complete, and runs")


if __name__ == "__main__":
    main()
