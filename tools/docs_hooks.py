"""Hooks of mkdocs.yml: the pages that do not lie in docs/, and Markdown as repositories show it.

README, CHANGELOG, CONTRIBUTING, SECURITY and the examples' README become pages, each part of the
package gets one with the docstrings in it, and links between them are made to fit. What a link
names that is no page, such as a source file, becomes its text.
"""

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

from docs_text import with_gaps
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tpsgd_edge"
# A page of the site -> where it lies in the repository.
OUTSIDE = {
    "index.md": "README.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "examples.md": "examples/README.md",
}
_LINK = re.compile(r"(?P<before>!?\[(?P<text>[^\]]*)\]\()(?P<target>[^)#\s]+)(?P<after>[^)]*\))")


def parts() -> list[str]:
    """Name the parts of the package that have a page, as ARCHITECTURE.md names the floors."""
    names = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    return sorted(name for name in names if not name.startswith("_"))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put a page for each part in the place that mkdocs.yml leaves for them."""
    config.nav = _with_parts(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    for page, source in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    for part in parts():
        files.append(File.generated(config, f"parts/{part}.md", content=_page(part)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Make links fit, and part lists from what stands above them."""
    source = OUTSIDE.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def fitting(match: re.Match[str]) -> str:
        target = match["target"]
        if ":" in target:
            return match[0]
        place = normpath(join(dirname(source), target))
        found = next((p for p, s in OUTSIDE.items() if s == place), place.removeprefix("docs/"))
        if files.get_file_from_path(found) is None:
            return match["text"]
        return match["before"] + relpath(found, dirname(page.file.src_uri) or ".") + match["after"]

    return "\n".join(with_gaps(_LINK.sub(fitting, markdown).split("\n")))


def _with_parts(nav: Any) -> Any:
    if isinstance(nav, list):
        return [_with_parts(entry) for entry in nav]
    if isinstance(nav, dict):
        return {title: _with_parts(entry) for title, entry in nav.items()}
    return [{part: f"parts/{part}.md"} for part in parts()] if nav == "PARTS" else nav


def _page(part: str) -> str:
    folder = PACKAGE / part
    paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in paths
        if path.stem != "__main__"
    ]
    options = "    options: {heading_level: 2, show_submodules: false}\n"
    return f"# {part}\n\n" + "\n".join(f"::: {name}\n{options}" for name in modules)
