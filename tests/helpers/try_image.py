"""Run the container's recipe without an engine: build each stage in a root of its own, and both programs in it.

    sudo python tests/helpers/try_image.py [--work FOLDER] [--lend PATH ...]

Reads docker/Dockerfile, .dockerignore and docker/compose.yaml rather than repeating them. Needs root on Linux, and
debootstrap, unshare, nsenter, setpriv, ip. A minimal Debian with Python stands in for the `python:...-slim` image. Each
program runs in namespaces of its own, without a network, as the user and with the limits that both files say.

DEBIAN_MIRROR says where debootstrap finds packages. PIP_* of the environment reach pip in the build; `--lend` shows it
a file or folder of this machine (certificates, wheels), read-only. `--work` keeps the roots: what is built of the same
files is not built again.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from dockerfile import Stage, assigned, command, let_through, stages
from support import ROOT

SUITE = "bookworm"  # Debian 12, with the Python 3.11 that the recipe asks for
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}


class Image:
    """A stage that is being built: its root and what its steps said."""

    def __init__(self, root: Path, said: dict[str, Any]) -> None:
        self.root = root
        self.environment: dict[str, str] = dict(said.get("environment", {}))
        self.user: str = said.get("user", "root")
        self.folder: str = said.get("folder", "/")
        self.command: list[str] = said.get("command", [])
        self.health: list[str] = said.get("health", [])

    def said(self) -> dict[str, Any]:
        """What a stage made from this one begins with."""
        return {name: value for name, value in vars(self).items() if name != "root"}

    def ids(self) -> tuple[int, int]:
        """The user's and the group's number, as the root's own table of users says."""
        for line in (self.root / "etc" / "passwd").read_text().splitlines():
            name, _, user, group, *_ = line.split(":")
            if name == self.user:
                return int(user), int(group)
        raise SystemExit(f"the image has no user {self.user}")


def run(*words: str | Path) -> None:
    """Run a command of this machine, aloud; end where it fails."""
    print("+", shlex.join(map(str, words))[:200], flush=True)
    subprocess.run([str(word) for word in words], check=True)


def base(work: Path, name: str) -> Path:
    """A minimal Debian with Python in the place of an official image of Python."""
    asked = re.fullmatch(r"python:(3\.\d+)-slim", name)
    if not asked:
        raise SystemExit(f"no stand-in for the image {name} is known here")
    root = work / "base"
    if not (work / "base.done").exists():
        shutil.rmtree(root, ignore_errors=True)
        mirror = os.environ.get("DEBIAN_MIRROR")
        packages = "--include=python3-venv,ca-certificates"
        run("debootstrap", "--variant=minbase", packages, SUITE, root, *([mirror] if mirror else []))
        version = subprocess.check_output(["chroot", root, "python3", "--version"], text=True)
        if not version.startswith(f"Python {asked[1]}."):
            raise SystemExit(f"{SUITE} has {version.strip()}, and the recipe asks for {name}")
        (root / "usr" / "local" / "bin" / "python").symlink_to("/usr/bin/python3")
        (work / "base.done").touch()
    return root


def build(stage: Stage, made: dict[str, Image], work: Path, lent: list[Path]) -> Image:
    """Do the steps of a stage, one by one."""
    parent = made.get(stage.base)
    root = work / (stage.name or "unnamed")
    from_ = parent.root if parent else base(work, stage.base)
    image = Image(root, parent.said() if parent else {"environment": {"PATH": PATH}})
    files = let_through(ROOT, (ROOT / ".dockerignore").read_text(encoding="utf-8"))
    facts = [(str(path), (ROOT / path).stat().st_size, (ROOT / path).stat().st_mtime_ns) for path in files]
    made_of, mark = repr((stage, facts)), work / f"{stage.name}.done"
    done = mark.exists() and mark.read_text() == made_of
    print(f"\nFROM {stage.base} AS {stage.name}" + (": built before" if done else ""), flush=True)
    if not done:
        mark.unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)
        # Files by links: pip and adduser replace a file, they do not write into it.
        run("cp", "--archive", *(["--link"] if parent else []), from_, root)
    for kind, words in stage.steps:
        if kind == "ENV":
            image.environment |= assigned(words, image.environment)
        elif kind == "USER":
            image.user = words
        elif kind == "WORKDIR":
            image.folder = words
            (root / words.strip("/")).mkdir(parents=True, exist_ok=True)
        elif kind == "CMD":
            image.command = command(words)
        elif kind == "HEALTHCHECK":
            image.health = command(words)
        elif not done and kind == "COPY":
            copied(words, image, made)
        elif not done and kind == "RUN":
            print("RUN", words, flush=True)
            inside(image, ["/bin/sh", "-c", words], lent)
    mark.write_text(made_of)
    return image


