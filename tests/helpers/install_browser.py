"""Find a Chromium for the page's tests, or install one where this user may.

Order: one that is on the path; Debian's or Ubuntu's package (as root); Playwright's own build. Without any, the tests
that need it are skipped and say so, except in CI, where they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def has_playwright_build() -> bool:
    """Whether Playwright's own Chromium is there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


def main() -> None:
    """Install a browser unless there is one."""
    if any(shutil.which(name) for name in NAMES) or has_playwright_build():
        return
    print("Installing Chromium for the tests of the page")
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]):
            if subprocess.run(command, env=environment, check=False, **quiet).returncode:  # type: ignore[call-overload]
                break
        else:
            return
    if subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False).returncode:
        print("No Chromium could be installed; install one by hand for the tests of the page.", file=sys.stderr)


if __name__ == "__main__":
    main()
