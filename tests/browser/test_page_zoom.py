"""Looking closer at a picture: its own pixels come, by keys, mouse and fingers, and only what is seen."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import browser
import indexing
import numpy as np
import pytest
import serving
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

# No text is as hard to show as this: black and white pixels in no order.
LONG, WIDE = (1400, 9000), (9000, 1100)


def dots(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pixels of that size, each 0 or 255."""
    return np.random.default_rng(size[0]).integers(0, 2, (size[1], size[0]), np.uint8) * np.uint8(255)


@dataclass
class Visit:
    """A page, and the tiles it asked for."""

    page: Page
    tiles: list[str] = field(default_factory=list)

    def open(self, content_id: int) -> None:
        """Open a picture and wait for its preview."""
        self.tiles.clear()
        self.page.goto(f"/?photo={content_id}")
        expect(self.page.locator("img.large.there")).to_be_visible()

    def settled(self) -> None:
        """Wait until the tiles of what is in view are there."""
        expect(self.page.locator("img.part").first).to_be_visible()
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(300)

    def shows(self, rows: slice, columns: slice, pixels: NDArray[np.uint8]) -> bool:
        """Whether that part of the stage comes to show these pixels; a busy machine decodes slowly."""
        for _ in range(40):
            if found(self.seen()[rows, columns], pixels):
                return True
            self.page.wait_for_timeout(500)
        return False

    def seen(self) -> NDArray[np.uint8]:
        """What the stage shows, in pixels of the screen, as grey."""
        ratio = self.page.evaluate("devicePixelRatio")
        frame = self.page.locator(".stage").bounding_box()
        assert frame is not None
        image = Image.open(io.BytesIO(self.page.screenshot())).convert("L")
        box = [frame["x"], frame["y"], frame["x"] + frame["width"], frame["y"] + frame["height"]]
        return np.asarray(image.crop([round(side * ratio) for side in box]))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("zoom")
    (folder / "photos").mkdir()
    for name, size in (("1", LONG), ("2", WIDE)):
        Image.fromarray(dots(size)).save(folder / "photos" / f"{name}.png")
        indexing.add(folder / "library", folder / "photos", "demo")  # one by one: the first has id 1
    with serving.running(folder / "library", folder / "log") as address:
        yield address
    assert "Traceback" not in (folder / "log").read_text()


def visit(page: Page) -> Visit:
    made = Visit(page)
    page.on("request", lambda request: made.tiles.append(request.url) if "/tile/" in request.url else None)
    return made


