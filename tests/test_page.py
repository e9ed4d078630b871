"""The page: its logic without a browser, and what a person sees and does with a real one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import browser
import models
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from streamlit.testing.v1 import AppTest

from search_ui.services import services
from store.library import Library, locked
from store.writer import SpaceIdentity, Writer

APP = browser.ROOT / "search_ui" / "app.py"
HOSTILE = "<img src=x onerror=alert(1)>.jpg"
COUNT = 75  # more than a page


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos/` and the `library/` of them."""
    folder = tmp_path_factory.mktemp("page")
    photos = folder / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for number in range(COUNT - 1):
        size = ((320, 240), (240, 320), (900, 120), (60, 400))[number % 4 if number < 20 else 0]
        blocks = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8))
        blocks.resize(size, Image.Resampling.BICUBIC).save(photos / f"{number:02}.jpg", quality=90)
    Image.new("RGB", (320, 240), (20, 130, 120)).save(photos / HOSTILE)
    (photos / "zz _broken_ [x](y).jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    browser.add(folder / "library", photos, models.clip_like(folder / "tiny"))
    return folder


# -- without a browser ----------------------------------------------------------------------------------------------


@pytest.fixture
def app(made: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(made / "library"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return AppTest.from_file(str(APP), default_timeout=60)


def captions(app: AppTest) -> str:
    return "\n".join(caption.value for caption in app.caption)


def test_the_page_shows_what_was_indexed_last_before_anything_is_asked(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert "Indexed last" in captions(app)
    assert f"{COUNT} pictures · space tiny" in captions(app)
    assert [button.label for button in app.button] == ["Show more", "1 file could not be read"]


def test_words_give_hits_and_an_unknown_picture_one_sentence(app: AppTest) -> None:
    app.run()
    app.text_input(key="q").set_value("a red boat").run()
    assert f"The best 60 of {COUNT} pictures" in captions(app)
    assert "cosines" in captions(app)
    app.query_params["like"] = str(10**12)
    app.run()
    assert not app.exception
    assert "There is no picture 1000000000000" in app.warning[0].value.replace("\\", "")


def test_an_address_says_what_to_search_for(app: AppTest) -> None:
    app.query_params["q"] = "snow"
    app.run()
    assert app.text_input(key="q").value == "snow"
    assert "The best 60" in captions(app)


@pytest.mark.parametrize("like", ["-1", "x", "1e9", "٣", "9" * 40, "'; drop table photos", ""])
def test_nonsense_in_the_address_is_no_query(app: AppTest, like: str) -> None:
    app.query_params["like"] = like
    app.run()
    assert not app.exception
    assert "Indexed last" in captions(app)


def test_terms_are_combined(app: AppTest) -> None:
    app.query_params["q"] = "snow"
    app.query_params["like"] = str(services().searcher().recent(1)[0].content_id)
    app.run()
    assert "your words and the picture together" in captions(app)


def test_more_grows_and_a_new_query_starts_small(app: AppTest) -> None:
    app.query_params["q"] = "snow"
    app.run()
    app.button[0].click().run()
    assert f"The best {COUNT} of {COUNT}" in captions(app)
    assert "Show more" not in [button.label for button in app.button]
    app.text_input(key="q").set_value("rain").run()
    assert "The best 60" in captions(app)


@pytest.mark.parametrize("text", ["word " * 300, "x" * 3000])
def test_a_text_too_long_is_one_sentence(app: AppTest, text: str) -> None:
    app.run()
    app.text_input(key="q").set_value(text).run()
    assert not app.exception
    assert "Shorten it" in app.warning[0].value


def test_no_library_gives_the_command(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "my pictures"))
    app.run()
    assert not app.exception
    assert app.code[0].value == f"python -m indexer ./photos --library '{tmp_path}/my pictures'"


def test_a_library_without_pictures_and_one_without_words(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path))
    with Library.create(tmp_path) as library:
        app.run()
        assert "Nothing to search yet" in app.subheader[0].value
        identity = SpaceIdentity("k" * 32, "pictures_only", "hf-hub:nobody/nothing", "w", "{}", 8, False)
        writer = Writer(library._engine)
        writer.make_default(writer.add_space(identity))
    app.run()
    assert "no pictures that are there now" in app.info[0].value
    app.text_input(key="q").set_value("boat").run()
    assert "knows pictures but no words" in app.warning[0].value


def test_a_run_that_is_going_on_is_told(app: AppTest, made: Path) -> None:
    with locked(made / "library"):
        app.run()
        assert "an indexing run is going on" in captions(app)
    app.run()
    assert "an indexing run is going on" not in captions(app)


def test_a_damaged_database_is_one_sentence(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "library.sqlite").write_bytes(b"this is no database" * 1000)
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path))
    app.run()
    assert not app.exception


