#!/usr/bin/env bash
# Prints what BRIDGE is held against: BASE, where the caller says it; else, in a pull request, the
# bridge's own tree without what the pull request changes; else the released bridge.  PULL_BASE is
# the commit of the pull request's base that GitHub names.
set -euo pipefail

read -r place <<<"${BRIDGE#*=}"
# PATH@REF; a folder may have an @ of its own.
[[ -d $place ]] || place=${place%@*}

ask() { git -C "$place" "$@"; }

without_the_pull_request() {
    local head
    head=$(ask rev-parse --verify HEAD) || return
    if [[ $head == "${GITHUB_SHA:-}" && ${GITHUB_REF:-} == refs/pull/*/merge ]]; then
        # The pull request as merged into its base of now: PULL_BASE may be older than that, and
        # what others changed since would count as changed by this one.
        ask rev-parse --verify --quiet 'HEAD^1^{commit}'
    elif ask rev-parse --verify --quiet "$PULL_BASE^{commit}" >/dev/null; then
        # A branch as it is: what its base alone has would count as changed.
        ask merge-base HEAD "$PULL_BASE"
    elif [[ $(ask rev-parse --is-shallow-repository) == true ]]; then
        return 1
    else
        # Another repository's.
        echo released
    fi
}

# Against itself every change is let through.
other_than_head() {
    local base
    base=$(without_the_pull_request) || return 1
    if [[ $base == "$(ask rev-parse --verify HEAD)" && -z $(ask status --porcelain --untracked-files=no) ]]; then
        echo "::error title=no change::$place is the base of the pull request itself: check out" \
            "the pull request (on: pull_request, not pull_request_target), or say with 'base'" \
            "what to hold it against" >&2
        exit 2
    fi
    echo "$base"
}

if [[ -n ${BASE:-} ]]; then
    echo "$BASE"
elif [[ -z ${PULL_BASE:-} || ! -d $place ]]; then
    # Without a pull request; or a version, an address, an archive, which have no tree here.
    echo released
elif ! other_than_head; then
    echo "::error title=no base::$place has no history to take the base of the pull request from:" \
        "give actions/checkout 'fetch-depth: 0', or say with 'base' what to hold it against" >&2
    exit 2
fi
