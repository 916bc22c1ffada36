"""Tunnelling rates of truncated Wigner against nuHOPS at (1.8, 0.782), by the same means; resumable.

    python benchmarks/tunnelling_twa.py docs/data/tunnelling_twa.json

One record per N and method: populations of the states that trajectories did not start in, passages, rates by counting
and by the fit of populations, and rates of escape by splitting.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from opendicke import DickeModel, NuHOPS, Serial, TruncatedWigner
from opendicke.analysis.tunnelling import Rate, Splitting, count_rates, escape_rate, fit_populations, watch

MODEL = DickeModel(n_atoms=100, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782)
ATOMS = (100, 200, 300)
DURATION, SKIP, SPACING = 512.0, 16.0, 4.0
#: Trajectories from each start; those of truncated Wigner cost next to nothing.
METHODS: dict[str, NuHOPS | TruncatedWigner] = {
    "nuHOPS": NuHOPS(trajectories=64, seed=31, tol=1e-3),
    "truncated Wigner": TruncatedWigner(trajectories=3072, seed=31),
}
SPLITTING = {
    "nuHOPS": Splitting(replicas=4, particles=64, seed=31),
    "truncated Wigner": Splitting(replicas=32, particles=128, seed=31),
}


def interval(rate: Rate) -> list[float]:
    return [rate.value, rate.low, rate.high]


def run_point(n_atoms: int, name: str) -> dict[str, Any]:
    began = time.process_time()
    model, method = MODEL.replace(n_atoms=n_atoms), METHODS[name]
    from_n, from_s = (
        watch(model, start, DURATION, method, skip=SKIP, spacing=SPACING, executor=Serial()) for start in ("n", "s+")
    )
    passages = from_n.passages
    passages.add(from_s.passages)
    rates = count_rates(passages)
    record: dict[str, Any] = {
        "n_atoms": n_atoms, "method": name, "options": dataclasses.asdict(method),
        "times": from_n.times.tolist(),
        "p_s_from_n": from_n.occupied()[:, :, 1:].sum(axis=-1).mean(axis=0).tolist(),
        "p_n_from_s": from_s.occupied()[:, :, 0].mean(axis=0).tolist(),
        "trajectories": len(from_n.labels), "counts": passages.counts.tolist(),
        "residence": passages.residence.tolist(),
        "counted": {which: interval(getattr(rates, which)) for which in ("ns", "sn", "ss")},
    }  # fmt: skip
    if passages.counts[0].sum() >= 10 and passages.counts[1:, 0].sum() >= 10:
        record["fit"] = dataclasses.asdict(fit_populations(from_n.times, from_n.occupied(), from_s.occupied()))
    for basin, which, factor in (("n", "ns", 2), ("s", "sn", 1)):
        options = SPLITTING[name]
        found = escape_rate(model, basin, options, method=method, executor=Serial())  # type: ignore[arg-type]
        record[f"split_{which}"] = [found.rate / factor, found.sem / factor]
        record[f"split_{which}_replicas"] = (found.replicas / factor).tolist()
    return record | {"cpu_s": time.process_time() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--atoms", type=int, nargs="*", default=ATOMS)
    options = parser.parse_args()
    records: list[dict[str, Any]] = json.loads(options.file.read_text()) if options.file.exists() else []
    for name in options.methods:
        for n_atoms in options.atoms:
            if any((r["n_atoms"], r["method"]) == (n_atoms, name) for r in records):
                continue
            record = run_point(n_atoms, name)
            records.append(record)
            options.file.write_text(json.dumps(records))
            for key in ("counts", "counted", "split_ns", "split_sn", "fit", "cpu_s"):
                print(n_atoms, name, key, record.get(key), flush=True)


if __name__ == "__main__":
    main()
