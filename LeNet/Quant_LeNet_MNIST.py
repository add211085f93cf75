"""Trains or tests the LeNet with quantised activations on MNIST.

python Quant_LeNet_MNIST.py --k 0                                trains 150 epochs
python Quant_LeNet_MNIST.py --k 0 --resume True                  goes on after an interruption
python Quant_LeNet_MNIST.py --k 0 --mode inference               tests the result
python Quant_LeNet_MNIST.py --k 0 --recipe augmented             trains on shifted images, 60 epochs
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, experiment, options


def main():
    parser = command_line.ArgumentParser(__doc__)
    options.add_level(parser, default=1, meaning="quantisation level: activations are multiples of 1 / 2^k")
    experiment.add_arguments(parser)
    args = parser.parse_args()

    if args.mode == "training":
        experiment.train(args.k, args)
    else:
        experiment.test(args.k, args)


if __name__ == "__main__":
    command_line.run(main)
