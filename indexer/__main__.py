"""`python -m indexer ./photos`, installed as `sightline index ./photos`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None, program: str = "python -m indexer") -> NoReturn:
    """Run the command line of `program` and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--offline" in given:
        # huggingface_hub reads its settings once, when it is first imported.
        os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # OpenMP's threads spin at every barrier; with decoding threads on the same cores they spin away what those need (a
    # small model then runs at a third of its speed, any model at a tenth on a machine that is busy otherwise).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # numpy's algebra is a few small products here; threads for it would be a tenth of the time that `status` takes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if hasattr(os, "nice"):
        # Long work, beside which people go on: a search on the same cores comes first. Alone it is as fast as ever.
        with contextlib.suppress(ValueError, OverflowError, OSError):  # what can not be had is left alone
            os.nice(int(os.environ.get("SIGHTLINE_NICE", "10")))
    from indexer.commands import run
    from store.handles import raise_limit

    raise_limit()

    sys.exit(run(given, program))


if __name__ == "__main__":
    main()
