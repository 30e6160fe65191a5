# What the scripts of this repository share: finding or installing a Rust toolchain that builds the
# runtime, and one that builds WebAssembly components. Sourced, not run.
# shellcheck shell=bash disable=SC2034
#
# Two kinds of machine are served. With rustup, missing targets are added by rustup. Without it, Debian's
# `rustc-web` packages are installed; they bring no WebAssembly standard library, only its source, from
# which cargo builds it once.

# The oldest Rust that builds the runtime, as in Cargo.toml.
NEEDED_RUST=1.95
# A download that takes longer than this is taken for a machine without network.
RUSTUP_SECONDS=180

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "\`$*\` needs root; run it yourself, then start this script again"
    fi
}

# install_packages PACKAGE... : what is missing, without taking anything away.
install_packages() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || return 1
    say "installing ${missing[*]}"
    if [ -z "${apt_updated:-}" ]; then
        as_root apt-get update -qq >&2 || true
        apt_updated=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends --no-remove "${missing[@]}" >&2
}

# rust_is_new_enough RUSTC
rust_is_new_enough() {
    local version
    version=$("$1" --version 2>/dev/null | cut -d' ' -f2) || return 1
    [ -n "$version" ] && [ "$(printf '%s\n%s\n' "$NEEDED_RUST" "$version" | sort -V | head -n 1)" = "$NEEDED_RUST" ]
}

# Makes sure `cargo` builds the runtime.
need_cargo() {
    if command -v cargo >/dev/null && rust_is_new_enough rustc; then
        :
    elif command -v rustup >/dev/null; then
        fail "$(rustc --version) is too old: run \`rustup update stable\` for $NEEDED_RUST or newer"
    else
        install_packages rustc-web cargo-web ||
            fail "no Rust here: install $NEEDED_RUST or newer from https://rustup.rs, then start this script again"
        export PATH=/usr/bin:$PATH
        hash -r
        rust_is_new_enough rustc || fail "$(rustc --version) is too old: install $NEEDED_RUST or newer from https://rustup.rs"
    fi
    # SQLite is C.
    command -v cc >/dev/null || install_packages gcc libc6-dev ||
        fail "no C compiler here: install one that answers to \`cc\`"
}

# Makes sure `cargo fmt` and `cargo clippy` are there.
need_lints() {
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
    if command -v rustup >/dev/null; then
        rustup component add rustfmt clippy >&2
    else
        install_packages rustfmt-web rust-web-clippy || fail "no \`cargo fmt\` and \`cargo clippy\` here: install them"
    fi
}

need_python() {
    command -v python3 >/dev/null || install_packages python3 || fail "no python3 here: install it"
}

# need_python_packages FOLDER REQUIREMENTS : an environment of its own in FOLDER, made again when the
# requirements change.
need_python_packages() {
    local folder=$1 requirements=$2
    need_python
    cmp -s "$requirements" "$folder/requirements.txt" && return
    say "installing $(paste -s -d ' ' "$requirements") into $folder"
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    if ! python3 -m venv "$folder" >/dev/null 2>&1; then
        install_packages python3-venv || fail "python3 can't make environments here: install its \`venv\` module"
        rm -rf "$folder"
        python3 -m venv "$folder"
    fi
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
    # Last, so that an installation that was interrupted starts again.
    cp "$requirements" "$folder/requirements.txt"
}

# need_node_packages FOLDER PACKAGES : what the package-lock.json in the folder PACKAGES names, installed into FOLDER,
# again when it changes. Fails where there is no Node and none can be installed.
need_node_packages() {
    local folder=$1 packages=$2
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        install_packages nodejs npm || return 1
    fi
    cmp -s "$packages/package-lock.json" "$folder/installed.json" && return
    say "installing $(sed -n 's/^ *"\(@aws-sdk.*\)": "\(.*\)"$/\1@\2/p' "$packages/package.json") into $folder"
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$packages/package.json" "$packages/package-lock.json" "$folder"
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error >&2 || return 1
    # Last, so that an installation that was interrupted starts again.
    cp "$packages/package-lock.json" "$folder/installed.json"
}

