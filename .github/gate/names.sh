#!/usr/bin/env bash
# Says how artefacts are called: as `part`, what the job of SHARD leaves; as `parts`, the pattern
# that fits those of all jobs; as `gate`, the verdict.  An artefact's name is one in the whole run
# of a workflow, so NAME tells several gates in it apart.  `week` is what a cache is kept for: one
# for each run would push all others out of the room that GitHub gives to a repository.
set -euo pipefail

name=${NAME:-}
# With `part` in it, the pattern of another gate could fit.
if [[ -n $name && (! $name =~ ^[A-Za-z0-9._-]+$ || -$name- == *-part-*) ]]; then
    echo "::error title=no name for artefacts::'name' takes letters, digits, '.', '_' and '-', and" \
        "no '-part-'; write name: rpy2"
    exit 2
fi
prefix=harness${name:+-$name}
shard=${SHARD:-}
{
    echo "part=$prefix-part-${shard/\//-of-}"
    echo "parts=$prefix-part-*"
    echo "gate=$prefix-gate"
    echo "week=$(date -u +%G-%V)"
} >>"${GITHUB_OUTPUT:?}"
