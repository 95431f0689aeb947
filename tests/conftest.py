"""Settings of all tests: drawn examples are the same on every machine and every run."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

os.environ["GRAPHNN_CACHE"] = "off"  # no test depends on what another run compiled, nor writes to the user's folder

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci")
