"""Trains or tests the full-precision LeNet on MNIST: the same network without the quantiser.

python FP32_LeNet_MNIST.py                            trains 150 epochs
python FP32_LeNet_MNIST.py --resume True              goes on after an interruption
python FP32_LeNet_MNIST.py --mode inference           tests the result, writes figs/fp32/accuracy.txt and run.json
python FP32_LeNet_MNIST.py --recipe augmented         trains on shifted images, 60 epochs
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, experiment
from spiking.network import FULL_PRECISION
from experiment.disk import OutputFolder
from experiment.model import log_folder, refuse_other_recipe


def main():
    parser = command_line.ArgumentParser(__doc__)
    experiment.add_arguments(parser)
    parser.add_argument(
        "--logs",
        type=Path,
        help="folder of the logs of inference (default: figs/fp32, with another recipe figs/fp32-<RECIPE>)",
    )
    args = parser.parse_args()

    if args.mode == "training":
        experiment.train(FULL_PRECISION, args)
    else:
        log_path = args.logs or log_folder(FULL_PRECISION, args.recipe)
        refuse_other_recipe(log_path, FULL_PRECISION, args.recipe, log_folder)
        with OutputFolder(log_path) as output:
            right, *weights_file = experiment.test(FULL_PRECISION, args)
            experiment.write_accuracy(args.recipe, right, *weights_file, output)


if __name__ == "__main__":
    command_line.run(main)
