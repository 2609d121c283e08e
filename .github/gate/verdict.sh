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

# Jobs that were cut off between two turns have not said what they were still to run.
[[ ${CELLS:-success} == success ]] ||
    arguments+=(--unfinished "the jobs that run the cells ended as: $CELLS")

status=0
harness gate "$judged" "${arguments[@]}" --format github || status=$?
# Anything else is no verdict, and harness has said why.
case $status in
0 | 1 | 3) ;;
*) exit "$status" ;;
esac
if ((status == 3)) && [[ ${CELLS:-success} != success ]]; then
    echo "::error title=not everything was measured::the jobs that run the cells ended as: $CELLS"
fi
harness gate "$judged" "${arguments[@]}" --format json >"$MERGED/gate.json" || true
harness report "$judged" --format junit --out "$MERGED/junit.xml"
harness report "$judged" --format markdown --out "$MERGED/report.md"
if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
    # The cells' logs are in the artefact, where no link of a summary leads; and of a summary of
    # more than a mebibyte GitHub shows nothing, the verdict included.
    sed -E 's/\[([^][]*)\]\(cells\/[^)]*\)/\1/g' "$MERGED/report.md" >"$MERGED/summary.md"
    if (($(wc -c <"$MERGED/summary.md") < 800000)); then
        { echo && cat "$MERGED/summary.md"; } >>"$GITHUB_STEP_SUMMARY"
    else
        echo "The report is too long for this page: it is in the artefact." >>"$GITHUB_STEP_SUMMARY"
    fi
    rm "$MERGED/summary.md"
fi

# A folder for each cell that is to blame, which fails in the same way without the harness.
# Isolated: the caller's folder may have a module of the same name.
python3 -I - "$MERGED/gate.json" <<'PYTHON' | while read -r cell; do
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
