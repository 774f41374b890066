"""Tokens a second of greedy decoding and of a beam search, ours beside transformers' ``generate``.

Both run the same random weights (exported by us, loaded by transformers), over the same sources, and write targets of
the same length; their outputs are compared. Nothing else may run on the machine for the speeds to mean much, but the
ratio of two runs right after each other means something even so: runs take turns, and the median of the ratios is shown
with its quartiles. The last ratio is of the CPU's seconds, which waiting for others does not add to.

    python benchmarks/decoding_speed.py --size mini --threads 1
    python benchmarks/decoding_speed.py --size small --threads 2 --out decoding_speed.json
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from bertpipe.models.beam_search import beam_search
from bertpipe.models.huggingface.transformer_exporting import write_transformer
from bertpipe.models.sampling import write
from bertpipe.models.transformer import Transformer
from bertpipe.models.transformer_config import TransformerConfig

VOCABULARY, SOURCE, BATCHES = 8000, 25, (1, 16, 64)
Pieces = list[list[int]]


def models(size: str, length: int, folder: Path) -> tuple[Transformer, Any]:
    """The same random weights in both libraries; neither ever ends a target before its full length."""
    torch.manual_seed(0)
    end, pad, start = 3, 0, 2
    config = TransformerConfig.preset(
        size, VOCABULARY, max_length=max(SOURCE, length) + 1, output_bias=True, pad_id=pad, start_id=start, end_id=end
    )
    ours = Transformer(config).eval()
    with torch.no_grad():
        assert ours.output_bias is not None
        ours.output_bias[[end, pad, start]] = -1e4
    write_transformer(config, ours.state_dict(), folder, max_target=length)
    return ours, transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()


def runs(
    ours: Transformer, theirs: Any, src_ids: torch.Tensor, mask: torch.Tensor, beams: int, length: int
) -> tuple[Callable[[], Pieces], Callable[[], Pieces]]:
    """What is timed: both return the written pieces."""

    def our_run() -> Pieces:
        if beams == 1:
            return [pieces for pieces, _ in write(ours, src_ids, mask, max_length=length)]
        return [best[0][0] for best in beam_search(ours, src_ids, mask, beams=beams, max_length=length)]

    def their_run() -> Pieces:
        with torch.inference_mode():
            written = theirs.generate(
                input_ids=src_ids,
                attention_mask=mask.long(),
                num_beams=beams,
                do_sample=False,
                early_stopping=beams > 1,
                max_length=length + 1,
            )
        return written[:, 1:].tolist()

    return our_run, their_run


def timed(run: Callable[[], Pieces]) -> tuple[float, float]:
    """Seconds on the clock and of the CPU."""
    clock, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - cpu


def measure(size: str, threads: int, batch: int, beams: int, length: int, seconds: float) -> dict[str, Any]:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = models(size, length, Path(folder))
    random = torch.Generator().manual_seed(batch)
    src_ids = torch.randint(5, VOCABULARY, (batch, SOURCE), generator=random)
    mask = torch.ones(batch, SOURCE, dtype=torch.bool)
    for row in range(batch):
        kept = SOURCE - row % (SOURCE // 2)
        src_ids[row, kept:], mask[row, kept:] = 0, False
    our_run, their_run = runs(ours, theirs, src_ids, mask, beams, length)
    same = sum(mine == yours for mine, yours in zip(our_run(), their_run(), strict=True))
    our_times: list[tuple[float, float]] = []
    their_times: list[tuple[float, float]] = []
    begun = time.perf_counter()
    while len(our_times) < 3 or time.perf_counter() - begun < seconds:
        # Who comes first takes turns as well.
        order = ((our_run, our_times), (their_run, their_times))
        for run, times in order if len(our_times) % 2 else order[::-1]:
            times.append(timed(run))
    ratios, cpu_ratios = (
        [yours[clock] / mine[clock] for mine, yours in zip(our_times, their_times, strict=True)] for clock in (0, 1)
    )
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive")
    return {
        "size": size,
        "threads": threads,
        "batch": batch,
        "beams": beams,
        "length": length,
        "same_outputs": same,
        "runs": len(ratios),
        "ours": round(batch * length / statistics.median(clock for clock, _ in our_times), 1),
        "transformers": round(batch * length / statistics.median(clock for clock, _ in their_times), 1),
        "ratio": round(quartiles[1], 3),
        "ratio_quartiles": [round(quartiles[0], 3), round(quartiles[2], 3)],
        "cpu_ratio": round(statistics.median(cpu_ratios), 3),
    }


def main() -> None:
    """Prints the table, and writes it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", choices=["mini", "small"], default="mini", help="4 + 4 layers, 256 or 512 wide")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, nargs="+", default=list(BATCHES), help="sources at a time")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--length", type=int, default=32, help="pieces of every target")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each line, at least")
    parser.add_argument("--out", type=Path, help="a JSON file; lines that are there already are kept")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    versions = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }
    lines: list[dict[str, Any]] = []
    print("size   threads batch beams   ours tok/s  theirs tok/s  ratio (quartiles)     CPU  same outputs")
    for beams in given.beams:
        for batch in given.batch:
            line = measure(given.size, given.threads, batch, beams, given.length, given.seconds)
            lines.append(line)
            low, high = line["ratio_quartiles"]
            print(
                f"{line['size']:6} {line['threads']:7} {batch:5} {beams:5} {line['ours']:12,.0f} "
                f"{line['transformers']:13,.0f}  {line['ratio']:5.2f} ({low:.2f} to {high:.2f})  "
                f"{line['cpu_ratio']:.2f}  {line['same_outputs']} of {batch}",
                flush=True,
            )
    if given.out:
        before = json.loads(given.out.read_text(encoding="utf-8"))["lines"] if given.out.is_file() else []
        text = json.dumps({"versions": versions, "lines": [*before, *lines]}, indent=2)
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
