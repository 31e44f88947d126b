# shellcheck shell=bash
# Sourced by the scripts: where the project's things are.

# What root builds here, the unprivileged half of the tests must be able to read.
umask 022

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
# Everything that the scripts download or install; git ignores it.
BUILD="$ROOT/.build"
export ROOT BUILD

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Runs a command from the project's root, where cargo finds .cargo/config.toml.
at_root() (
  cd -- "$ROOT" || exit
  "$@"
)

# The target that everything is built for. With musl the launcher starts 0.25 ms sooner: glibc asks the processor for its
# caches when it starts, and inside a virtual machine each question is answered by the host. Where Rust's library for
# musl can be neither found nor fetched, the launcher is linked with glibc and works the same.
choose_target() {
  [[ -z ${CARGO_BUILD_TARGET:-} ]] || return 0
  local native wanted
  native=$(rustc --print host-tuple)
  wanted=${native%-gnu}
  [[ $wanted == "$native" ]] || wanted+=-musl
  if [[ ! -e $BUILD/target ]]; then
    has_library "$wanted" || rustup target add "$wanted" >/dev/null 2>&1 || wanted=$native
    mkdir -p -- "$BUILD"
    printf '%s\n' "$wanted" >"$BUILD/target"
  fi
  CARGO_BUILD_TARGET=$(<"$BUILD/target")
  has_library "$CARGO_BUILD_TARGET" || CARGO_BUILD_TARGET=$native
  export CARGO_BUILD_TARGET
}

has_library() {
  [[ -e $(rustc --print target-libdir --target "$1") ]]
}

# The path of a binary of the workspace, of `release` or `debug`.
built_binary() {
  local target_dir
  target_dir=$(cd -- "$ROOT" && realpath -m -- "${CARGO_TARGET_DIR:-target}")
  printf '%s/%s/%s/%s\n' "$target_dir" "$CARGO_BUILD_TARGET" "$1" "$2"
}

# Installs exactly what the lock file in a folder says, unless its node_modules already holds that.
# The copy of the lock file is written last, so an interrupted installation is repeated.
npm_ci() {
  local folder=$1
  local stamp="$folder/node_modules/.installed-lock.json"
  cmp -s -- "$folder/package-lock.json" "$stamp" && return
  npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
  cp -- "$folder/package-lock.json" "$stamp"
}

# Holds a lock for the rest of the calling subshell, so that two scripts do not install the same thing at once.
hold_lock() {
  mkdir -p -- "$BUILD"
  exec 9>"$BUILD/$1.lock"
  flock 9
}
