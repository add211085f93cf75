"""Trains or tests the full-precision LeNet on MNIST: the same network without the quantiser.

python FP32_LeNet_MNIST.py                            trains 150 epochs
python FP32_LeNet_MNIST.py --resume True              continues after an interruption
python FP32_LeNet_MNIST.py --mode inference           tests the result, writes figs/fp32/accuracy.txt and run.json
python FP32_LeNet_MNIST.py --recipe augmented         trains our own recipe, 100 epochs

The learning rate, batch size and all other training settings are in experiment/recipes.py.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, logs, model, shown
from experiment.runs import BATCH_SIZE, Results, Run, Variation
from LeNet import train_and_test
from spiking.network import FULL_PRECISION


def main():
    parser = command_line.ArgumentParser(__doc__)
    model.add_options(parser)
    train_and_test.add_arguments(parser)
    folder = {"type": command_line.path, "metavar": "DIR", "default_text": "figs/fp32 etc."}
    parser.add_argument("--logs", **folder, help="folder of the logs of inference")
    args = parser.parse_args()
    choice = replace(model.chosen(args), k=FULL_PRECISION)

    if args.mode == "training":
        train_and_test.train(choice, FULL_PRECISION, args)
        return
    trained, test_set = train_and_test.load_test(choice, FULL_PRECISION, args)
    run = Run(trained.identity, Variation(limit=args.limit), 1, BATCH_SIZE, len(test_set.labels))
    with logs.opened(args.logs, run) as output:
        right = train_and_test.test(trained, test_set)
        batches = [right[start : start + BATCH_SIZE].sum() for start in range(0, len(right), BATCH_SIZE)]
        results = Results(float(right.mean()), **trained.source)
        logs.write(output, replace(run, results=results), batches)
    print(f"{'written':18}{shown(output)}")


if __name__ == "__main__":
    command_line.run(main)
