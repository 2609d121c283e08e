#!/usr/bin/env bash
# Puts the results of all jobs (the folders in PARTS) together in MERGED, and makes of them the
# pages in PAGES, to be published at SITE: tables, badges, feed, compat.json, CSV and Parquet.
# HISTORY has the results of earlier publications, which the pages carry on, the newest KEEP.
set -euo pipefail
SITE=${SITE:-https://${GITHUB_REPOSITORY%%/*}.github.io/${GITHUB_REPOSITORY#*/}/}
# With or without a slash at its end.
SITE=${SITE%/}/
shopt -s nullglob

mapfile -t folders < <("$(dirname "${BASH_SOURCE[0]}")/../gate/parts.sh")
if ((!${#folders[@]})); then
    echo "::error title=nothing was measured::no job left any results"
    exit 3
fi
harness merge "${folders[@]}" --results "$MERGED"

unmeasured=$(python3 - "$MERGED/results.json" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as stream:
    cells = json.load(stream)["cells"]
print(sum(cell["status"] == "missing" for cell in cells))
PYTHON
)
if ((unmeasured)) && [[ ${INCOMPLETE:-} != true ]]; then
    echo "::error title=not everything was measured::$unmeasured cells have no result; the pages" \
        "that are published stay as they are"
    exit 3
fi

# By their names they are in the order of time.
since=()
for file in "$HISTORY"/*.json.gz; do
    gunzip --force --keep "$file"
    since+=(--since "${file%.gz}")
done

harness report "$MERGED" --format html --site "$SITE" "${since[@]}" --out "$PAGES"
harness report "$MERGED" --format parquet --out "$PAGES/table.parquet"

mkdir -p "$PAGES/history"
kept=("$HISTORY"/*.json.gz)
while ((${#kept[@]} && ${#kept[@]} >= ${KEEP:-52})); do
    kept=("${kept[@]:1}")
done
((!${#kept[@]})) || cp "${kept[@]}" "$PAGES/history/"
gzip --no-name --stdout "$MERGED/results.json" \
    >"$PAGES/history/$(date --utc +%Y%m%dT%H%M%SZ).json.gz"
(cd "$PAGES/history" && printf '%s\n' *.json.gz >list.txt)

{
    harness report "$MERGED" --format readme --site "$SITE" "${since[@]}"
    echo
    echo "## What changed"
    echo
    harness report "$MERGED" --format changes --site "$SITE" "${since[@]}"
} | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"
