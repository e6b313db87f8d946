# The tools that the checks need. Installed ones are used; others are fetched once into the cache.

readonly NEXTEST=0.9.143 CARGO_DENY=0.20.2 CARGO_CYCLONEDX=0.5.9 BUF=1.75.0

cache="${XDG_CACHE_HOME:-$HOME/.cache}/trunkline"
PATH="$cache/tools/bin:$cache/buf-$BUF/node_modules/.bin:$PATH"

is_debian_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() {
    say "installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# Installs the packages for building and for the root file systems.
have_packages() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    command -v setpriv >/dev/null || missing+=(util-linux)
    if [ ${#missing[@]} = 0 ]; then return; fi
    if is_debian_root; then apt_install "${missing[@]}"; else skip "not installed: ${missing[*]} (needs root on Debian)"; fi
}

# Installs PostgreSQL's programs. The package is told not to start a server, because the tests start their own.
have_postgres() {
    if compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then return; fi
    if ! is_debian_root; then
        skip "PostgreSQL is not installed (needs root on Debian)"
        return
    fi
    local no_cluster=/etc/postgresql-common/createcluster.d/no-cluster.conf
    mkdir -p "${no_cluster%/*}"
    echo 'create_main_cluster = false' >"$no_cluster"
    apt_install postgresql
    rm "$no_cluster"
}

# Installs nginx, which a test puts before the server. The package is told not to start a server.
have_nginx() {
    if [ -x /usr/sbin/nginx ]; then return; fi
    if ! is_debian_root; then
        skip "nginx is not installed (needs root on Debian)"
        return
    fi
    local policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        apt_install nginx
        return
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    apt_install nginx
    rm "$policy"
}

# Installs libfaketime, which sets the clock of one server in the chaos test.
have_faketime() {
    if compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null; then return; fi
    if is_debian_root; then apt_install libfaketime; else skip "libfaketime is not installed (needs root on Debian)"; fi
}

# `cargo_tool NAME VERSION`: builds a tool without optimisation, in a quarter of the time, because it runs only once.
cargo_tool() {
    command -v "$1" >/dev/null && return
    say "installing $1 $2"
    CARGO_TARGET_DIR="$run_dir/$1" cargo install --quiet --locked --debug --root "$cache/tools" "$1@$2" ||
        { skip "$1 could not be installed" && return 1; }
}

have_nextest() { cargo_tool cargo-nextest "$NEXTEST"; }

have_cargo_deny() { cargo_tool cargo-deny "$CARGO_DENY"; }

have_cargo_cyclonedx() { cargo_tool cargo-cyclonedx "$CARGO_CYCLONEDX"; }

have_buf() {
    command -v buf >/dev/null && return
    say "installing buf $BUF"
    npm install --silent --no-audit --no-fund --prefix "$cache/buf-$BUF" "@bufbuild/buf@$BUF" ||
        { skip "buf could not be installed" && return 1; }
}
