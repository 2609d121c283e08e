#!/usr/bin/env bash
# Reads the list in EXPECT: a fault in it is told before anything is run, and not by the last job.
set -euo pipefail

[[ -n ${EXPECT:-} ]] || exit 0
# The harness's own Python, and isolated: the caller's folder may have a module of the same name.
"$(dirname "$(command -v harness)")/python3" -I - "$EXPECT" <<'PYTHON'
import sys
from pathlib import Path

from harness.errors import HarnessError
from harness.gate import load_expectations
from harness.text import clean

try:
    load_expectations(Path(sys.argv[1]))
except HarnessError as error:
    print(f"harness: {clean(str(error))}", file=sys.stderr)
    sys.exit(int(error.exit_code))
PYTHON
