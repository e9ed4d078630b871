"""How many examples property tests try: counts are those of CI, and the profile that is loaded scales them."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import settings

USUAL: Final = 100
"""The `max_examples` of the profile that takes counts as they are written."""


def examples(count: int, *, nightly: int = 0, **options: Any) -> settings:
    """Settings for `count` examples in CI, a share of it in development and many more at night.

    Args:
        count: examples under the profile `ci`.
        nightly: examples under a profile that asks for more than `ci` does; as the profile scales `count` if 0.
        options: other arguments of `hypothesis.settings`.
    """
    share = settings().max_examples / USUAL
    scaled = nightly if nightly and share > 1 else max(1, round(count * share))
    return settings(max_examples=scaled, **options)
