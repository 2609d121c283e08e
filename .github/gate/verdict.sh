#!/usr/bin/env bash
# Puts the results of all jobs (the folders in PARTS) together in MERGED and says whether the
# change may go in: annotations, the summary of the job, reports and reproducers.
set -euo pipefail
shopt -s nullglob

merge() {
    local name=$1 folders=()
    shift
    for folder in "$@"; do
        [[ -e $folder/results.json ]] && folders+=("$folder")
    done
    ((${#folders[@]})) || return 1
    harness merge "${folders[@]}" --results "$MERGED/$name"
}

arguments=()
if merge head "$PARTS"/*/head; then
    if merge base "$PARTS"/*/base; then arguments+=(--baseline "$MERGED/base"); fi
elif ! merge head "$PARTS"/*; then
    echo "::error title=nothing was measured::no job left any results"
    exit 3
fi
[[ -z ${EXPECT:-} ]] || arguments+=(--expect "$EXPECT")
head=$MERGED/head

status=0
harness gate "$head" "${arguments[@]}" --format github || status=$?
harness gate "$head" "${arguments[@]}" --format json >"$MERGED/gate.json" || true
harness report "$head" --format junit --out "$MERGED/junit.xml"
harness report "$head" --format markdown --out "$MERGED/report.md"
if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
    { echo && cat "$MERGED/report.md"; } >>"$GITHUB_STEP_SUMMARY"
fi

# A folder for each cell that is to blame, which fails in the same way without the harness.
python3 - "$MERGED/gate.json" <<'PYTHON' | while read -r cell; do
import json
import sys

with open(sys.argv[1], encoding="utf-8") as stream:
    verdict = json.load(stream)
for finding in (verdict["regressions"] + verdict["unexpected"])[:20]:
    print(finding["id"])
PYTHON
    harness repro "$head" "$cell" --out "$MERGED/repro/$cell" || true
done
exit "$status"
