# Checks the protos: their form, and that no change breaks a client of the last release.

protos() {
    have_buf || return 0
    check "protos" buf lint
    local against
    if ! against=$(proto_baseline); then
        say "there is no tag and no main branch to compare the protos with: breaking changes are not checked"
        return 0
    fi
    mkdir "$run_dir/protos-before"
    git archive "$against" proto buf.yaml | tar -x -C "$run_dir/protos-before"
    check "no breaking change since ${against:0:12}" buf breaking --against "$run_dir/protos-before"
}

# Prints the commit of the last tag before this one, else of the main branch. A shallow clone may have neither.
proto_baseline() {
    local ref
    for ref in "$(git describe --tags --abbrev=0 HEAD^ 2>/dev/null)" origin/main main; do
        if [ -n "$ref" ] && git cat-file -e "$ref:proto/trunkline" 2>/dev/null; then
            git rev-parse "$ref^{commit}"
            return
        fi
    done
    return 1
}
