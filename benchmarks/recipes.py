"""Compares candidates for the augmented recipe on the validation images; the test images are not looked at.

python benchmarks/recipes.py                    all candidates, 10 epochs each: 15 minutes
python benchmarks/recipes.py --epochs 60        as long as the recipe itself trains
python benchmarks/recipes.py --only shift

Each trains the network of k=0 with seed 0, its learning rate decaying within these epochs.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line, images
from experiment.disk import OutputFolder
from experiment.model import Model
from experiment.recipes import AUGMENTED
from experiment.weights import network_for

K = 0
CANDIDATES = {
    "shift": AUGMENTED,
    "shift-rotation": replace(AUGMENTED, rotation=10.0),
    "shift-rotation-zoom": replace(AUGMENTED, rotation=10.0, zoom=0.1),
}


def main():
    parser = command_line.ArgumentParser(__doc__)
    parser.add_argument("--epochs", type=command_line.POSITIVE, default=10, help="of each training")
    parser.add_argument("--only", choices=tuple(CANDIDATES), nargs="+", help="these candidates (default: all)")
    command_line.add_limit(parser, "images of each set")
    args = parser.parse_args()

    model = Model(K)
    train, validation = (part.first(args.limit) for part in images.load_training(model.images))
    network = network_for(model.network, train.pixels.shape[1:], train.classes)

    from LeNet.tensorlayer.training import Training

    print(f"{'candidate':32}{'validation loss':>18}{'accuracy':>12}{'seconds':>10}")
    for name in args.only or CANDIDATES:
        count = len(train.pixels)
        training = Training(model, CANDIDATES[name], network, args.epochs, count, count, threads=0)
        with tempfile.TemporaryDirectory() as folder, OutputFolder(folder) as output:
            training.fit(train, validation, output, verbose=0)
        *_, loss, accuracy, _ = map(float, training.history[-1])
        seconds = sum(float(row[-1]) for row in training.history)
        print(f"{name:32}{loss:18.4f}{100 * accuracy:10.2f} %{seconds:10.0f}", flush=True)


if __name__ == "__main__":
    command_line.run(main)
