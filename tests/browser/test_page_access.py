"""The token in a real browser: how one gets in, what stays when the server is started again, what pages may load."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import browser
import pytest
import serving
from browser import search
from playwright.sync_api import Browser, expect

TOKEN = os.environ["SIGHTLINE_TOKEN"]


def test_the_printed_address_lets_a_browser_in_and_is_not_left_in_it(chromium: Browser, url: str) -> None:
    context = chromium.new_context(base_url=url)
    page = context.new_page()
    asked: list[dict[str, str]] = []
    page.on("request", lambda request: asked.append(request.headers))
    page.goto(f"/library?token={TOKEN}")
    expect(page.get_by_text("checked").first).to_be_visible()
    assert page.url == f"{url}/library"
    assert page.evaluate("document.cookie.includes('sightline')") is False
    assert not [headers for headers in asked if TOKEN in headers.get("referer", "")]
    page.go_back()
    assert TOKEN not in page.url
    context.close()


def test_who_is_not_let_in_can_give_the_token(chromium: Browser, url: str) -> None:
    context = chromium.new_context(base_url=url)
    page = context.new_page()
    page.goto("/library")
    expect(page.get_by_role("heading", level=1)).to_have_text("This is for the owner of the pictures")
    page.get_by_label("give the token").fill("wrong")
    page.get_by_role("button").click()
    expect(page.get_by_text("not the right one")).to_be_visible()
    page.get_by_label("give the token").fill(TOKEN)
    page.get_by_role("button").click()
    expect(page.get_by_text("checked").first).to_be_visible()
    assert page.url == f"{url}/library"
    context.close()


def test_a_link_on_another_site_leads_in(chromium: Browser, url: str) -> None:
    with browser.visiting(chromium, url) as page:
        page.set_content(f"<a href='{url}/library'>here</a>")
        page.get_by_text("here").click()
        expect(page.get_by_text("checked").first).to_be_visible()


def test_pages_of_other_ports_reach_nothing(chromium: Browser, url: str, made: Path, tmp_path: Path) -> None:
    # Another server of this machine: for SameSite its pages are of the same site, so they send the cookie along.
    with serving.running(made / "library", tmp_path / "log.txt", "--no-token") as other:
        context = chromium.new_context(bypass_csp=True)
        browser.let_in(context, url)
        page = context.new_page()
        page.goto(f"{other}/land.svg")
        opened = page.evaluate(
            "address => new Promise(done => { const socket = new WebSocket(address, ['streamlit']); "
            "socket.onopen = () => done(true); socket.onerror = () => done(false) })",
            f"{url.replace('http', 'ws')}/_stcore/stream",
        )
        assert opened is False
        with context.expect_event("response", lambda answer: answer.url == f"{url}/metrics") as answered:
            page.evaluate(f"fetch('{url}/metrics', {{mode: 'no-cors', credentials: 'include'}}).catch(() => 0)")
        assert answered.value.status == 403
        context.close()


@pytest.mark.slow
def test_an_open_page_goes_on_when_the_server_is_started_again(
    chromium: Browser, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, log = made / "library", tmp_path / "log.txt"
    context = chromium.new_context()
    page = context.new_page()
    with serving.running(library, log) as url:
        page.goto(f"{url}/?token={TOKEN}")
        expect(page.locator(".tile").first).to_be_visible()
    port = urlsplit(url).port
    with serving.running(library, log, port=port):
        expect(page.get_by_test_id("stConnectionStatus")).to_have_count(0)
        search(page, "boat")
        expect(page.get_by_text("match").first).to_be_visible()
    monkeypatch.setenv("SIGHTLINE_TOKEN", "another-token-than-before")
    with serving.running(library, log, port=port):
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("This is for the owner of the pictures")
    context.close()


def test_every_page_loads_what_the_policy_allows(chromium: Browser, url: str) -> None:
    with browser.visiting(chromium, url) as page:  # which fails for what was against the policy
        for address, seen in (
            ("/", ".tile"), ("/?q=boat", ".tile"), ("/library", "text=checked"), ("/duplicates", "text=/same|copies/i"),
            ("/map", "canvas"), ("/compare?q=boat", "[data-testid=stMain] input"),
        ):  # fmt: skip
            page.goto(address)
            expect(page.locator(seen).first).to_be_visible()
        page.goto("/?q=boat")
        page.locator(".tile .open").first.click()
        expect(page.locator("[role=dialog] .facts").first).to_be_visible()
        page.keyboard.press("1")
        page.wait_for_timeout(500)
