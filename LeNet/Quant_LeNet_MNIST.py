"""Trains or tests the LeNet with quantised activations on MNIST.

python Quant_LeNet_MNIST.py --k 0                                trains 150 epochs
python Quant_LeNet_MNIST.py --k 0 --resume True                  continues after an interruption
python Quant_LeNet_MNIST.py --k 0 --mode inference               tests the result
python Quant_LeNet_MNIST.py --k 0 --recipe augmented             trains our own recipe, 100 epochs
python Quant_LeNet_MNIST.py --k 0 --network 32C5-P2-64C5-P2-1024 --data FOLDER      another network, other data

The learning rate, batch size and all other training settings are in experiment/recipes.py.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, model
from LeNet import train_and_test

K = 1  # default of --k


def main():
    parser = command_line.ArgumentParser(__doc__)
    model.add_options(parser, k=K)
    train_and_test.add_arguments(parser)
    args = parser.parse_args()
    choice = model.chosen(args)

    if args.mode == "training":
        train_and_test.train(choice, K, args)
    else:
        train_and_test.test(*train_and_test.load_test(choice, K, args))


if __name__ == "__main__":
    command_line.run(main)
