"""What is kept of a browser test that fails."""

from __future__ import annotations

import zipfile
from pathlib import Path

import browser
import pytest
from playwright.sync_api import Browser


@pytest.mark.browser
def test_a_browser_test_that_fails_leaves_a_screenshot_and_a_trace_that_can_be_shown(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "RESULTS", tmp_path / "results")
    with pytest.raises(AssertionError), browser.visiting(chromium, "data:") as page:
        page.goto("data:text/html,<h1>what was shown</h1>")
        page.locator("h1").click()
        raise AssertionError
    (folder,) = (tmp_path / "results").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["page-1.png", "trace-1.zip"]
    assert "test_a_browser_test_that_fails" in folder.name
    with zipfile.ZipFile(folder / "trace-1.zip") as archive:
        assert b"what was shown" in b"".join(map(archive.read, archive.namelist()))
    assert browser.VISITED == []
