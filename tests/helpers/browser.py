"""A browser for tests: what it visits, what is kept when a test fails, what axe-core finds."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from support import ROOT

RESULTS = ROOT / "test-results"
VISITED: list[Page] = []
FADING = 400  # ms that what fades in or out takes at most; meanwhile its colours are neither of the two


def chromium() -> str | None:
    """The browser to drive: playwright's own or the system's; skips where there is none, except in CI."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if Path(own).exists():
        return own
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    if os.environ.get("CI"):
        pytest.fail("there is no Chromium, and in CI the page must be tested: python -m playwright install chromium")
    pytest.skip("there is no Chromium: python -m playwright install chromium")


@contextmanager
def visiting(chromium: Browser, url: str, **options: Any) -> Iterator[Page]:
    """A page of a visitor of their own; afterwards nothing may have been asked of other servers, and no script failed.

    Nor may anything have been against the content security policy.

    Args:
        chromium: the browser.
        url: the server's address.
        options: of `Browser.new_context`.
    """
    context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, "base_url": url, **options})
    # Pictures of every change would cost a tenth of the time; a screenshot of the end is kept beside the trace.
    context.tracing.start(snapshots=True)
    let_in(context, url)
    page = context.new_page()
    VISITED.append(page)
    page.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    asked: list[str] = []
    said: list[str] = []

    def dismissed(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", dismissed)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda entry: said.append(entry.text) if "Content Security Policy" in entry.text else None)
    try:
        yield page
    except BaseException:
        keep_evidence()
        raise
    finally:
        VISITED.remove(page)
        context.close()
    ours = (url, url.replace("http", "ws"), "data:", "blob:")
    foreign = [address for address in asked if not address.startswith(ours)]
    assert not foreign, "private means that nothing is asked of other servers"
    assert not said, said


def let_in(context: BrowserContext, url: str) -> None:
    """Give a visitor the cookie, as the address that the server prints does."""
    if url.startswith("http"):
        context.request.get(f"{url}/?token={os.environ['SIGHTLINE_TOKEN']}", max_redirects=0)


def keep_evidence() -> None:
    """Write a screenshot and a trace of every page that is visited to a folder of the running test in test-results/.

    `python -m playwright show-trace FILE` shows a trace. The second call for a page finds nothing more to write.
    """
    test = os.environ.get("PYTEST_CURRENT_TEST", "a test").split(" (")[0].split("/")[-1]
    folder = RESULTS / re.sub(r"[^\w.-]+", "-", test)[:150].strip("-")
    for number, page in enumerate(VISITED, 1):
        # A page that hangs or a browser that ended must not hide why the test failed.
        with suppress(PlaywrightError):
            page.context.tracing.stop(path=folder / f"trace-{number}.zip")
            page.screenshot(path=folder / f"page-{number}.png", timeout=5_000)


def box(page: Page) -> Locator:
    """The box for the query."""
    return page.get_by_role("textbox", name="Search", exact=True)


def search(page: Page, text: str) -> None:
    """Type a query and send it."""
    box(page).fill(text)
    box(page).press("Enter")


def slowed(page: Page, times: int = 6) -> None:
    """Make the browser's processor slower: six times is an old telephone's."""
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": times})


# Whether anything fades or moves, in components, too; what turns for ever, such as a spinner, is left out.
MOVES = """() => {
  const roots = [document]
  for (const root of roots) {
    for (const each of root.querySelectorAll("*")) if (each.shadowRoot) roots.push(each.shadowRoot)
  }
  const ends = (each) => each.playState === "running" && each.effect.getComputedTiming().endTime !== Infinity
  return roots.some((root) => root.getAnimations().some(ends))
}"""


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page, serious or worse: a line for each, with the first place."""
    from axe_playwright_python.sync_playwright import Axe

    # What a run has not drawn yet fades meanwhile, and is then too pale to be read: it is about to go.
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    page.wait_for_timeout(FADING)
    for _ in range(100):
        if not page.evaluate(MOVES):
            break
        page.wait_for_timeout(100)
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']} at {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
