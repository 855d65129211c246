"""The same source of airbyte-cdk with the upper bound that its cursor usually carries."""

from __future__ import annotations

from benchmarks.reading.peers.airbyte import main

if __name__ == "__main__":
    main(window_end=True)
