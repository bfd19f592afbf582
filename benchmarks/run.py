"""Every benchmark, one after another, each in a process of its own: `make bench`, or `run.py NAME ...`."""

import subprocess
import sys
import time

from _common import ROOT, machine

BENCHMARKS = [
    "autoregressive_mnist",
    "beta_vae",
    "colour_patches",
    "eight_gaussians",
    "few_labels",
    "flows",
    "grading",
    "import_time",
    "latent_variables",
    "lectures",
    "masked_convolution",
    "pixel_sampling",
    "pixel_training",
    "rbm",
    "soak",
    "similar",
    "static_mnist_on_gpu",  # without arguments a minute of small networks on the CPU
    "term_throughput",
    "vae_against_pythae",
    "vq_vae_against_pythae",
]


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    print(f"machine: {machine()}", flush=True)
    failed = []
    for name in names or BENCHMARKS:
        start = time.perf_counter()
        code = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / f"{name}.py")], cwd=ROOT, check=False
        ).returncode
        print(f"\n({name}: {time.perf_counter() - start:.0f} s)", flush=True)
        if code:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
