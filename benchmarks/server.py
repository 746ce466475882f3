"""The simulator as a process of its own: the server of the cases that use real sockets.

Rule: it is told what the next requests get, so that every variant gets the same.
"""

from __future__ import annotations

import json
import sys

from anthropic_otel.simulator import Simulator


def main() -> None:
    """Serves until standard input is closed. An order is `{"play": [fault, ...]}`."""
    with Simulator(words=200, record=False) as simulator:
        print(json.dumps({"base_url": simulator.base_url}), flush=True)
        for line in sys.stdin:
            simulator.reset()
            simulator.play(*json.loads(line)["play"])
            print("{}", flush=True)


if __name__ == "__main__":
    main()
