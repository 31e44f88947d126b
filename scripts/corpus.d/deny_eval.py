#!/usr/bin/env python3
"""Policy adapter: what to_secure_bun.py (the first argument) makes of stdin, without permission to compile strings."""

import json
import subprocess
import sys

adapted = subprocess.run([sys.executable, sys.argv[1]], stdin=sys.stdin, capture_output=True, text=True, check=True)
policy = json.loads(adapted.stdout)
policy["allow"]["eval"] = False
json.dump(policy, sys.stdout, indent=1)
