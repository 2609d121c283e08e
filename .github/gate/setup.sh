#!/usr/bin/env bash
# Installs the harness of this checkout, and what it needs of the system, on a runner or in a
# container; puts `harness` on the path of the steps that follow.
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=${RUNNER_TEMP:-/tmp}/harness

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

needed=(bubblewrap ca-certificates debian-archive-keyring git mmdebstrap python3-venv)
# Without root's rights, the files of a root folder belong to ids of this user's own.
((EUID == 0)) || needed+=(uidmap)
missing=()
for package in "${needed[@]}"; do
    dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null |
        grep -qx installed || missing+=("$package")
done
if ((${#missing[@]})); then
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}"
fi

# In a container, the checkout belongs to another user, and git reads it for nobody else.
if [[ -n ${GITHUB_WORKSPACE:-} ]] &&
    ! git config --global --get-all safe.directory | grep -qxF "$GITHUB_WORKSPACE"; then
    git config --global --add safe.directory "$GITHUB_WORKSPACE"
fi

# Ubuntu keeps programs without root's rights from making namespaces.
restricted=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
if ((EUID != 0)) && [[ -r $restricted && $(<"$restricted") == 1 ]]; then
    as_root sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0
fi

python=
for name in python3 python3.13 python3.12 python3.11; do
    # A shim may be there without a Python behind it.
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$name
        break
    fi
done
if [[ -z $python ]]; then
    echo "::error title=no Python 3.11::the harness needs Python 3.11 or newer, and this machine" \
        "has $(python3 --version 2>&1 || true); add a step with actions/setup-python before"
    exit 4
fi
"$python" -m venv "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check "$source"
echo "$venv/bin" >>"${GITHUB_PATH:?}"
echo "HARNESS_MATRICES=$source/matrices" >>"${GITHUB_ENV:?}"
"$venv/bin/harness" --version
