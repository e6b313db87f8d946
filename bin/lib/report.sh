# Counts checks, reports skipped ones, and makes sure that no process and no mount is left behind.

passed=0
failed=0
skipped=()

say() { printf '\n== %s\n' "$*"; }

in_ci() { [ "${CI:-}" = true ]; }

# Reports something that cannot run here. In CI that is a failure; elsewhere it is repeated at the end.
skip() {
    if in_ci; then
        printf 'FAILED: %s\n' "$*" >&2
        failed=$((failed + 1))
    else
        skipped+=("$*")
    fi
}

# `check NAME COMMAND…`: runs one command as one check.
check() {
    say "$1"
    if "${@:2}"; then
        passed=$((passed + 1))
    else
        printf 'FAILED: %s\n' "$1" >&2
        failed=$((failed + 1))
    fi
}

# Adds the results in nextest's JUnit report and the tests that skipped themselves. Without a report the build failed.
count_nextest() {
    local tests failures errors reason
    if ! [ -s "$1" ]; then
        printf 'FAILED: the tests did not run, because they could not be built\n' >&2
        failed=$((failed + 1))
        return
    fi
    read -r tests failures errors < <(sed -nE \
        '/<testsuites /{s/.* tests="([0-9]+)".* failures="([0-9]+)".* errors="([0-9]+)".*/\1 \2 \3/p;q}' "$1")
    passed=$((passed + tests - failures - errors))
    failed=$((failed + failures + errors))
    while read -r reason; do skip "$reason"; done < <(sed -nE 's/.*SKIPPED: //p' "$1" | sort -u)
}

# Makes a directory for the run's temporary files, which also marks all of its processes.
begin() {
    run_dir=$(mktemp -d "${TMPDIR:-/tmp}/trunkline-test.XXXXXX")
    chmod 755 "$run_dir" # PostgreSQL runs as another user
    export TMPDIR="$run_dir"
    trap 'rm -rf "$run_dir"' EXIT
    SECONDS=0
}

# Prints the processes with this run's mark, and the mounts below its directory or the cache.
leftovers() {
    local environ
    for environ in $(env -u TMPDIR grep -lsxz "TMPDIR=$run_dir" /proc/[0-9]*/environ); do
        tr '\0' ' ' <"${environ%environ}cmdline" 2>/dev/null && echo
    done
    { cut -d' ' -f2 /proc/mounts | grep -F -e "$run_dir" -e "$cache/"; } 2>/dev/null || true
}

leaves_nothing_behind() {
    local left
    left=$(leftovers)
    [ -z "$left" ] || printf 'left behind: %s\n' "$left" >&2
    [ -z "$left" ]
}

finish() {
    local reason
    [ ! -d /proc/self ] || check "nothing left behind" leaves_nothing_behind
    for reason in "${skipped[@]}"; do printf 'SKIPPED: %s\n' "$reason" >&2; done
    printf '\n%d min %02d s\n%d passed, %d failed\n' $((SECONDS / 60)) $((SECONDS % 60)) "$passed" "$failed"
    [ "$failed" = 0 ]
}
