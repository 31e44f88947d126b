#!/usr/bin/env python3
"""Runs one of the corpus' runners over a private copy of the corpus and judges what it reports.

The runners print verdicts but exit 0 whatever these are. Here a run fails when an attack escaped or was stopped by
nothing but the clock, when an honest program was blocked, and when fewer programs ran than the scope promises.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCOPE = json.loads((HERE / "scope.json").read_text())


def arguments() -> tuple[argparse.Namespace, list[str]]:
    """What scripts/attack and scripts/benign pass, and the rest, which is the runner's."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("suite", choices=["attack", "benign"])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--packages", type=Path, required=True, help="node_modules of the honest programs")
    parser.add_argument("--launcher", required=True)
    parser.add_argument("--bun", required=True)
    parser.add_argument("--without", help="what takes namespaces away: run as where there are none")
    parser.add_argument("--deny-eval", action="store_true", help="run benign programs under policies without eval")
    return parser.parse_known_args()


def skipped(options: argparse.Namespace) -> set[str]:
    """Ids, policies and kinds that are left out, each for the reason that scope.json gives."""
    tokens = set(SCOPE["not_available_yet"])
    if options.suite == "attack" and os.geteuid() != 0:
        tokens |= set(SCOPE["needs_root"])
    if options.suite == "benign" and options.deny_eval:
        tokens |= set(SCOPE["needs_eval"])
    if options.without:
        exceptions = SCOPE["needs_namespaces"]
        tokens |= set(exceptions[options.suite])
        if options.suite == "benign" and os.geteuid() == 0:
            tokens |= set(exceptions["benign_as_root"])
    return tokens


def in_scope(programs: list[dict], tokens: set[str]) -> list[str]:
    """The ids that must run."""
    return [p["id"] for p in programs if not {p["id"], p["policy"], "kind:" + p["kind"]} & tokens]


def runner_command(options: argparse.Namespace, corpus: Path, scratch: Path, tokens: set[str]) -> list[str]:
    """The runner of the suite with the launcher's command lines filled in."""
    around = f"{shlex.quote(options.without)} namespaces " if options.without else ""
    secure_bun = f"{around}{shlex.quote(options.launcher)} run --bun {shlex.quote(options.bun)}"
    adapter = [sys.executable, str(corpus / "to_secure_bun.py")]
    if options.deny_eval:
        adapter.insert(1, str(HERE / "deny_eval.py"))
    if options.without:
        adapter.insert(1, str(HERE / "landlock_alone.py"))
    if options.suite == "attack":
        # run.py tells policies from categories by a prefix ("net" is both); run_benign.py knows no prefix.
        runner, tokens = "run.py", {t if ":" in t or t.isdigit() else "policy:" + t for t in tokens}
    else:
        runner = "run_benign.py"
    return [
        sys.executable,
        str(corpus / runner),
        "--cmd", secure_bun + " --policy {policy} {file}",
        "--call-cmd", secure_bun + ' --json --input {{\\"n\\":1}} --policy {policy} {file}',
        "--policy-adapter", shlex.join(adapter),
        "--range", str(scratch / "range"),
        "--skip", ",".join(sorted(tokens)),
        "--out", str(scratch / "out.json"),
    ]  # fmt: skip


def run_and_count(command: list[str]) -> tuple[int, int, int]:
    """Runs the runner, shows what it says, and counts the ways that its programs tried: those that worked, and the rest.

    Programs that know several ways say how each went, if --variants asks them to try all. Where success is fine, it is
    as it should be.
    """
    live = dead = 0
    program = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as runner:
        for line in runner.stdout:
            print(line, end="", flush=True)
            if named := re.match(r"(\d{3}) ", line):
                program = named[1]
            if said := re.match(r" *VARIANTS live=(\d+) .* dead=(\d+) ", line):
                worked, failed = int(said[1]), int(said[2])
                if program in SCOPE["success_is_fine"]:
                    worked, failed = 0, worked + failed
                live, dead = live + worked, dead + failed
    return runner.returncode, live, dead


def failure(suite: str, result: dict) -> str | None:
    """Why a program's result fails the run, if it does."""
    if suite == "benign":
        return None if result["ok"] else f"blocked under policy {result['policy']}: {result['err'].strip()[-300:]}"
    verdict = result["verdict"]
    if verdict in ("stopped", "CLAIMED") or (verdict == "TIMEOUT" and result["id"] in SCOPE["timeout_is_fine"]):
        return None
    if verdict == "ESCAPED" and result["id"] in SCOPE["success_is_fine"]:
        return None
    return f"{verdict}: {result['said'][:300]}"


def judge(suite: str, results: list[dict], expected: list[str]) -> bool:
    """Prints every failure and one line of summary; true when there is no failure."""
    failures = {r["id"] + " " + r["name"]: why for r in results if (why := failure(suite, r))}
    missing = sorted(set(expected) - {r["id"] for r in results})
    for name, why in failures.items():
        print(f"FAILED {name}: {why}")
    if missing:
        print(f"FAILED did not run: {', '.join(missing)}")
    if not results:
        print("FAILED no program was selected")
    good = len(results) - len(failures)
    print(f"{suite}: {good} of {len(results)} as they should be, {len(missing)} missing, as uid {os.geteuid()}")
    return bool(results) and not failures and not missing


def main() -> int:
    options, for_runner = arguments()
    tokens = skipped(options)
    with tempfile.TemporaryDirectory(prefix="corpus-") as name:
        scratch = Path(name)
        # Open to every user: what keeps an attack from the range must be the sandbox alone.
        scratch.chmod(0o755)
        corpus = scratch / "corpus"
        shutil.copytree(options.corpus, corpus, symlinks=True)
        if options.suite == "benign":
            shutil.copytree(options.packages, corpus / "benign" / "node_modules", symlinks=True)
        folder = "attacks" if options.suite == "attack" else "benign"
        programs = json.loads((corpus / folder / "manifest.json").read_text())
        # A selection of one's own cannot miss anything; the suite as a whole can.
        expected = [] if "--only" in for_runner else in_scope(programs, tokens)
        status, live, dead = run_and_count([*runner_command(options, corpus, scratch, tokens), *for_runner])
        out = scratch / "out.json"
        if status != 0 or not out.exists():
            print(f"FAILED the runner itself: exit status {status}")
            return 1
        good = judge(options.suite, json.loads(out.read_text()), expected)
        if live or dead:
            print(f"{options.suite}: {dead} of {live + dead} variants as they should be")
            good = good and live == 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
