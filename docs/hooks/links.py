"""Links and lists are written as they are read in the checkout, and made what the site needs."""

import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

# [text](target#anchor), where the target is a path
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Follow links from where the file lies in the checkout to where the page lies in the site."""
    uri = page.file.src_uri
    folder = posixpath.dirname(uri if page.file.generated_by else f"docs/{uri}")

    def rewritten(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1])).removeprefix("docs/")
        if files.get_file_from_path(target) is None:  # a strict build says so
            return link[0]
        return f"]({posixpath.relpath(target, posixpath.dirname(uri) or '.')}{link[2] or ''})"

    return indented(LINK.sub(rewritten, markdown))


def indented(markdown: str) -> str:
    """What follows in an item of a list stands below its text by two columns; Python-Markdown wants four."""
    lines, in_list, in_fence = [], False, False
    for line in markdown.splitlines():
        in_fence ^= line.startswith("```")
        if line.strip() and not line.startswith("  "):
            in_list = line.startswith("- ") and not in_fence
        lines.append(f"  {line}" if in_list and line.startswith("  ") else line)
    return "\n".join(lines) + "\n"
