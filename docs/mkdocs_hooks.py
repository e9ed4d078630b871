"""Hooks of mkdocs: pages from outside docs/, links to them, the API reference, and the order of all pages."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[1]
OUTSIDE: Final = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
"""Files of the project that are pages too, and the names of those."""

REFERENCE: Final = {
    "reference.md": ("sightline", ("sightline.library", "sightline.records", "sightline.backups")),
    "reference-query.md": ("Queries", ("sightline.query.parser", "sightline.query.types", "sightline.query.explain")),
    "reference-errors.md": ("Errors", ("store.errors",)),
}
"""Pages made from docstrings: their title and the modules."""

ORDER: Final = {
    "": (
        "index.md", "indexing.md", "backup.md", "cluster.md", "search.md", "facts.md", "formats.md", "models.md",
        "glossary.md",
    ),
    "Page": (
        "page.md", "screenshots.md", "access.md", *sorted(path.name for path in (ROOT / "docs").glob("page-*.md")),
    ),
    "Programs": ("python-api.md", *REFERENCE, "api.md", "commands.md"),
    "Project": ("security.md", "reliability.md", "benchmarks.md", "contributing.md", "changelog.md"),
}  # fmt: skip
"""Sections and their pages in order. Other pages of docs/ follow in Project, folders as sections of their own."""

LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|!?\[[^\]]*\])*)\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add pages from outside docs/ and the API reference, and set the order of all."""
    for source, target in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, target, content=_linked(text, source, target)))
    for target, (title, modules) in REFERENCE.items():
        there = [module for module in modules if (ROOT / f"{module.replace('.', '/')}.py").exists()]
        blocks = "\n\n".join(f"::: {module}" for module in there)
        files.append(File.generated(config, target, content=f"# {title}\n\n{blocks}\n"))
    config.nav = _order({file.src_uri for file in files.documentation_pages()})
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Make links out of docs/ lead to pages of the site."""
    place = page.file.src_uri
    return markdown if place in OUTSIDE.values() else _linked(markdown, f"docs/{place}", place)


def _linked(text: str, source: str, target: str) -> str:
    """Text of the file `source` of the project, with its links as they are right in the page `target`.

    A link to a file that is on no page, as of code, becomes its text.
    """

    def replaced(found: re.Match[str]) -> str:
        mark, words, link, anchor = found.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        if path in OUTSIDE:
            page = OUTSIDE[path]
        elif path.startswith("docs/") and Path(path).suffix not in ("", ".py", ".json"):
            page = path.removeprefix("docs/")
        else:
            return str(words)
        return f"{mark}[{words}]({posixpath.relpath(page, posixpath.dirname(target) or '.')}{anchor or ''})"

    return LINK.sub(replaced, text)


def _order(pages: set[str]) -> list[Any]:
    """The navigation: sections of `ORDER` without what is not there, then what it does not name."""
    nav: list[Any] = []
    for section, names in ORDER.items():
        there = [name for name in names if name in pages]
        nav += there if not section else [{section: there}]
    rest = sorted(pages - {name for names in ORDER.values() for name in names})
    nav[-1]["Project"] += [page for page in rest if "/" not in page]
    for folder in sorted({page.split("/")[0] for page in rest if "/" in page}):
        inside = [page for page in rest if page.startswith(f"{folder}/")]
        nav.append({folder.capitalize(): sorted(inside, key=lambda page: (not page.endswith("README.md"), page))})
    return nav
