#!/usr/bin/env bash
# Fetches the results of earlier publications from the pages at SITE into HISTORY: they are
# published beside the tables, so that nothing else has to be kept.  No pages yet is no fault; pages
# that cannot be reached are, for the next publication would be without its history.
set -euo pipefail
SITE=${SITE:-https://${GITHUB_REPOSITORY%%/*}.github.io/${GITHUB_REPOSITORY#*/}/}
# With or without a slash at its end.
SITE=${SITE%/}/

mkdir -p "$HISTORY"
python3 - "$SITE" "$HISTORY" <<'PYTHON'
import re
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

site, folder = sys.argv[1], Path(sys.argv[2])


def fetch(name):
    """Return a file of the pages, or None where they do not have it."""
    try:
        with urlopen(f"{site}history/{name}", timeout=120) as answer:
            return answer.read()
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError) and error.code == 404:
            return None
        print(f"::error title=no history::{site}history/{name}: {error}")
        sys.exit(4)


names = fetch("list.txt")
if names is None:
    print(f"no earlier tables at {site}")
    sys.exit()
for name in names.decode("utf-8", "replace").split():
    # A name of our own making, whatever the page says.
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z\.json\.gz", name):
        continue
    data = fetch(name)
    if data is None:
        print(f"::warning title=a gap in the history::{site} lists {name} and does not have it")
        continue
    (folder / name).write_bytes(data)
    print(name)
PYTHON
