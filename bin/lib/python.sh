# Checks with stock clients in Python, each with its pinned packages in its own virtual environment.

# `have_venv NAME`: installs tests/NAME/requirements.txt if needed and sets `venv`. A change of the file makes a new
# one.
have_venv() {
    local wanted
    wanted="tests/$1/requirements.txt"
    venv="$cache/venv-$1-$(sha256sum "$wanted" | cut -c1-12)"
    [ ! -e "$venv/complete" ] || return 0
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        if is_debian_root; then apt_install python3-venv; else skip "$1: no python3 with venv" && return 1; fi
    fi
    say "installing the packages of $wanted"
    rm -rf "$venv"
    { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" &&
        touch "$venv/complete"; } || { skip "$1: its Python packages could not be installed" && return 1; }
}

# `with_sandbox COMMAND…`: runs a command with a fresh sandbox, whose `url`, `key` and `admin_key` are set.
with_sandbox() {
    local dir server result=0
    dir=$(mktemp -d)
    "${CARGO_TARGET_DIR:-target}/debug/trunkline" serve --sandbox --sandbox-speed 100 --listen 127.0.0.1:0 \
        --data-dir "$dir/data" --webhook-networks 127.0.0.0/8 --log-format text >"$dir/out" 2>"$dir/log" &
    server=$!
    until grep -qs 'listening on' "$dir/log"; do
        kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2 && return 1; }
        sleep 0.1
    done
    url="http://$(sed -n 's/.*listening on \([0-9.:]*\).*/\1/p' "$dir/log")"
    key=$(sed -n 's/^ *API key *//p' "$dir/out")
    admin_key=$(cat "$dir/data/admin.key")
    "$@" || result=$?
    kill "$server"
    wait "$server" || true
    [ "$result" = 0 ] || grep -E 'WARN|ERROR|panicked' "$dir/log" | tail -n 20 >&2 || true
    rm -rf "$dir"
    return "$result"
}

stock_client() { "$venv/bin/python" tests/clients/stock_client.py "${url#http://}" "$key" proto; }

# Schemathesis does not test the stream, which has no end to wait for (tests/rest/events.rs and
# tests/contract/queues.rs compare it with its description). Nor does it test methods in which null is a change: it counts a
# body without their mask as wrong (tests/e2e/queues/rules.rs and tests/e2e/queues/operations.rs test them).
readonly NOT_FUZZED=(WatchCalls SetQueueRules UpdateQueueRules UpdateCall)
# Every run sends the same requests. SCHEMATHESIS_SEED sets another seed.
readonly SEED="${SCHEMATHESIS_SEED:-20261125}"
# The least number of requests in all runs together.
readonly FEWEST=5000

# `fuzz KEY LOG OPTION…`: runs all checks of schemathesis, including the stateful ones, on the operations that the
# options select.
fuzz() {
    local options=() id
    for id in "${NOT_FUZZED[@]}"; do options+=(--exclude-operation-id "$id"); done
    PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=tests/schemathesis/hooks.py timeout 300 "$venv/bin/st" run "$url/openapi.json" \
        --url "$url/calling/api/v1" -H "X-API-KEY: $1" --checks all --seed "$SEED" --generation-database none \
        --continue-on-failure --request-timeout 30 --no-color "${options[@]}" "${@:3}" 2>&1 | tee "$2"
}

# Tests the client's operations with the client's key, and those below /admin/ with the admin key.
fuzzed() {
    local log="${CARGO_TARGET_DIR:-target}/schemathesis" requests
    mkdir -p "$log"
    # A deleted queue can still be read by its id, because its calls are history.
    fuzz "$key" "$log/client.log" --exclude-path-regex /admin/ --exclude-checks use_after_free --max-examples "$1" || return
    fuzz "$admin_key" "$log/admin.log" --include-path-regex /admin/ --max-examples "$2" || return
    requests=$(($(sed -nE 's/^ *([0-9,]+) generated.*/\1/p' "$log"/{client,admin}.log | tr -d , | paste -sd+)))
    echo "schemathesis: $requests requests, seed $SEED, 0 failures"
    [ "$requests" -ge "$FEWEST" ] || { echo "fewer than $FEWEST requests" >&2 && return 1; }
}

stock_clients() {
    local venv url key admin_key
    # It is built as the tests build it, so that nothing is left to build after they have run.
    check "the binary for the clients" cargo test --locked --quiet --no-run --test contract || return 0
    have_venv clients && check "a stock gRPC client" with_sandbox stock_client
    have_venv schemathesis && check "schemathesis" with_sandbox fuzzed 150 100
    return 0
}
