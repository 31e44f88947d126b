# shellcheck shell=bash
# Sourced by scripts/attack and scripts/benign: what both need before corpus.py can run.
source "$(dirname -- "${BASH_SOURCE[0]}")/../project.sh"

corpus="$ROOT/tests/corpus"
packages="$BUILD/corpus"

# The packages that the honest programs import; installed outside the vendored folder, which stays as it is.
provide_packages() (
  hold_lock corpus
  mkdir -p -- "$packages"
  cp -- "$corpus/benign/package.json" "$corpus/benign/package-lock.json" "$packages"
  npm_ci "$packages"
)

# Sets launcher and bun. Not part of run_corpus, which is called in conditions, where bash ignores errexit.
provide_launcher() {
  launcher=$("$ROOT/scripts/build")
  bun=$("$ROOT/scripts/bun")
}

# Sets options and the rest of the arguments, for those that scripts/attack and scripts/benign share.
parse_arguments() {
  who=self
  options=()
  while [[ ${1:-} == --as-user || ${1:-} == --without-namespaces ]]; do
    if [[ $1 == --as-user ]]; then who=user; else options+=(--without "$(emulator)"); fi
    shift
  done
  options+=("$@")
}

# The path of the program that makes this machine one that lacks something.
emulator() {
  choose_target
  at_root cargo build --quiet --locked -p secure-bun-tests --bin without >&2
  built_binary debug without
}

# run_corpus SUITE self|user [corpus.py's options and the runner's…]
run_corpus() {
  local suite=$1 who=$2 prefix=()
  shift 2
  if [[ $who == user ]]; then prefix=("$ROOT/scripts/as-user"); fi
  "${prefix[@]}" python3 "$ROOT/scripts/corpus.d/corpus.py" "$suite" --corpus "$corpus" \
    --packages "$packages/node_modules" --launcher "$launcher" --bun "$bun" "$@"
}
