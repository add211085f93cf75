"""Compares candidates for the augmented recipe on the validation images; the test images are not looked at.

python benchmarks/recipes.py                    all candidates, 10 epochs each: 15 minutes
python benchmarks/recipes.py --epochs 60        as long as the recipe itself trains
python benchmarks/recipes.py --only any-shift

Each trains the network of k=0 with seed 0, its learning rate decaying within these epochs.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line
from spiking.network import LENET
from experiment.recipes import AUGMENTED

K, SEED = 0, 0
SHIFT = replace(AUGMENTED, learning_rate=2e-3, shift=2, whole_pixels=False, rotation=0.0, zoom=0.0)
CANDIDATES = {
    "any-shift": SHIFT,
    "whole-pixels": replace(SHIFT, whole_pixels=True),
    "whole-pixels-rotation": replace(SHIFT, whole_pixels=True, rotation=10.0),
    "whole-pixels-rotation-zoom": replace(SHIFT, whole_pixels=True, rotation=10.0, zoom=0.1),
}


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--epochs", type=options.POSITIVE, default=10, help="of each training")
    parser.add_argument("--only", choices=tuple(CANDIDATES), nargs="+", help="these candidates (default: all)")
    options.add_limit(parser, "images of each set")
    args = parser.parse_args()

    from LeNet.experiment import prepare_tensorflow

    prepare_tensorflow()
    from experiment.disk import OutputFolder
    from experiment import images as files, utils

    X_train, y_train, X_val, y_val, _, _ = [part[: args.limit] for part in files.load_mnist_dataset()]
    print(f"{'candidate':32}{'validation loss':>18}{'accuracy':>12}{'seconds':>10}")
    for name in args.only or CANDIDATES:
        training = utils.Training(LENET, K, CANDIDATES[name], args.epochs, SEED, len(X_train))
        with tempfile.TemporaryDirectory() as folder, OutputFolder(folder) as output:
            training.fit(X_train, y_train, X_val, y_val, output, verbose=0)
        *_, loss, accuracy, _ = map(float, training.history[-1])
        seconds = sum(float(row[-1]) for row in training.history)
        print(f"{name:32}{loss:18.4f}{100 * accuracy:10.2f} %{seconds:10.0f}", flush=True)


if __name__ == "__main__":
    command_line.run(main)
