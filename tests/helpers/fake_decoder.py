"""A decoder that does what its file says: it stands in for decoders with faults, which no test has files for."""

from __future__ import annotations

from pathlib import Path

MODULE = """
import os, signal, time

def probe(data):
    told = bytes(data[2:]).split()[0].decode()
    if told == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif told == "exit":
        os._exit(7)
    elif told == "sleep":
        time.sleep(3600)
    elif told == "spin":
        while True:
            pass
    elif told == "memory":
        held = []
        while True:
            held.append(bytearray(2 ** 26))
    return {"width": 8, "height": 8, "color_channels": 3, "has_alpha": False}

class JXL:
    def __init__(self, threads):
        pass
"""


def install(folder: Path) -> Path:
    """Write the decoder to a folder, as the one of JPEG XL: for PYTHONPATH."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pylibjxl.py").write_text(MODULE)
    return folder


def write(path: Path, told: str, also: str = "") -> Path:
    """A file that has the decoder do something; `also`: more bytes of it."""
    path.write_bytes(b"\xff\x0a" + f"{told} {also}".encode())
    return path
