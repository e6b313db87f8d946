# Makes root file systems with Asterisk and sipp, which Debian 12 does not have but other Debian releases do.

# `have_asterisk MAJOR SUITE`: makes one if it is missing, and exports its path for the tests.
have_asterisk() {
    local root="$cache/asterisk/$1"
    if ! is_debian_root; then
        skip "real Asterisk $1 needs root on Debian"
        return 0
    fi
    [ -x "$root/usr/sbin/asterisk" ] || make_root "$root" "$2" || {
        skip "no Asterisk $1: its root file system could not be made"
        return 0
    }
    if [ "$(asterisk_version "$root")" != "$1" ]; then
        skip "$root holds Asterisk $(asterisk_version "$root"), not $1: Debian's $2 has moved on"
        return 0
    fi
    export "TRUNKLINE_TEST_ASTERISK_$1=$root"
}

asterisk_version() { chroot "$1" asterisk -V 2>/dev/null | sed -E 's/^Asterisk ([0-9]+).*/\1/'; }

# `make_root ROOT SUITE`: makes a whole root file system or none, even if it is interrupted. A second run waits for it.
make_root() (
    mkdir -p "${1%/*}"
    exec {lock}>"$1.lock"
    flock "$lock"
    [ ! -x "$1/usr/sbin/asterisk" ] || return 0
    say "making a root file system of Debian's $2, for Asterisk ${1##*/}"
    rm -rf "$1.partial"
    # It runs in its own namespaces, so that the mounts of an interrupted debootstrap go away with it.
    unshare --mount --pid --fork --kill-child debootstrap --variant=minbase --include=asterisk,sip-tester \
        --components=main "$2" "$1.partial" "$(debian_mirror)" >"$1.log" 2>&1 || {
        tail -n 20 "$1.log" >&2
        return 1
    }
    rm -rf "$1.partial/var/cache/apt/archives"
    mv "$1.partial" "$1"
)

# The mirror that this machine's apt uses.
debian_mirror() {
    local release
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release="$release" '$2 == release && $3 == "main" { print $1; exit }'
}
