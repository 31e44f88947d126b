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

# run_corpus SUITE self|user [corpus.py's options and the runner's…]
run_corpus() {
  local suite=$1 who=$2
  shift 2
  local launcher bun prefix=()
  launcher=$("$ROOT/scripts/build")
  bun=$("$ROOT/scripts/bun")
  if [[ $who == user ]]; then prefix=("$ROOT/scripts/as-user"); fi
  "${prefix[@]}" python3 "$ROOT/scripts/corpus.d/corpus.py" "$suite" --corpus "$corpus" \
    --packages "$packages/node_modules" --launcher "$launcher" --bun "$bun" "$@"
}
