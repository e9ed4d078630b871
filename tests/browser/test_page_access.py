"""The token in a real browser: how one gets in, and what pages may load."""

from __future__ import annotations

import os

import browser
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


def test_every_page_loads_what_the_policy_allows(chromium: Browser, url: str) -> None:
    with browser.visiting(chromium, url) as page:  # which fails for what was against the policy
        for address, seen in (
            ("/", ".tile"), ("/?q=boat", ".tile"), ("/library", "text=checked"), ("/duplicates", "text=/same|copies/i"),
            ("/map", "canvas"), ("/compare?q=boat", "text=one model"),
        ):  # fmt: skip
            page.goto(address)
            expect(page.locator(seen).first).to_be_visible()
        page.goto("/?q=boat")
        page.locator(".tile .open").first.click()
        expect(page.locator("[role=dialog] .facts").first).to_be_visible()
        page.keyboard.press("1")
        page.wait_for_timeout(500)
