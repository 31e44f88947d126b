#!/usr/bin/env python3
"""Policy adapter: what another one (the arguments) makes of stdin, for a host that has Landlock but no namespaces."""

import json
import subprocess
import sys

adapted = subprocess.run([sys.executable, *sys.argv[1:]], stdin=sys.stdin, capture_output=True, text=True, check=True)
policy = json.loads(adapted.stdout)
policy.setdefault("kernel", {})["require"] = ["landlock"]
json.dump(policy, sys.stdout, indent=1)
