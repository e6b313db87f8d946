# The TypeScript client and the dashboard: their build, their form, and the dashboard's stories in Debian's Chromium.

have_npm() {
    if command -v npm >/dev/null; then return; fi
    skip "Node and npm are not installed, so the dashboard is not built"
    return 1
}

# Installs the browser that the stories run in.
have_chromium() {
    if command -v chromium >/dev/null; then return; fi
    if is_debian_root; then
        apt_install chromium fonts-dejavu-core
    else
        skip "Chromium is not installed (needs root on Debian)"
        return 1
    fi
}

# Builds the dashboard before the server, whose binary holds it.
build_dashboard() {
    have_npm || return 0
    check "the dashboard" bin/dashboard
}

# The stubs in the repository are those of the protos.
stubs() { npm run --silent --prefix clients generate && git diff --exit-code --stat -- clients/typescript/src; }

check_dashboard() {
    have_npm || return 0
    check "stubs of the TypeScript client" stubs
    check "form and types of the dashboard" npm run --silent --prefix clients check
}

stories() {
    local binary
    binary="$(realpath "${CARGO_TARGET_DIR:-target}")/debug/trunkline"
    TRUNKLINE_BIN="$binary" EMBEDDED=1 node clients/dashboard/tests/run.mjs
}

dashboard() {
    have_npm || return 0
    check "the binary with the dashboard" cargo build --locked --quiet || return 0
    check "the TypeScript client" npm test --silent --prefix clients/typescript
    have_chromium || return 0
    check "the dashboard in a browser" stories
}
