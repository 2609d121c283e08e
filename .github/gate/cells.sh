#!/usr/bin/env bash
# Runs the cells of one job into RESULTS: with BRIDGE, those of both arms.  What came of them is
# for verdict.sh to say, when the other jobs have ended as well.
set -euo pipefail

# A file of the caller's, or the name of one of the harness's own.
[[ -f $MATRIX ]] || MATRIX=${HARNESS_MATRICES:?}/$MATRIX.yaml
arguments=("$MATRIX" --results "$RESULTS" --again "${AGAIN:-2}")
[[ -z ${WHERE:-} ]] || arguments+=(--where "$WHERE")
[[ -z ${SHARD:-} ]] || arguments+=(--shard "$SHARD")
[[ -z ${COSTS:-} ]] || arguments+=(--costs "$COSTS")
[[ -z ${CRAN:-} ]] || arguments+=(--cran "$CRAN")
status=0
if [[ -n ${BRIDGE:-} ]]; then
    base=$("$(dirname "${BASH_SOURCE[0]}")/base.sh")
    echo "held against: $base"
    harness gate "${arguments[@]}" --bridge "$BRIDGE" --base "$base" || status=$?
else
    harness run "${arguments[@]}" || status=$?
fi
# 1 and 3 are verdicts, not faults of this job.
case $status in
0 | 1 | 3) ;;
*) exit "$status" ;;
esac
