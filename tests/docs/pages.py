"""What the pages hold: code blocks, commands, links, tables. Plain text in, no knowledge of the product."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
NO_RUN = "<!-- no-run -->"
SHELLS = ("console", "bash", "sh", "shell")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, its first line in the page, and whether a comment says not to run it."""

    language: str
    text: str
    line: int
    skipped: bool


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found: list[Block] = []
    language, start, held, before = "", 0, None, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if held is None and line.startswith("```"):
            language, start, held = line[3:].strip(), number + 1, []
        elif held is not None and line.startswith("```"):
            found.append(Block(language, "\n".join(held) + "\n", start, before == NO_RUN))
            held, before = None, ""
        elif held is not None:
            held.append(line)
        elif line.strip():
            before = line.strip()
    return found


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[list[str]]:
    """Words of each `graphnn ...` line in shell blocks; a backslash joins lines, a leading `$` is dropped."""
    for block in blocks(text):
        if block.language in SHELLS:
            for line in block.text.replace("\\\n", " ").splitlines():
                words = shlex.split(line.strip().removeprefix("$ "), comments=True)
                if words[:1] == ["graphnn"]:
                    yield words[1:]


def sections(text: str, *, level: int = 2) -> dict[str, str]:
    """Text under each heading of a level, up to the next of the same level."""
    parts = re.split(rf"^{'#' * level} (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """Cells of every table row, rules left out."""
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if set("".join(row)) - set("-: ")]


def coded(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def links(text: str) -> list[str]:
    """Targets of Markdown links outside code."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(text)))


def anchors(text: str) -> set[str]:
    """Anchors of the headings, as mkdocs and GitHub make them of plain words."""
    headings = re.findall(r"^#{1,6} (.+)$", prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
