#!/usr/bin/env python3
"""The judge of the corpus must be able to say no."""

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import corpus

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "corpus"


def judged(suite: str, results: list[dict], expected: list[str]) -> tuple[bool, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        good = corpus.judge(suite, results, expected)
    return good, out.getvalue()


def attack(verdict: str) -> dict:
    return {"id": "001", "name": "some-attack", "verdict": verdict, "said": "what it said"}


class Judge(unittest.TestCase):
    def test_attacks_that_got_nowhere_pass(self):
        for verdict in ("stopped", "CLAIMED"):
            self.assertTrue(judged("attack", [attack(verdict)], ["001"])[0], verdict)

    def test_any_other_verdict_fails_and_is_named(self):
        for verdict in ("ESCAPED", "TIMEOUT", "n/a", "a new one"):
            good, out = judged("attack", [attack(verdict)], ["001"])
            self.assertFalse(good, verdict)
            self.assertIn(f"FAILED 001 some-attack: {verdict}", out)

    def test_a_blocked_honest_program_fails(self):
        program = {"id": "010", "name": "lodash", "policy": "none", "ok": True, "err": ""}
        self.assertTrue(judged("benign", [program], ["010"])[0])
        good, out = judged("benign", [program | {"ok": False, "err": "EvalError"}], ["010"])
        self.assertFalse(good)
        self.assertIn("blocked under policy none: EvalError", out)

    def test_a_program_that_did_not_run_fails(self):
        good, out = judged("attack", [attack("stopped")], ["001", "003"])
        self.assertFalse(good)
        self.assertIn("did not run: 003", out)

    def test_running_nothing_fails(self):
        self.assertFalse(judged("attack", [], [])[0])


class Scope(unittest.TestCase):
    def test_every_exception_is_about_something_that_exists(self):
        attacks = json.loads((CORPUS / "attacks" / "manifest.json").read_text())
        benign = json.loads((CORPUS / "benign" / "manifest.json").read_text())
        ids = {suite: {p["id"] for p in programs} for suite, programs in (("attack", attacks), ("benign", benign))}
        policies = {p.stem for p in (CORPUS / "policies").glob("*.json")}
        kinds = {"kind:" + p["kind"] for p in attacks + benign}
        self.assertLessEqual(set(corpus.SCOPE["not_available_yet"]), policies | kinds)
        self.assertLessEqual(set(corpus.SCOPE["needs_eval"]), ids["benign"])
        self.assertLessEqual(set(corpus.SCOPE["needs_root"]) | set(corpus.SCOPE["timeout_is_fine"]), ids["attack"])
        self.assertLessEqual(set(corpus.SCOPE["success_is_fine"]), ids["attack"])
        exceptions = corpus.SCOPE["needs_namespaces"]
        self.assertLessEqual(set(exceptions["attack"]), ids["attack"] | policies)
        self.assertLessEqual(set(exceptions["benign"]) | set(exceptions["benign_as_root"]), ids["benign"] | policies)


@unittest.skipUnless("SECURE_BUN_BUN" in os.environ, "scripts/test provides Bun")
class WithoutSandbox(unittest.TestCase):
    """A launcher that sandboxes nothing: what the attacks do then shows that they work on this machine."""

    def run_attacks(self, launcher_body: str, *more: str) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as folder:
            launcher = Path(folder) / "launcher"
            launcher.write_text("#!/usr/bin/env bash\n" + launcher_body)
            launcher.chmod(0o755)
            command = [sys.executable, corpus.__file__, "attack", "--corpus", CORPUS, "--packages", "/nowhere"]
            command += ["--launcher", launcher, "--bun", os.environ["SECURE_BUN_BUN"], "--only", "001,015,031,050,152", *more]
            return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def test_bare_bun_lets_the_attacks_through(self):
        run = self.run_attacks(f'exec {shlex.quote(os.environ["SECURE_BUN_BUN"])} run "${{@: -1}}"\n')
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        self.assertIn("attack: 0 of 5 as they should be", run.stdout)

    def test_all_variants_are_tried_and_count(self):
        run = self.run_attacks(f'exec {shlex.quote(os.environ["SECURE_BUN_BUN"])} run "${{@: -1}}"\n', "--variants")
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        self.assertRegex(run.stdout, r"VARIANTS live=[2-9] \[\w+,\w+")
        self.assertRegex(run.stdout, r"attack: \d of \d\d variants as they should be")

    def test_a_launcher_that_runs_nothing_stops_nothing(self):
        run = self.run_attacks("exit 1\n")
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        self.assertIn("CONTROL FAILED", run.stderr)


if __name__ == "__main__":
    unittest.main()
