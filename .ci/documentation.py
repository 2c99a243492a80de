"""Hooks of mkdocs: pages from outside docs/, the list of decisions, and links that lead out of docs/.

README, CONTRIBUTING, CHANGELOG and SECURITY become pages. A link to another file of the source, such as a sample
configuration or a test, becomes the name of that file: the site has no copy of it.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/security.md",
    "docs/adr": "adr/index.md",
}
"""Path in the source -> page of the site."""
_SOURCES = {page: source for source, page in PAGES.items()}
_LINK = re.compile(r"(!?)\[([^]]*)\]\(([^)\s]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Complete the navigation: every decision, and of the pages of design/ those that exist."""
    nav = _existing(config.nav or [])
    decisions = next(entry["Decisions"] for entry in nav if "Decisions" in entry)
    decisions += [f"adr/{path.name}" for path in _decision_files()]
    config.nav = nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files of docs/."""
    for source, page in PAGES.items():
        content = (ROOT / source).read_text() if source.endswith(".md") else _decisions()
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs names them
    """Let each link lead to a page of the site, or be the name of a file."""
    place = page.file.src_uri
    return "".join(
        text if is_code else _LINK.sub(lambda found: _link(found, place), text) for is_code, text in _parts(markdown)
    )


def _existing(nav: list[Any]) -> list[Any]:
    kept = []
    for entry in nav:
        if isinstance(entry, str):
            kept.append(entry)
            continue
        ((title, value),) = entry.items()
        if isinstance(value, list):
            kept.append({title: _existing(value)})
        elif not value.startswith("design/") or (DOCS / value).exists():
            kept.append(entry)
    return kept


def _decision_files() -> list[Path]:
    return sorted((DOCS / "adr").glob("*.md"))


def _decisions() -> str:
    """The page that lists the decisions."""
    titles = {path.name: path.read_text().partition("\n")[0].lstrip("# ") for path in _decision_files()}
    lines = [f"- [{title}]({name})" for name, title in titles.items()]
    return "\n".join(["# Decisions", "", *lines, ""])


def _parts(markdown: str) -> list[tuple[bool, str]]:
    """The text in pieces, each with whether it is a fenced block."""
    pieces = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return [(piece.startswith("```"), piece) for piece in pieces]


def _link(found: re.Match[str], place: str) -> str:
    picture, text, target = found.groups()
    path, hash_, anchor = target.partition("#")
    if not path or ":" in path:
        return found.group()
    source = _SOURCES.get(place, f"docs/{place}")
    folder = source if source == "docs/adr" else posixpath.dirname(source)
    goal = posixpath.normpath(posixpath.join(folder, path))
    page = PAGES.get(goal) or (goal.removeprefix("docs/") if goal.startswith("docs/") else None)
    if page is None:
        return text if f"`{goal}`" in text or goal in text else f"{text} (`{goal}`)"
    return f"{picture}[{text}]({posixpath.relpath(page, posixpath.dirname(place) or '.')}{hash_}{anchor})"