def copied(words: str, image: Image, made: dict[str, Image]) -> None:
    """One `COPY`, from the build context or from another stage."""
    print("COPY", words, flush=True)
    *sources, target = words.split()
    goal = image.root / (target if target.startswith("/") else f"{image.folder}/{target}").lstrip("/")
    if sources[0].startswith("--from="):
        origin, source = made[sources[0].removeprefix("--from=")], sources[1]
        goal.parent.mkdir(parents=True, exist_ok=True)
        run("cp", "--archive", "--link", "--no-target-directory", origin.root / source.lstrip("/"), goal)
        return
    files = let_through(ROOT, (ROOT / ".dockerignore").read_text(encoding="utf-8"))
    for source in sources:
        own = [path for path in files if path.is_relative_to(source)]
        if not own:
            raise SystemExit(f"COPY {source}: .dockerignore lets nothing of it through")
        for path in own:
            rest = path.relative_to(source) if (ROOT / source).is_dir() else path.name
            into = goal / rest
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, into)


def inside(image: Image, words: list[str], lent: list[Path]) -> None:
    """A step of the build: with the network, as the stage's user."""
    mounts = ["mount --rbind /proc $0/proc", "mount --rbind /dev $0/dev"]
    for path in [Path("/etc/resolv.conf"), Path("/etc/hosts"), *lent]:
        goal = image.root / str(path).lstrip("/")
        (goal if path.is_dir() else goal.parent).mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            goal.touch()
        mounts.append(f"mount --rbind -o ro {shlex.quote(str(path))} {shlex.quote(str(goal))}")
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    script = "; ".join(["set -e", *mounts, 'exec chroot "$0" "$@"'])
    done = ["unshare", "--mount", "sh", "-c", script, str(image.root), *_as(image, pip | image.environment, root=True)]
    subprocess.run([*done, *words], check=True)


def _as(image: Image, environment: dict[str, str], *, root: bool = False, limits: bool = False) -> list[str]:
    """The words before a command that give it its user, its limits, folder and environment."""
    user, group = (0, 0) if root and image.user == "root" else image.ids()
    words = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    if limits:
        words += ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    pairs = [f"{name}={value}" for name, value in environment.items()]
    return [
        *words,
        "env",
        "--ignore-environment",
        f"--chdir={image.folder}",
        "HOME=" + ("/root" if user == 0 else "/home/" + image.user),
        *pairs,
    ]


