"""Posts to `/s/` a second, against an application that only reads and inflates the same bodies; interleaved in one run.

    python benchmarks/accept.py CONNINFO [--bodies 1500] [--clients 12] [--rounds 3]

Bodies are those of the committed recordings, each under a session and batch of its own, so that none is a repetition.
Both servers are one process of uvicorn with the product's settings; ours answers when the batch is in the log, on disk.
One process sends them all, over connections that stay open. Quote the ratio: absolute figures move with the machine.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence

from rich.console import Console

from benchmarks.accepting.bodies import bodies
from benchmarks.accepting.sending import send_all
from benchmarks.accepting.servers import accepting_server, plain_server

WARM = 200
"""Posts before it counts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conninfo")
    parser.add_argument("--bodies", type=int, default=1_500)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    pairs: list[tuple[float, float]] = []
    posts: list[bytes] = []
    with plain_server() as plain, accepting_server(options.conninfo) as (ours, token):
        for port in (plain, ours):
            _rate(port, bodies(token, WARM), options.clients)
        for _ in range(options.rounds):
            posts = bodies(token, options.bodies)
            pairs.append((_rate(plain, posts, options.clients), _rate(ours, posts, options.clients)))
    wire = statistics.mean(map(len, posts))
    Console().print(
        f"{options.clients} clients, bodies of {wire / 1000:.1f} KB: "
        f"only read and inflated {statistics.median(p[0] for p in pairs):6.0f}/s   "
        f"accepted {statistics.median(p[1] for p in pairs):6.0f}/s   "
        f"ratio {statistics.median(our / plain for plain, our in pairs):.2f}"
    )


def _rate(port: int, posts: Sequence[bytes], clients: int) -> float:
    began = time.perf_counter()
    asyncio.run(send_all(port, posts, clients))
    return len(posts) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
