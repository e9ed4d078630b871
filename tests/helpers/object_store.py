"""An S3 server on loopback for tests, in a process of its own: moto's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_PROGRAM: Final = """
import sys, logging
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("listens at", *server.get_host_and_port(), flush=True)
sys.stdin.read()
"""
KEYS: Final = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "s3cret-of-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True)
class Bucket:
    """An empty bucket of its own for a test.

    Attributes:
        name: of the bucket.
        client: a boto3 client.
        environment: by which s3fs finds the server.
    """

    name: str
    client: Any
    environment: Mapping[str, str]

    @property
    def address(self) -> str:
        """Of the folder `photos` in it."""
        return f"s3://{self.name}/photos"

    def put(self, key: str, data: bytes) -> None:
        """Put an object below `photos`."""
        self.client.put_object(Bucket=self.name, Key=f"photos/{key}", Body=data)

    def put_folder(self, folder: Path) -> None:
        """Put all files of a folder below `photos`."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(path.relative_to(folder).as_posix(), path.read_bytes())

    def move(self, key: str, to: str) -> None:
        """Give an object another key."""
        self.client.copy_object(Bucket=self.name, Key=f"photos/{to}", CopySource=f"{self.name}/photos/{key}")
        self.remove(key)

    def remove(self, key: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=self.name, Key=f"photos/{key}")

    def keys(self, prefix: str = "") -> list[str]:
        """All keys of the bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]


@contextmanager
def server() -> Iterator[str]:
    """Start a server; its endpoint."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, **KEYS},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = next(line for line in process.stdout if line.startswith("listens at"))
        found = re.fullmatch(r"listens at (\S+) (\d+)\n", said)
        assert found is not None
        yield f"http://{found[1]}:{found[2]}"
    finally:
        process.kill()
        process.wait()


def client(endpoint: str) -> Any:
    """A client for a server."""
    import boto3

    return boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"], region_name=KEYS["AWS_DEFAULT_REGION"],
    )  # fmt: skip
