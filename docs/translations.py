"""
Keep the Chinese catalogues: list what is not translated, or bring them up to date.

``python docs/translations.py`` lists the strings of the translated pages that have no Chinese, and fails if a page has
more than a tenth of them: a small edit of an English page breaks no build, and is translated later. ``--update`` adds
changed strings; what was translated before is kept and marked fuzzy.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

DOCS = Path(__file__).parent
LOCALE = DOCS / "locale" / "zh_CN" / "LC_MESSAGES"
PAGES = (
    "index",
    "getting-started",
    "connection",
    "operators/index",
    "operators/submit",
    "operators/sensor",
    "operators/archive",
    "operators/generate",
    "operators/batch",
    "errors",
    "sandbox",
    "durable-execution",
)
#: Share of a page's strings that may be without Chinese.
ALLOWED = 0.1
#: What is the same in every language: code, addresses of links, names, figures.
_SAME = re.compile(r"`[^`]*`|\]\([^)]*\)|\b[A-Z]\w+(Operator|Sensor)\b|\b\w+\.py\b|[\W\d_]")


def extract(folder: Path) -> None:
    """
    Write the strings of all pages, as Sphinx finds them.

    :param folder: Where the templates go.
    """
    command = [sys.executable, "-m", "sphinx", "--quiet", "-b", "gettext", str(DOCS), str(folder)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def strings(path: Path) -> Catalog:
    """
    Read a catalogue.

    :param path: A ``.po`` or ``.pot``; one that is missing has no strings.
    :return: Its strings.
    """
    if not path.exists():
        return Catalog()
    with path.open("rb") as file:
        return read_po(file)


def untranslated(page: str, templates: Path) -> tuple[list[str], int]:
    """
    Return the strings of a page that have no Chinese.

    :param page: Its name.
    :param templates: Folder of :func:`extract`.
    :return: The strings, and how many the page has.
    """
    chinese = strings(LOCALE / f"{page}.po")
    wanted = [str(message.id) for message in strings(templates / f"{page}.pot") if _SAME.sub("", str(message.id))]
    done = {message.id for message in chinese if message.string and not message.fuzzy}
    return [text for text in wanted if text not in done], len(wanted)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="add the changed strings of the translated pages")
    update: bool = parser.parse_args().update
    is_behind = False
    with tempfile.TemporaryDirectory() as folder:
        templates = Path(folder)
        extract(templates)
        if update:
            for unwanted in set(templates.rglob("*.pot")) - {templates / f"{page}.pot" for page in PAGES}:
                unwanted.unlink()
            options = ["-p", folder, "-d", str(DOCS / "locale"), "-l", "zh_CN", "-w", "0"]
            subprocess.run([sys.executable, "-m", "sphinx_intl", "update", *options], check=True)
        for page in PAGES:
            missing, total = untranslated(page, templates)
            is_behind |= len(missing) > ALLOWED * total
            print(f"{page}: {len(missing)} of {total} strings have no Chinese")
            for text in missing:
                print(f"    {text}")
    return 1 if is_behind else 0


if __name__ == "__main__":
    sys.exit(main())
