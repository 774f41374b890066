"""What each part of the learning chain is worth: the quickstart with one part left out at a time.

    python benchmarks/ablation.py --folder FOLDER

Every row is a run of its own on the same corpus, measured on the same held-out queries by the index's report.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

VARIANTS: dict[str, list[str]] = {
    "all parts": [],
    "no warm start": ["pretrain.warm_start=off"],
    "no pretraining (1 step)": ["pretrain.steps=1"],
    "no fine-tuning (1 step)": ["finetune.steps=1"],
    "four layers": ["pretrain.layers=4"],
}
PIPELINE = Path(__file__).parent.parent / "pipelines" / "quickstart.toml"


def measure(folder: Path, name: str, settings: list[str], budget: str) -> dict[str, dict[str, dict[str, float]]]:
    """Runs one variant and returns its report's figures by mode."""
    place = folder / name.replace(" ", "_")
    text = PIPELINE.read_text(encoding="utf-8").replace('runs = "../runs"', 'runs = "runs"')
    place.mkdir(parents=True, exist_ok=True)
    (place / "quickstart.toml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "bertpipe", "run", str(place / "quickstart.toml")]
    for setting in [f"pretrain.budget={budget}", f"finetune.budget={budget}", *settings]:
        command += ["--set", setting]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    report = json.loads((place / "runs" / "quickstart" / "index" / "report.json").read_text(encoding="utf-8"))
    return report["modes"]


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the runs go; resumed if they are there")
    parser.add_argument("--budget", default="60s", help="time for pretraining, and again for fine-tuning")
    arguments = parser.parse_args()
    print("| | dense nDCG@10 | dense Recall@10 | hybrid nDCG@10 | BM25 nDCG@10 |\n|---|---|---|---|---|")
    for name, settings in VARIANTS.items():
        modes = measure(arguments.folder, name, settings, arguments.budget)
        dense, hybrid, bm25 = modes["dense"], modes["hybrid"], modes["bm25"]
        cells = [dense["ndcg@10"], dense["recall@10"], hybrid["ndcg@10"], bm25["ndcg@10"]]
        shown = [f"{cell['mean']:.3f} ({cell['low']:.3f} to {cell['high']:.3f})" for cell in cells]
        print(f"| {name} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
