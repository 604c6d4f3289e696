"""Load on ``exegesis serve``: one user alone, then many at once, against the loopback address; errors, times, memory.

python benchmarks/serve_load.py [USERS] [SECONDS] [PAUSE]      by default 50 users, 60 s, pauses of 4 s

Every user sends texts of the same length to the bundled model, with a pause drawn around PAUSE before the next; the
method is lrp. The lines say the median and the 95th percentile of the latency, and the memory of the model's process
and of the server at the start and at the end. It needs the extra ``serve`` and httpx.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx

WORDS = ["the", "fight", "scenes", "are", "fun", "but", "it", "grows", "tedious", "and", "long", "before", "an", "end"]


def text(random_: random.Random) -> str:
    return " ".join(random_.choices(WORDS, k=16))


async def asked(client: httpx.AsyncClient, random_: random.Random) -> tuple[float, bool]:
    """The seconds of a request, and whether it was answered."""
    start = time.perf_counter()
    try:
        answer = await client.post("/api/explain", json={"text": text(random_), "methods": ["lrp"], "form": "view"})
        right = answer.status_code == 200
    except httpx.HTTPError:
        right = False
    return time.perf_counter() - start, right


async def user(client: httpx.AsyncClient, seed: int, end: float, pause: float) -> list[tuple[float, bool]]:
    random_, found = random.Random(seed), []
    await asyncio.sleep(random_.random() * pause)
    while time.perf_counter() < end:
        found.append(await asked(client, random_))
        await asyncio.sleep(pause * (0.5 + random_.random()))
    return found


def told(name: str, found: list[tuple[float, bool]]) -> float:
    times = sorted(seconds for seconds, _ in found)
    p95 = times[int(0.95 * (len(times) - 1))]
    wrong = sum(not right for _, right in found)
    print(f"{name}: {len(found)} requests, {wrong} errors, median {1000 * times[len(times) // 2]:.0f} ms, "
          f"p95 {1000 * p95:.0f} ms, longest {1000 * times[-1]:.0f} ms", flush=True)  # fmt: skip
    return p95


def resident(pid: int) -> float:
    """Megabytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


async def main(users: int, seconds: float, pause: float, address: str, pid: int) -> None:
    limits = httpx.Limits(max_connections=users, max_keepalive_connections=users)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        while not (await client.get("/api/health")).json()["ready"]:
            await asyncio.sleep(0.2)
        random_ = random.Random(0)
        for _ in range(30):
            await asked(client, random_)
        alone = told("one user", [await asked(client, random_) for _ in range(200)])
        memory = []
        for at, part in enumerate((seconds / 2, seconds / 2)):
            end = time.perf_counter() + part
            found = await asyncio.gather(*(user(client, 1000 * at + n, end, pause) for n in range(users)))
            p95 = told(f"{users} users, half {at + 1}", [one for own in found for one in own])
            health = (await client.get("/api/health")).json()
            memory.append((health["memory"]["bundled"] / 2**20, resident(pid)))
            print(f"  p95 {p95 / alone:.2f} x that of one user; memory: model {memory[-1][0]:.0f} MB, "
                  f"server {memory[-1][1]:.0f} MB; restarts {json.dumps(health['restarts'])}", flush=True)  # fmt: skip


if __name__ == "__main__":
    given = [float(value) for value in sys.argv[1:]] + [50, 60, 4][len(sys.argv) - 1 :]
    command = [sys.executable, "-m", "exegesis", "serve", "--port", "0", "--rate", "1000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        found = re.match(r"(http://\S+)", server.stderr.readline())
        assert found
        asyncio.run(main(int(given[0]), given[1], given[2], found[1], server.pid))
        server.terminate()
