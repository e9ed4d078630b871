"""The component that shows what an indexer does while a page is open, and has the page drawn again.

It listens to `/events` (`search_ui.server.event_routes`), so an open page costs no run of the script.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from search_ui.components.assets import component, javascript

_HERE: Final = Path(__file__).parent
# In the page itself, not in a shadow tree: the page leaves no gap where nothing is shown.
_live: Final = component("live", js=javascript(_HERE, "live"), isolate_styles=False)

Follows = Literal["asked", "new", "runs"]
"""When the page is drawn again: only by a press of the button; also for new pictures; for these, and when a run begins
or ends.
"""


def live(state: Mapping[str, Any], *, key: str, follows: Follows) -> None:
    """Show a run as a line and a bar, and what came since `state`, the page's own, as a button."""
    data: dict[str, Any] = {**state, "follows": follows}
    _live(key=key, data=data, on_reload_change=lambda: None)
