"""The Ray cluster of a run: one that is there, or one of this machine that ends with the run.

Ray is imported here and nowhere else. It reports nothing to anybody, writes no token into the home folder, and keeps
its logs in a temporary folder: see docs/decisions/encoding-on-ray.md.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexer.on_ray.errors import RayError
from indexer.options import OnRay
from sightline.humanize import count, size
from store.errors import LibraryError

log = logging.getLogger(__name__)

LOCAL: Final = "ray"
"""The address of a cluster of this machine, or of the one that RAY_ADDRESS names."""
CLIENT: Final = "ray://"

# Bytes for what workers send: some hundred pictures' thumbnails and vectors; Ray's least is 75 MB.
_OBJECTS: Final = 128 * 2**20
# What goes wrong is told by errors; a client's connection sets the level of the first one again.
_LOGGERS: Final = ("ray", "ray.client_builder", "ray.util.client")
# Of a cluster's sockets and logs: the process that started it, and letters that differ, follow. Paths of sockets may
# have 107 characters, and Ray puts 61 behind this folder.
_FOLDER: Final = "sightline-ray-"
_LONGEST: Final = 28
# Cores of a worker where nothing is said, at most: with a GPU for what decodes, without one for the model as well.
_WITH_GPU: Final = 16
_WITHOUT: Final = 4
# Bytes that a worker takes beside its weights, which are there up to three times while they are loaded.
_WORKER_BYTES: Final = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Share:
    """What each worker is given, and how many there are: cores, GPUs, bytes of memory."""

    workers: int
    cpus: int
    gpus: int
    memory: int

    def __str__(self) -> str:
        gpus = f", {count(self.gpus, 'GPU')}" if self.gpus else ""
        return f"{count(self.cpus, 'core')}{gpus} and {size(self.memory)} of memory"


class Cluster:
    """A cluster that this process is connected to.

    Attributes:
        ray: the module.
        name: of the cluster, for messages.
    """

    def __init__(self, on: OnRay) -> None:
        """Connect, or start one.

        Raises:
            LibraryError: Ray is not installed.
            RayError: no cluster can be reached or started.
        """
        self._folder: Path | None = None
        self.is_local = on.address == LOCAL and not os.environ.get("RAY_ADDRESS")
        self.name = "the cluster of this machine" if self.is_local else f"the cluster at {_said(on.address)}"
        _settle_environment(is_local=self.is_local)
        try:
            import ray
        except ImportError as error:
            raise LibraryError(
                'To encode on Ray, Ray is needed. Install it: pip install "sightline[cluster]"'
            ) from error
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        _keep_off_stdout()
        self.ray: Any = ray
        with _signals_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a client warns of what it raises next
            self._connect(on)

    def _connect(self, on: OnRay) -> None:
        quiet = {"log_to_driver": False, "configure_logging": False}
        try:
            if not self.is_local:
                address = None if on.address == LOCAL else on.address
                # A client's settings are those of its cluster.
                self.ray.init(address, **({} if on.address.startswith(CLIENT) else quiet))
                return
            self._start(quiet)
        except Exception as error:
            self.close()
            said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            if self.is_local:
                raise RayError(f"Ray can't be started on this machine: {said}. Run without --on.") from error
            raise RayError(
                f"{self.name[0].upper()}{self.name[1:]} does not answer, or lets nobody in: {said}. See that it runs, "
                "that its Ray and Python have the versions of this machine, and that RAY_AUTH_TOKEN is its token."
            ) from error

    def _start(self, quiet: dict[str, bool]) -> None:
        """Start a cluster of this machine; once more where the machine was too busy for the first."""
        for is_last in (False, True):
            self._folder = _short_folder()
            try:
                self.ray.init(
                    "local", num_cpus=os.cpu_count(), include_dashboard=False, object_store_memory=_OBJECTS,
                    _temp_dir=str(self._folder), **quiet,
                )  # fmt: skip
            except Exception as error:
                self.close()
                if is_last:
                    raise
                log.info("Ray is started once more: %s", error)
            else:
                return

    def share(self, on: OnRay, *, gpus: bool | None, weights: int) -> Share:
        """What each worker gets.

        Args:
            on: what was asked for.
            gpus: whether each needs a GPU; None: if there are any.
            weights: bytes of the models.

        Raises:
            RayError: the cluster has no room for them.
        """
        machines = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        if gpus is None:
            gpus = any(each.get("GPU", 0) >= 1 for each in machines)
        return fitted(on, machines, gpus=gpus, memory=_WORKER_BYTES + 3 * weights, name=self.name)

    def free(self) -> str:
        """What of the cluster is free now, in words."""
        with suppress(Exception):  # it may be gone by now
            free, total = self.ray.available_resources(), self.ray.cluster_resources()
            return ", ".join(
                f"{free.get(name, 0):g} of {total[name]:g} {name}s" for name in ("CPU", "GPU") if total.get(name)
            )
        return "it does not say what"

    def close(self) -> None:
        """Leave the cluster; end the one of this machine, and remove its logs."""
        with _signals_kept(), suppress(Exception):  # what of it is left ends with this process
            self.ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def fitted(
    on: OnRay, machines: Sequence[dict[str, float]], *, gpus: bool, memory: int, name: str
) -> Share:  # fmt: skip
    """What each worker gets on machines with so many `CPU`, `GPU`, bytes of `memory`: see `Cluster.share`."""
    usable = [each for each in machines if not gpus or each.get("GPU", 0) >= 1]
    cores = [int(each.get("CPU", 0)) for each in usable]
    if on.cpus is not None:
        cpus = on.cpus
    elif gpus and usable:
        cpus = min(_WITH_GPU, *(max(1, int(each.get("CPU", 0) // each["GPU"])) for each in usable), _WITH_GPU)
    else:
        cpus = max(1, min(_WITHOUT, max(cores, default=1)))
    share = Share(on.workers or 1, cpus, int(gpus), memory)
    room = sum(_room(each, share) for each in usable)
    if room >= share.workers:
        return Share(on.workers or room, cpus, int(gpus), memory)
    has = ", ".join(
        f"{sum(each.get(kind, 0) for each in machines):g} {word}" for kind, word in (("CPU", "cores"), ("GPU", "GPUs"))
    )
    held = size(int(sum(each.get("memory", 0) for each in machines)))
    wanted = f"{count(share.workers, 'worker')} of {share}"
    way_out = "Give each fewer cores with --on-cpus" if usable else "Say --device cpu"
    way_out = f"Say --on-workers {room}" if room else way_out
    raise RayError(
        f"There is no room for {wanted}: {name} has {has} and {held} of memory on {count(len(machines), 'machine')}, "
        f"which is room for {room}. {way_out}, or add machines."
    )


def _room(machine: dict[str, float], share: Share) -> int:
    """How many workers a machine has room for."""
    room = machine.get("CPU", 0) // share.cpus
    if share.gpus:
        room = min(room, machine.get("GPU", 0) // share.gpus)
    return int(min(room, machine.get("memory", 0) // share.memory))


def _said(address: str) -> str:
    return os.environ.get("RAY_ADDRESS", address) if address == LOCAL else address


def _settle_environment(*, is_local: bool) -> None:
    """What Ray reads when it is imported or started."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it would report once an hour
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # what is asked of a cluster that is gone would start another
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a worker without a GPU keeps what it has
    if is_local:
        # Else its servers listen on every address, also where ray.init is told to use 127.0.0.1.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 come on top of the run's own
        # Ray would make a token and leave it in ~/.ray. This one is known to this process and its children only.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        if os.environ["RAY_AUTH_MODE"] == "token" and "RAY_AUTH_TOKEN_PATH" not in os.environ:
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _short_folder() -> Path:
    """A temporary folder for sockets and logs, its path short enough for sockets; those of killed runs go."""
    parent = tempfile.gettempdir()
    if len(parent) > _LONGEST - len(_FOLDER) and sys.platform != "win32":
        parent = "/tmp"
    for path in Path(parent).glob(f"{_FOLDER}*-*"):
        process = path.name.removeprefix(_FOLDER).partition("-")[0]
        if process.isdecimal() and not _is_there(int(process)):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=parent))


def _is_there(process: int) -> bool:
    if sys.platform == "win32":  # to ask there would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's, or it can't be told
        return True
    return True


def _keep_off_stdout() -> None:
    """Keep JSON valid: Ray prints there that a worker died, also where it is told to print no logs."""
    worker = sys.modules.get("ray._private.worker")
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = _log_instead  # type: ignore[union-attr]


def _log_instead(data: Mapping[str, Any], *_: object, **__: object) -> None:
    for line in data.get("lines", ()):
        log.debug("Ray says: %s", line)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes over SIGTERM; within a run it asks for a stop after the batch."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
