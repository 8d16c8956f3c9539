"""Posts to `/s/` a second, against applications that only read and inflate the same bodies; interleaved in one run.

    python benchmarks/accept.py CONNINFO [--bodies 1500] [--clients 12] [--rounds 3]

Bodies are those of the committed recordings, each under a session and batch of its own, so that none is a repetition.
Each server is one process of uvicorn with the product's settings: a bare ASGI application, a handler of the framework
that the product is built on, and the product, which answers when the batch is in the log, on disk.
One process sends them all, over connections that stay open. Quote the ratio: absolute figures move with the machine.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence

from benchmarks.accepting.bodies import bodies
from benchmarks.accepting.sending import send_all
from benchmarks.accepting.servers import accepting_server, framework_server, plain_server

WARM = 200
"""Posts before it counts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conninfo")
    parser.add_argument("--bodies", type=int, default=1_500)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rates: list[tuple[float, float, float]] = []
    posts: list[bytes] = []
    with plain_server() as plain, framework_server() as framework, accepting_server(options.conninfo) as (ours, token):
        ports = (plain, framework, ours)
        for port in ports:
            _rate(port, bodies(token, WARM), options.clients)
        for _ in range(options.rounds):
            posts = bodies(token, options.bodies)
            one, two, three = (_rate(port, posts, options.clients) for port in ports)
            rates.append((one, two, three))
    wire = statistics.mean(map(len, posts))
    print(f"{options.clients} clients, bodies of {wire / 1000:.1f} KB, {options.rounds} rounds")
    for number, name in enumerate(("bare application", "handler of the framework")):
        ratio = statistics.median(each[2] / each[number] for each in rates)
        print(f"{name + ':':26}{statistics.median(each[number] for each in rates):7.0f}/s   ours to it {ratio:.2f}")
    print(f"{'accepted:':26}{statistics.median(each[2] for each in rates):7.0f}/s")


def _rate(port: int, posts: Sequence[bytes], clients: int) -> float:
    began = time.perf_counter()
    asyncio.run(send_all(port, posts, clients))
    return len(posts) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
