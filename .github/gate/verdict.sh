#!/usr/bin/env bash
# Puts the results of all jobs (the folders in PARTS) together in MERGED and says whether the
# change may go in: annotations, the summary of the job, reports and reproducers.  CELLS is how those
# jobs ended.
set -euo pipefail

parts() { "$(dirname "${BASH_SOURCE[0]}")/parts.sh" "$@"; }

mapfile -t head < <(parts head)
mapfile -t base < <(parts base)
# Without a bridge there are no arms.
((${#head[@]} || ${#base[@]})) || mapfile -t head < <(parts)
if ((!${#head[@]})); then
    echo "::error title=nothing was measured::no job left any results"
    exit 3
fi
harness merge "${head[@]}" --results "$MERGED/head"
arguments=()
if ((${#base[@]})); then
    harness merge "${base[@]}" --results "$MERGED/base"
    arguments+=(--baseline "$MERGED/base")
fi
[[ -z ${EXPECT:-} ]] || arguments+=(--expect "$EXPECT")
judged=$MERGED/head

status=0
harness gate "$judged" "${arguments[@]}" --format github || status=$?
# Anything else is no verdict, and harness has said why.
case $status in
0 | 1 | 3) ;;
*) exit "$status" ;;
esac
# One that was cut off between two turns has not said what it was still to run.
if ((!status)) && [[ ${CELLS:-success} != success ]]; then
    echo "::error title=not everything was measured::the jobs that run the cells ended as: $CELLS"
    status=3
fi
harness gate "$judged" "${arguments[@]}" --format json >"$MERGED/gate.json" || true
harness report "$judged" --format junit --out "$MERGED/junit.xml"
harness report "$judged" --format markdown --out "$MERGED/report.md"
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
    harness repro "$judged" "$cell" --out "$MERGED/repro/$cell" || true
done
exit "$status"
