"""Tables whose rows are measured in processes of their own, so that none finds the memory and the caches of another."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import TYPE_CHECKING

from search_quality import machine, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def main(
    script: str, doc: str | None, title: str, rows: Iterable[str], measure: Callable[[str], Mapping[str, object]]
) -> None:
    """Prints a line for each row: the command of a script that measures some.

    Args:
        script: The file of the script.
        doc: What it says of itself.
        title: The title of the table.
        rows: The names of the rows.
        measure: The cells of a row, by their headings.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.row:
        print(json.dumps(measure(given.row)))
        return
    heading, table = ["space"], []
    for row in rows:
        child = subprocess.run([sys.executable, script, "--row", row], check=True, capture_output=True, text=True)
        cells = json.loads(child.stdout)
        heading = ["space", *cells]
        table.append([row, *cells.values()])
        print(row, file=sys.stderr)
    show((title, heading, table, None), markdown=given.markdown)
    print(machine())
