"""CPU seconds of the laws on the shipped runs: Laws I and II with whole-pipeline bootstraps.

python bench/fit_laws.py [--draws N]
"""

import argparse
import time
from collections.abc import Callable

from scaling.advise.advise import advise
from scaling.advise.answer import MeasuredTokenizer
from scaling.compare import score_forms
from scaling.engine.bootstrap import CASES, RESIDUALS
from scaling.fits.isoflop import fit_surfaces
from scaling.fits.joint import fit_joint
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.published import tables
from scaling.published.reproduce import reproduce


def main() -> None:
    """Print one line a task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    runs, optima = tables.isoflop_runs(), tables.optima()
    two_stage, cases = RESIDUALS._replace(draws=draws), CASES._replace(draws=draws)
    tokenizers = [MeasuredTokenizer("one", 4.6)]
    fit_law2(optima, bootstrap=RESIDUALS._replace(draws=20))  # the first call pays for imports

    def both() -> None:
        fit_law1(runs, bootstrap=two_stage)
        fit_law2(runs, bootstrap=two_stage)

    tasks: dict[str, Callable[[], object]] = {
        f"Laws I and II, 311 runs, {draws} whole-pipeline bootstraps": both,
        f"Law II, 48 optima, {draws} bootstraps": lambda: fit_law2(optima, bootstrap=two_stage),
        f"six isoFLOP surfaces, {draws} bootstraps each": lambda: fit_surfaces(
            runs, bootstrap=cases
        ),
        f"joint law, 311 runs, {draws} bootstraps": lambda: fit_joint(runs, bootstrap=cases),
        "joint law's forms, each leaving every budget out": lambda: score_forms(runs),
        "advise, one tokenizer": lambda: advise(1e21, "hin_Deva", tokenizers=tokenizers),
        "reproduce, what is shipped": lambda: reproduce(bootstrap=cases),
    }
    for name, task in tasks.items():
        begin = time.process_time()
        task()
        print(f"{name:<62}{time.process_time() - begin:8.3f} CPU s")


if __name__ == "__main__":
    main()
