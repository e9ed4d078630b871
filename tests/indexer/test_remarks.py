"""Files that are indexed though something of them is amiss."""

from __future__ import annotations

import json
from pathlib import Path

from pictures import encoded, photo
from support import Index


def test_a_damaged_picture_is_indexed_and_listed_with_its_remark(index: Index, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    whole = encoded(photo(320, 240), "JPEG", quality=90)
    start = whole.find(b"\xff\xda")
    (photos / "sound.jpg").write_bytes(whole)
    (photos / "damaged.jpg").write_bytes(whole[: start + (len(whole) - start) // 2].rstrip(b"\xff") + b"\xff\xd9")
    assert index(photos).code == 0
    assert not index("failures", space=None).out
    (listed,) = [json.loads(line) for line in index("failures", "--remarks", space=None).out.splitlines()]
    assert Path(listed["path"]).name == "damaged.jpg"
    assert listed["remark"].startswith("the picture ends early: the lower ")