# -- with one -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(made: Path) -> Iterator[str]:
    with browser.running(made / "library", made / "server.log") as address:
        yield address
    log = (made / "server.log").read_text()
    assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = browser.chromium()
    with sync_playwright() as playwright:
        # --no-sandbox: in a container the browser runs as root.
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(chromium: Browser, url: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, base_url=url)
    page = context.new_page()
    page.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    ours = (url, url.replace("http", "ws"), "data:", "blob:")
    foreign = [address for address in asked if not address.startswith(ours)]
    assert not foreign, "private means that nothing is asked of other servers"
    assert not said


def tiles(page: Page, count: int = 60) -> list[str]:
    """Names under the pictures, once there are so many."""
    expect(page.locator(".tile")).to_have_count(count)
    return page.locator(".tile .name").all_inner_texts()


def search(page: Page, text: str) -> None:
    box = page.locator(".st-key-q input")
    box.fill(text)
    box.press("Enter")
    expect(page.get_by_text("Numbers")).to_be_visible()


@pytest.mark.browser
def test_typing_words_shows_hits_with_scores(page: Page) -> None:
    page.goto("/")
    expect(page).to_have_title("Sightline")
    expect(page.locator(".st-key-q input")).to_be_focused()
    page.keyboard.type("a red boat")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Numbers are cosines")).to_be_visible()
    first = tiles(page)
    scores = [float(score) for score in page.locator(".tile .score").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 60
    expect(page).to_have_url(re.compile(r"q=a(%20|\+)red(%20|\+)boat"))
    page.reload()
    expect(page.get_by_text("Numbers are cosines")).to_be_visible()
    assert tiles(page) == first
    expect(page.locator(".st-key-q input")).to_have_value("a red boat")


@pytest.mark.browser
def test_pictures_keep_their_proportions_and_load_when_seen(page: Page) -> None:
    page.goto("/?q=boat")
    tiles(page)
    for ratio in page.locator(".tile img").evaluate_all(
        "all => all.filter(i => i.complete && i.naturalWidth).map(i => [i.naturalWidth / i.naturalHeight,"
        " i.clientWidth / i.clientHeight, getComputedStyle(i).objectFit])"
    ):
        natural, shown, fit = ratio
        assert fit == "contain"
        assert natural < 0.5 or natural > 3 or shown == pytest.approx(natural, rel=0.02)
    assert page.locator(".tile img").evaluate_all("all => all.filter(i => !i.naturalWidth).length") > 0
    assert page.locator(".tile img").first.get_attribute("alt") in tiles(page)
    page.get_by_role("button", name="Show more").click()
    assert len(tiles(page, COUNT)) == COUNT


@pytest.mark.browser
def test_more_like_this_by_mouse_and_keyboard(page: Page) -> None:
    page.goto("/?q=boat")
    third = tiles(page)[2]
    like = page.locator(".tile").nth(2).locator(".like")
    expect(like).to_have_css("opacity", "0")
    page.locator(".tile").nth(2).hover()
    expect(like).to_have_css("opacity", "1")
    like.click()
    expect(page.locator(".chip")).to_have_text(re.compile("like this picture"))
    expect(page.get_by_text("nearer to the picture")).to_be_visible()
    expect(page).to_have_url(re.compile(r"like=\d+"))
    expect(page.locator(".st-key-q input")).to_have_value("")
    expect(page.locator(".tile .name").first).to_have_text(third)
    page.locator(".tile .open").first.focus()
    page.keyboard.press("ArrowRight")
    second = tiles(page)[1]
    page.keyboard.press("Tab")
    expect(page.locator(".tile").nth(1).locator(".like")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".tile .name").first).to_have_text(second)
    search(page, "boat")
    expect(page.get_by_text("your words and the picture together")).to_be_visible()
    page.get_by_role("button", name="Remove like this picture").click()
    expect(page.locator(".chip")).to_have_count(0)
    expect(page.get_by_text("nearer to your words")).to_be_visible()
    assert "like=" not in page.url


@pytest.mark.browser
def test_a_picture_that_is_not_there_can_be_taken_out_again(page: Page) -> None:
    page.goto("/?like=999999")
    expect(page.get_by_text("There is no picture 999999")).to_be_visible()
    page.get_by_role("button", name="Remove unknown picture").click()
    expect(page.get_by_text("Indexed last")).to_be_visible()
    expect(page.locator(".chip")).to_have_count(0)


@pytest.mark.browser
def test_back_and_forward_go_from_search_to_search(page: Page) -> None:
    page.goto("/?q=boat")
    before = tiles(page)
    page.locator(".tile .open").nth(2).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("nearer to the picture")).to_be_visible()
    expect(page.locator(".tile .name").first).to_have_text(before[2])
    page.go_back()
    expect(page.locator(".st-key-q input")).to_have_value("boat")
    expect(page.locator(".tile .name").first).to_have_text(before[0])
    expect(page.locator(".chip")).to_have_count(0)
    page.go_forward()
    expect(page.locator(".tile .name").first).to_have_text(before[2])
    expect(page.locator(".chip")).to_have_count(1)