class Container:
    """A service of compose.yaml in namespaces of its own, without a network; a context.

    Args:
        given: folders of this machine by the name that compose.yaml mounts them under.
        words: what to run in the place of the service's or the image's command.
    """

    def __init__(
        self, image: Image, service: dict[str, Any], given: dict[str, Path], words: list[str] | None = None
    ) -> None:
        if service["cap_drop"] != ["ALL"] or service["security_opt"] != ["no-new-privileges:true"]:
            raise SystemExit("compose.yaml has other limits than are made here")
        self._image = image
        root = shlex.quote(str(image.root))
        steps = ["set -e", "ip link set lo up", f"mount --bind {root} {root}", f"cd {root}"]
        steps += [
            "mount -t proc proc proc",
            "mount -t tmpfs tmpfs dev",
            "mkdir dev/shm",
            "mount -t tmpfs tmpfs dev/shm",
        ]
        steps += [f"mknod -m 666 dev/{name} c {major} {minor}" for name, (major, minor) in DEVICES.items()]
        for line in service["tmpfs"]:
            place, _, options = line.partition(":")
            steps.append(f"mount -t tmpfs {'-o ' + options if options else ''} tmpfs .{place}")
        for line in service["volumes"]:
            name, place, *mode = re.sub(r"^\$\{(\w+)[^}]*\}", r"\1", line).split(":")
            steps.append(f"mount --bind {shlex.quote(str(given[name]))} .{place}")
            if mode == ["ro"]:
                steps.append(f"mount -o remount,bind,ro .{place}")
        if service["read_only"]:
            steps.append(f"mount -o remount,bind,ro {root}")
        environment = image.environment | service.get("environment", {})
        self._words = _as(image, environment, limits=True)
        command = words or service.get("command") or image.command
        script = "; ".join([*steps, 'exec chroot . "$@"'])
        spaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
        self.process = subprocess.Popen(
            ["unshare", *spaces, "sh", "-c", script, "sh", *self._words, *command], stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def execute(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command in the same namespaces, as `docker exec` and health checks run."""
        enter = ["nsenter", f"--target={self.first()}", "--mount", "--pid", "--net", "--ipc", "--uts", "--root"]
        return subprocess.run([*enter, *self._words, *words], capture_output=True, text=True)

    def first(self) -> int:
        """The number that the container's first process has outside, once it is in its root."""
        for _ in range(200):
            if self.process.poll() is not None:
                raise SystemExit(f"the container has ended with {self.process.returncode}")
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if children and Path(f"/proc/{children[0]}/root").readlink() == self._image.root:
                return int(children[0])
            time.sleep(0.05)
        raise SystemExit("the container does not begin")


def output(image: Image, service: dict[str, Any], given: dict[str, Path], *words: str) -> str:
    """What a command prints that ends well in a container."""
    print("+", *(word if "\n" not in word else "..." for word in words), flush=True)
    with Container(image, service, given, list(words)) as container:
        text, _ = container.process.communicate()
    if container.process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {container.process.returncode}")
    return text


LOOK = """
import os, pathlib
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
assert os.getuid() != 0 and int(status["CapEff"], 16) == 0 and status["NoNewPrivs"].strip() == "1", status
for place in ("/photos", "/opt/sightline", "/etc", "/"):
    try:
        pathlib.Path(place, "x").touch()
    except OSError:
        continue
    raise SystemExit(f"{place} may be written")
for place in ("/library", "/models", "/tmp", "/home/sightline"):
    pathlib.Path(place, "x").touch()
    pathlib.Path(place, "x").unlink()
"""

ASK = """
import json, os, urllib.request
token = os.environ.get("SIGHTLINE_TOKEN", "")
def get(path):
    request = urllib.request.Request("http://127.0.0.1:8501" + path, headers={"Authorization": "Bearer " + token})
    return urllib.request.urlopen(request, timeout=120).read()
hits = json.loads(get("/api/v1/search?q=boat"))["hits"]
assert hits and b"<html" in get("/").lower() and get(f"/api/v1/photos/{hits[0]['id']}/thumbnail")[:2] == b"\\xff\\xd8"
print(len(hits))
"""


def programs(image: Image, services: dict[str, Any], kind: str, scratch: Path) -> None:
    """Run both programs of a target, as compose.yaml says, on drawn pictures."""
    suffix = "" if kind == "cpu" else "-gpu"
    given = {name: scratch / kind / name for name in ("PHOTOS", "library", "models")}
    for name, folder in given.items():
        folder.mkdir(parents=True)
        if name != "PHOTOS":
            os.chown(folder, *image.ids())  # as an engine makes a volume: as the folder is in the image
    run(sys.executable, "-m", "indexer.demo", given["PHOTOS"], "--count", "24")
    index, page = services[f"index{suffix}"], services[f"page{suffix}"]
    output(image, index, given, "python", "-c", LOOK)
    output(image, index, given, *index["command"], "--space", "demo", "--quiet")
    found = output(image, index, given, "sightline", "query", "a boat", "--json")
    print(f"  {len(found.splitlines())} hits")
    page = page | {"environment": {"SIGHTLINE_TOKEN": "tried-" + "0" * 40}}
    print("+", *image.command, flush=True)
    with Container(image, page, given) as container:
        begun = time.monotonic()
        while (health := container.execute(*image.health)).returncode:
            if time.monotonic() - begun > 60 or container.process.poll() is not None:
                raise SystemExit(f"the health check fails: {health.stderr}")
            time.sleep(0.5)
        print(f"  healthy after {time.monotonic() - begun:.1f} s", flush=True)
        asked = container.execute("python", "-c", ASK)
        if asked.returncode:
            raise SystemExit(f"the page does not answer: {asked.stderr}")
        begun = time.monotonic()
        os.kill(container.first(), 15)  # as `docker stop`
        code = container.process.wait(timeout=10)
        print(f"  stopped with {code} after {time.monotonic() - begun:.1f} s", flush=True)


def main() -> None:
    """Build and run; raise where something fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--lend", type=Path, action="append", default=[])
    options = parser.parse_args()
    tools = ("debootstrap", "unshare", "nsenter", "setpriv", "ip", "mount", "chroot")
    missing = [name for name in tools if not shutil.which(name)]
    if platform.system() != "Linux" or os.geteuid() != 0 or missing:
        raise SystemExit(f"This needs root on Linux, and {', '.join(missing or tools)}.")
    os.umask(0o022)
    recipe = stages((ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8"))
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    with tempfile.TemporaryDirectory(prefix="sightline-image-") as name:
        work = (options.work or Path(name) / "roots").resolve()
        work.mkdir(parents=True, exist_ok=True)
        made: dict[str, Image] = {}
        for stage in recipe:
            made[stage.name] = build(stage, made, work, options.lend)
        targets = sorted({service["build"]["target"] for service in services.values()})
        for kind in targets:
            print(f"\nThe target {kind}", flush=True)
            programs(made[kind], services, kind, Path(name))
    print(f"\nThe recipe builds, and {' and '.join(targets)} run")


if __name__ == "__main__":
    main()
