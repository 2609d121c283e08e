#!/usr/bin/env bash
# Prints the job matrix: MATRIX in SHARDS, with what BRIDGE and WHERE select.
set -euo pipefail

"$(dirname "${BASH_SOURCE[0]}")/expect.sh"

# A file of the caller's, or the name of one of the harness's own.
[[ -f $MATRIX ]] || MATRIX=${HARNESS_MATRICES:?}/$MATRIX.yaml
arguments=("$MATRIX" --format github --shards "${SHARDS:-1}")
where=${WHERE:-}
if [[ -n ${BRIDGE:-} ]]; then
    arguments+=(--bridge "$BRIDGE")
    # As `harness gate --bridge` does, so that its shards are these.
    read -r name <<<"${BRIDGE%%=*}"
    where="path:$name${where:+ and ($where)}"
fi
[[ -z $where ]] || arguments+=(--where "$where")
[[ -z ${COSTS:-} ]] || arguments+=(--costs "$COSTS")
jobs=$(harness plan "${arguments[@]}")
echo "$jobs"
echo "jobs=$jobs" >>"${GITHUB_OUTPUT:?}"
