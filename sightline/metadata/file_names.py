"""The date in a file's name, as phones, messengers and programs for screenshots write it.

Only forms that can't be taken for anything else: no numbers of pictures, phone numbers, ids or seconds since 1970.
"""

from __future__ import annotations

import re
from typing import Final

from sightline.metadata.dates import HALF, Date, day_of, time_of

_YEARS: Final = range(1990, 2100)  # a picture with such a name is digital

_DAY8: Final = r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)"
_TIME6: Final = r"(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)"
_FORMS: Final = tuple(
    re.compile(form, re.ASCII | re.I)
    for form in (
        # IMG_20190101_123456, PXL_20190101_123456789, Screenshot_20190101-123456_App, 20190101_123456
        rf"(?:^|[^0-9]){_DAY8}[_\- T]{_TIME6}(?:\d{{3}})?(?![0-9])",
        # WP_20150101_12_34_56_Pro, WIN_20190101_12_34_56_Pro
        rf"^(?:WP|WIN)_{_DAY8}_(?P<H>\d\d)_(?P<M>\d\d)_(?P<S>\d\d)(?![0-9])",
        # BURST20190101123456789, 20190101123456
        rf"(?:^|[_\- ]|IMG|BURST){_DAY8}{_TIME6}(?:\d{{3}})?(?![0-9])",
        # IMG-20190101-WA0001, IMG_20190101, WP_20150101_001
        rf"^(?:IMG|VID|PANO|PHOTO|MVIMG|WP|SCAN|SCREENSHOT)[_\- ]?{_DAY8}(?![0-9])",
        # photo_1@15-06-2023_10-20-30 (Telegram)
        r"@(?P<d>\d\d)-(?P<m>\d\d)-(?P<y>\d{4})_(?P<H>\d\d)-(?P<M>\d\d)-(?P<S>\d\d)(?![0-9])",
    )
)
# Screenshot_2019-01-01-12-34-56, "Screen Shot 2019-01-01 at 12.34.56 PM", signal-2019-01-01-123456. A number and the
# same sign before it make it a phone number, or an id.
_DASHED: Final = re.compile(
    r"(?:^|[^0-9])(?P<y>\d{4})(?P<s>[-_])(?P<m>\d\d)(?P=s)(?P<d>\d\d)"
    rf"(?:[T_\-]|\s+(?:(?P<before>{HALF})\s?|[^\W\d]{{1,3}}\.?(?:\s[^\W\d]{{1,3}}(?:\(s\))?)?\s+)?)?"
    r"(?:(?:(?P<H>[0-9]{1,2})(?P<t>[.:_\-])(?P<M>[0-9]{2})(?P=t)(?P<S>[0-9]{2})"
    r"|(?P<H6>[0-9]{2})(?P<M6>[0-9]{2})(?P<S6>[0-9]{2}))(?![0-9])"
    rf"(?:\s*(?P<half>{HALF}))?)?",
    re.I,
)
_NUMBER_BEFORE: Final = re.compile(r"[0-9]([-_])\d{4}\1\d\d\1\d\d", re.ASCII)
_NEXT_DIGIT: Final = re.compile(r"(?:^|[^0-9])\d{4}([-_])\d\d\1\d\d(?=[0-9])", re.ASCII)


def date_in_name(name: str) -> Date | None:
    """The date in a file's name; None where there is none. Of names by Pixel phones the time is in UTC."""
    for form in (*_FORMS, _DASHED):
        match = form.search(name)
        if match is None:
            continue
        parts = match.groupdict()
        year, month, day = int(match["y"]), int(match["m"]), int(match["d"])
        text = day_of(year, month, day) if year in _YEARS and month and day else None
        is_number = _NEXT_DIGIT.search(name) or (_NUMBER_BEFORE.search(name) and not parts.get("H"))
        if text is None or (form is _DASHED and is_number):
            continue
        hour, minute, second = (parts.get(part) or parts.get(f"{part}6") for part in "HMS")
        half = parts.get("before") or parts.get("half")
        time = time_of(int(hour), int(minute), int(second), half) if hour and minute and second else ""
        if hour and (not time or int(hour) > 23):
            if form is not _DASHED:
                continue  # eight digits and six are a date only where both make sense
            time = ""
        return Date(text + time, 0 if time and name[:4].upper() == "PXL_" else None)
    return None
