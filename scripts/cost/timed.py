"""Runs a command and prints its wall-clock seconds and the peak memory of its largest process, as JSON."""

import json
import resource
import subprocess
import sys
import time

start = time.monotonic()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=sys.stderr).returncode
seconds = time.monotonic() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"status": status, "seconds": seconds, "peakBytes": peak * (1 if sys.platform == "darwin" else 1024)}))
