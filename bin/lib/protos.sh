# Checks the protos: their form, and that no change breaks what is frozen (docs/api-style.md).

# The frozen form of the protos, which bin/freeze-protos writes.
frozen=proto/v1.binpb

protos() {
    have_buf || return 0
    check "protos" buf lint
    check "no breaking change since $frozen" buf breaking --against "$frozen"
}