# The folder of a rustc's own tools.
tools_of() {
    local rustc=$1 host
    host=$("$rustc" -vV | sed -n 's/^host: //p')
    echo "$("$rustc" --print sysroot)/lib/rustlib/$host/bin"
}

# The newest `wasm-ld` outside of Rust's own folders.
system_wasm_ld() {
    command -v wasm-ld || find /usr/bin -name 'wasm-ld-[0-9]*' 2>/dev/null | sort -V | tail -n 1
}

has_target() { [ -d "$(rustc --print sysroot 2>/dev/null)/lib/rustlib/$1/lib" ]; }

has_debian_rust() {
    rust_is_new_enough /usr/bin/rustc && [ -x /usr/bin/cargo ] &&
        [ -f "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.toml" ] &&
        [ -n "$(system_wasm_ld)" ]
}

# need_wasm_rust TARGET : exports what cargo needs to build for it, and sets `cargo_wasm` to the command.
need_wasm_rust() {
    local target=$1 kind=${SANDSTEP_WASM_RUST:-}
    if [ -z "$kind" ]; then
        if command -v rustc >/dev/null && rust_is_new_enough rustc && has_target "$target"; then
            kind=installed
        elif has_debian_rust; then
            kind=debian
        elif command -v rustup >/dev/null && say "adding $target to rustup's toolchain" &&
            timeout "$RUSTUP_SECONDS" rustup target add "$target" >&2; then
            kind=installed
        else
            kind=debian
        fi
    fi
    case $kind in
    installed) use_installed_rust "$target" ;;
    debian) use_debian_rust "$target" ;;
    *) fail "SANDSTEP_WASM_RUST is \`$kind\`: write \`installed\`, \`debian\` or leave it out" ;;
    esac
}

use_installed_rust() {
    local target=$1 tools wasm_ld
    cargo_wasm=(cargo)
    # The WASI target makes components by itself.
    [ "$target" = wasm32-wasip2 ] && return
    tools=$(tools_of rustc)
    wasm_ld=$tools/gcc-ld/wasm-ld
    [ -x "$wasm_ld" ] || wasm_ld=$(system_wasm_ld)
    use_linker "$target" "$tools/wasm-component-ld" "$wasm_ld"
}

use_debian_rust() {
    local target=$1
    if ! has_debian_rust; then
        install_packages rustc-web cargo-web rust-web-src lld-19 ||
            fail "no Rust for WebAssembly here: install rustup from https://rustup.rs, then start this script again"
    fi
    export PATH=/usr/bin:$PATH
    hash -r
    # The standard library's source needs unstable features of the compiler it belongs to.
    export RUSTC_BOOTSTRAP=1
    cargo_wasm=(/usr/bin/cargo "-Zbuild-std=std,panic_abort")
    if [ "$target" = wasm32-wasip2 ]; then
        install_packages wasi-libc || fail "no C library for WASI here: install wasi-libc"
        export CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS="-C link-self-contained=no -L native=/usr/lib/wasm32-wasi"
    fi
    use_linker "$target" "$(tools_of /usr/bin/rustc)/wasm-component-ld" "$(system_wasm_ld)"
}

# use_linker TARGET WASM-COMPONENT-LD WASM-LD : a component straight out of cargo. Where Rust brings no
# component linker it is a core module, which the server makes a component of at upload.
use_linker() {
    local variable
    variable=CARGO_TARGET_$(echo "$1" | tr 'a-z-' 'A-Z_')_LINKER
    if [ -x "$2" ] && [ -x "$3" ]; then
        export SANDSTEP_COMPONENT_LD=$2 SANDSTEP_WASM_LD=$3
        export "$variable=$tools_folder/linker/wasm-component-ld"
    elif [ -x "$3" ]; then
        export "$variable=$3"
    fi
}

tools_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
