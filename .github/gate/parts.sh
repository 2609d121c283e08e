#!/usr/bin/env bash
# Prints the folders with results below PARTS, or with ARM that arm's of a gate.  Of several
# artefacts, download-artifact makes a folder each; a single one it unpacks into PARTS itself.
set -euo pipefail
shopt -s nullglob

arm=${1:+/$1}
for folder in "$PARTS$arm" "$PARTS"/*"$arm"; do
    # A job that was cut off has left its journal alone, or one in which nothing stands yet.
    if [[ -e $folder/results.json || -s $folder/journal.jsonl ]]; then echo "$folder"; fi
done