def transfer(page: Page, path: Path) -> str:
    """JavaScript that makes a DataTransfer with a file in it."""
    data = list(path.read_bytes())
    return (
        f"const transfer = new DataTransfer(); transfer.items.add(new File([new Uint8Array({data})],"
        f" 'some.jpg', {{type: 'image/jpeg'}}));"
    )


@pytest.mark.browser
@pytest.mark.parametrize("way", ["pick", "drop", "paste"])
def test_a_picture_that_is_given_finds_itself_first(page: Page, made: Path, way: str) -> None:
    page.goto("/")
    tiles(page)
    picture = made / "photos" / "16.jpg"
    if way == "pick":
        page.locator("input.file").set_input_files(picture)
    elif way == "drop":
        page.evaluate(
            f"{transfer(page, picture)} for (const name of ['dragover', 'drop']) document.body.dispatchEvent("
            "new DragEvent(name, {dataTransfer: transfer, bubbles: true, cancelable: true}))"
        )
    else:
        page.evaluate(
            f"{transfer(page, picture)} document.querySelector('.st-key-q input').dispatchEvent("
            "new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true, cancelable: true}))"
        )
    expect(page.locator(".tile .name").first).to_have_text("16.jpg")
    expect(page.locator(".tile .score").first).to_have_text("1.000")
    expect(page.locator(".chip")).to_have_text(re.compile("your picture"))
    assert page.locator(".chip img").evaluate("i => i.decode().then(() => i.naturalWidth)") > 0
    expect(page.locator(".veil")).to_be_hidden()
    page.get_by_role("button", name="Remove your picture").click()
    expect(page.locator(".chip")).to_have_count(0)
    expect(page.get_by_text("Indexed last")).to_be_visible()


@pytest.mark.browser
def test_a_broken_picture_is_one_sentence(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    tiles(page)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    page.locator("input.file").set_input_files(broken)
    expect(page.get_by_text("The picture can't be read")).to_be_visible()
    page.evaluate(
        "const transfer = new DataTransfer(); transfer.items.add(new File(['x'], 'x.txt', {type: 'text/plain'}));"
        "document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}))"
    )
    expect(page.get_by_text("That is no picture")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(60)


@pytest.mark.browser
def test_the_dialog_tells_the_facts_and_leads_on(page: Page, made: Path) -> None:
    page.goto("/?q=boat")
    name = tiles(page)[4]
    page.locator(".tile .open").nth(4).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(f"{made / 'photos' / name}")).to_be_visible()
    expect(dialog.get_by_text("px, JPEG")).to_be_visible()
    expect(dialog.locator("img")).to_be_visible()
    score = page.locator(".tile .score").nth(4).inner_text()
    expect(dialog.get_by_text(f"text {score}")).to_be_visible()
    dialog.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator(".tile .name").first).to_have_text(name)
    expect(page.locator(".chip")).to_have_count(1)


@pytest.mark.browser
def test_a_hostile_file_name_is_only_a_name(page: Page, made: Path) -> None:
    page.goto("/")
    tiles(page)
    page.locator("input.file").set_input_files(made / "photos" / HOSTILE)
    expect(page.locator(".tile .score").first).to_have_text("1.000")
    expect(page.locator(".tile .name").first).to_have_text(HOSTILE)
    assert page.locator("img[onerror]").count() == 0
    page.locator(".tile .open").first.click()
    expect(page.get_by_role("dialog").get_by_text(HOSTILE)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="1 file could not be read").click()
    expect(page.get_by_role("dialog").locator("[data-testid=stDataFrame]")).to_be_visible()


@pytest.mark.browser
def test_narrow_and_dark(chromium: Browser, url: str) -> None:
    context = chromium.new_context(viewport={"width": 375, "height": 700}, color_scheme="dark", base_url=url)
    page = context.new_page()
    page.goto("/?q=boat")
    tiles(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    red, green, blue = page.evaluate(
        "getComputedStyle(document.querySelector('.stApp')).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    assert max(red, green, blue) < 60
    widths = page.locator(".tile").evaluate_all("all => all.map(tile => tile.getBoundingClientRect().right)")
    assert max(widths) <= 375
    context.close()


@pytest.mark.browser
def test_no_library_then_one(chromium: Browser, tmp_path: Path, made: Path) -> None:
    with browser.running(tmp_path / "library", tmp_path / "log.txt") as url:
        context = chromium.new_context(base_url=url)
        page = context.new_page()
        page.goto("/")
        expect(page.get_by_test_id("stCode").first).to_contain_text("python -m indexer ./photos", timeout=30_000)
        (tmp_path / "library").symlink_to(made / "library")
        page.reload()
        expect(page.locator(".tile")).to_have_count(60, timeout=30_000)
        context.close()
