"""Times an epoch of the training against plain Keras: the same network, data and optimizer through model.fit.

python benchmarks/training.py                   two epochs each, in turn; the second of each counts

Plain Keras: every block a Conv2D, arrays shuffled by fit, nothing rounded or saved, malloc and the choice of oneDNN
as they are. Each training runs in a process of its own, so that neither profits from the other.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment import command_line
from spiking.network import LENET
from experiment.recipes import PAPER

PLAIN, OURS = "plain", "ours"


def main():
    parser = command_line.ArgumentParser(__doc__)
    options.add_level(parser, default=0)
    parser.add_argument("--rounds", type=options.POSITIVE, default=3, help="times that both are run")
    parser.add_argument("--only", choices=(PLAIN, OURS), help="time one of them in this process")
    args = parser.parse_args()

    if args.only:
        print(f"{time_plain(args.k) if args.only == PLAIN else time_ours(args.k):.2f}")
        return
    print(f"{'seconds per epoch':20}{'plain Keras':>14}{'ours':>10}{'ratio':>10}")
    for number in range(1, args.rounds + 1):
        plain, ours = (measure(which, args.k) for which in (PLAIN, OURS))
        print(f"{f'round {number}':20}{plain:14.2f}{ours:10.2f}{ours / plain:10.2f}", flush=True)


def measure(which, k):
    """Seconds of an epoch, measured in a new process."""
    command = [sys.executable, __file__, "--only", which, "--k", str(k)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def time_plain(k):
    """Seconds of the second epoch of Keras's own model.fit, validation included."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    from experiment import images as files, models, utils

    models.FullWindowConv2D = keras.layers.Conv2D
    X_train, y_train, X_val, y_val, _, _ = files.load_mnist_dataset()
    model = models.build(LENET, k)
    model.compile(
        keras.optimizers.Adam(PAPER.learning_rate, epsilon=utils.ADAM_EPSILON),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    ends = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    model.fit(
        X_train,
        y_train,
        batch_size=utils.BATCH_SIZE,
        validation_data=(X_val, y_val),
        epochs=2,
        verbose=0,
        callbacks=[clock],
    )
    return ends[1] - ends[0]


def time_ours(k):
    """Seconds of the second epoch of the training script's steps, validation, rounding and saving included."""
    from LeNet.experiment import prepare_tensorflow

    prepare_tensorflow()
    from experiment.disk import OutputFolder
    from experiment import images as files, utils

    X_train, y_train, X_val, y_val, _, _ = files.load_mnist_dataset()
    training = utils.Training(LENET, k, PAPER, epochs=2, seed=0, images=len(X_train))
    with tempfile.TemporaryDirectory() as folder, OutputFolder(folder) as output:
        training.fit(X_train, y_train, X_val, y_val, output=output, verbose=0)
    return float(training.history[-1][-1])


if __name__ == "__main__":
    command_line.run(main)