def test_the_grid_shows_the_head_of_a_long_picture_in_a_full_tile(chromium: Browser, url: str) -> None:
    with browser.visiting(chromium, url) as page:
        page.goto("/")
        tile = page.locator(".tile.loaded", has=page.locator('.open[data-id="1"]'))
        expect(tile.locator("img")).to_have_css("object-fit", "cover")
        expect(tile.locator("img")).to_have_css("object-position", "50% 0%")
        expect(tile.locator("img")).to_have_js_property("naturalWidth", 170)
        frame = tile.bounding_box()
        assert frame is not None
        assert frame["width"] / frame["height"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("ratio", [1, 2])
def test_each_pixel_of_the_file_is_one_of_the_screen(chromium: Browser, url: str, ratio: int) -> None:
    with browser.visiting(chromium, url, device_scale_factor=ratio) as page:
        here = visit(page)
        here.open(1)
        assert here.tiles == []  # the preview is enough for the whole
        page.keyboard.press("1")
        here.settled()
        pixels = dots(LONG)
        # From its top, where it is read from; in the middle of the stage, where no button is.
        height, width = here.seen().shape
        at = max(0, (width - LONG[0]) // 2)
        for key, rows in (("Home", slice(10, height // 3)), ("End", slice(-height // 3, -10))):
            page.keyboard.press(key)
            here.settled()
            assert here.shows(rows, slice(at + 200, at + 440), pixels[rows, 200:440]), key
        assert len(here.tiles) <= 8, "only what is in view, of eighteen"
        page.keyboard.press("0")
        expect(page.locator("img.part")).to_have_count(0)
        expect(page.locator("img.large.there")).to_be_visible()


def found(seen: NDArray[np.uint8], pixels: NDArray[np.uint8]) -> bool:
    """Whether black is black and white is white; one row or column may be lost to where the stage begins."""
    height, width = pixels.shape[0] - 2, pixels.shape[1] - 2
    middle = (seen > 127)[1 : 1 + height, 1 : 1 + width]
    shifts = [(pixels > 127)[dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)]
    return max(float((middle == shift).mean()) for shift in shifts) > 0.999


def test_a_double_click_makes_a_panorama_as_high_as_there_is_room_for(chromium: Browser, url: str) -> None:
    with browser.visiting(chromium, url, device_scale_factor=2) as page:
        here = visit(page)
        here.open(2)
        frame = page.locator(".stage").bounding_box()
        assert frame is not None
        page.mouse.dblclick(frame["x"] + frame["width"] * 0.75, frame["y"] + frame["height"] / 2)
        here.settled()
        large = page.locator(".canvas").bounding_box()
        assert large is not None
        assert large["height"] == pytest.approx(min(frame["height"], WIDE[1] / 2), rel=0.02)
        # Of what was pointed at, which stays where it is.
        assert (frame["x"] + frame["width"] * 0.75 - large["x"]) / large["width"] == pytest.approx(0.75, abs=0.01)
        assert {each.split("/", 5)[5] for each in here.tiles} <= {
            f"1/{column}-{row}.jpg" for column in (5, 6, 7) for row in (0, 1)
        }
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Shift+ArrowLeft")
        moved = page.locator(".canvas").bounding_box()
        assert moved is not None
        assert moved["x"] == pytest.approx(large["x"] + 0.6 * frame["width"], abs=2)
        page.mouse.dblclick(frame["x"] + frame["width"] * 0.75, frame["y"] + frame["height"] / 2)
        expect(page.locator(".viewer.zoomed")).to_have_count(0)
        page.get_by_role("button", name="Actual pixels").click()
        here.settled()
        large = page.locator(".canvas").bounding_box()
        assert large is not None
        assert large["width"] == pytest.approx(WIDE[0] / 2, abs=1)
        assert browser.violations(page) == []


def test_two_fingers_bring_pixels_and_one_moves_them(chromium: Browser, url: str) -> None:
    with browser.visiting(chromium, url, viewport={"width": 375, "height": 720}, has_touch=True) as page:
        here = visit(page)
        here.open(1)
        frame = page.locator(".stage").bounding_box()
        assert frame is not None
        x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
        session = page.context.new_cdp_session(page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            given = [{"x": a, "y": b, "id": number} for number, (a, b) in enumerate(points)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": given})

        for _ in range(3):
            touch("touchStart", (x - 10, y), (x + 10, y))
            for apart in (20, 40, 60, 80):
                touch("touchMove", (x - apart, y), (x + apart, y))
            touch("touchEnd")
        here.settled()
        before = page.locator(".canvas").bounding_box()
        touch("touchStart", (x, y))
        for by in (20, 60, 100):
            touch("touchMove", (x, y - by))
        touch("touchEnd")
        after = page.locator(".canvas").bounding_box()
        assert before is not None
        assert after is not None
        assert after["y"] == pytest.approx(before["y"] - 100, abs=2)


def test_without_the_file_it_stays_as_sharp_as_its_preview(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(dots(LONG)).save(tmp_path / "photos" / "a.png")
    indexing.add(tmp_path / "library", tmp_path / "photos", "demo")
    with (
        serving.running(tmp_path / "library", tmp_path / "log") as address,
        browser.visiting(chromium, address) as page,
    ):
        here = visit(page)
        here.open(1)
        (tmp_path / "photos" / "a.png").unlink()
        page.keyboard.press("1")
        expect(page.get_by_text("its own pixels can't be read now")).to_be_visible()
        expect(page.locator("img.large.there")).to_be_visible()
        expect(page.locator("img.part")).to_have_count(0)
        asked = len(here.tiles)
        page.keyboard.press("End")
        page.wait_for_timeout(500)
        assert len(here.tiles) == asked
