"""Training with a recipe, resuming it bit for bit, and testing."""

import csv
import time

import keras
import numpy as np

from LeNet import input_files
from experiment import InputError
from experiment.model import HISTORY_NAME, NPZ_NAME, shown
from LeNet.tensorlayer import checkpoints, files, models
from LeNet.tensorlayer.iterate import ShuffledBatches, batches_per_epoch
from spiking.weight_grid import round_to_grid

BATCH_SIZE = 200
ADAM_EPSILON = 1e-8
HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
STATE_FILES = (*checkpoints.CHECKPOINT_FILES, NPZ_NAME, HISTORY_NAME)


class Training:
    """A network in training: everything that its next epoch depends on.

    Parameters
    ----------
    network : Network
    k : int
        Quantisation level; -1 for full precision.
    recipe : Recipe
    epochs : int
        In total, those of a resumed training included.
    seed : int
        Fixes initial values, the order of the images and their augmentation.
    images : int
        Number of training images; a resumed training must have as many.
    """

    def __init__(self, network, k, recipe, epochs, seed, images):
        keras.utils.set_random_seed(seed)
        self.network, self.k, self.recipe, self.epochs = network, k, recipe, epochs
        self.seed, self.images = seed, images
        self.history = []  # a row of HISTORY_COLUMNS for each finished epoch
        self.model = models.build(network, k)
        learning_rate = recipe.learning_rate
        if recipe.cosine_decay:
            steps = epochs * batches_per_epoch(images, BATCH_SIZE)
            learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        self.optimizer = keras.optimizers.Adam(learning_rate, epsilon=ADAM_EPSILON, name="adam")  # names its state
        self.optimizer.build(self.model.trainable_variables)
        self.model.compile(
            self.optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=False,  # XLA's convolutions are slower on a CPU
        )

    def fit(self, X_train, y_train, X_val, y_val, output, verbose):
        """Trains until all epochs are finished, and saves the state into `output` after each.

        Parameters
        ----------
        X_train, y_train, X_val, y_val : arrays, as load_mnist_dataset gives them
        output : OutputFolder
        verbose : as keras.Model.fit takes it
        """
        finished = len(self.history)
        self.model.fit(
            ShuffledBatches(X_train, y_train, BATCH_SIZE, self.recipe, self.seed, finished),
            validation_data=(X_val, y_val),
            validation_batch_size=BATCH_SIZE,
            initial_epoch=finished,
            epochs=self.epochs,
            shuffle=False,  # ShuffledBatches does
            callbacks=[_EndOfEpoch(self, output)],
            verbose=verbose,
        )

    def save(self, output):
        """Replaces the training state in an OutputFolder as a whole."""
        weights = {key: np.asarray(variable) for key, variable in self._weights().items()}
        state = {name: np.asarray(variable) for name, variable in self._optimizer_state().items()}
        with output.replacing() as staging:
            checkpoints.save_ckpt(weights | state | self._identity(), self.network, self.k, staging)
            files.save_npz(weights, self.k, staging / NPZ_NAME)
            with open(staging / HISTORY_NAME, "w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([HISTORY_COLUMNS, *self.history])
            checkpoints.write_sums(staging)

    def resume(self, folder):
        """Takes up the state that `save` has written into a folder.

        Raises
        ------
        InputError
            There is none, it is damaged, or it is of a training with other settings.
        """
        if not (folder / checkpoints.SUMS).exists():
            raise InputError(f"{shown(folder)}: nothing to resume, expected a checkpoint; start with --resume False")
        checkpoints.check_sums(folder, STATE_FILES)
        identity, of_recipe = self._identity(), self.recipe.identity(self.epochs)
        found = _load_like(identity, folder)
        for name, expected in identity.items():
            if name != "epoch" and found[name] != expected:
                source = " by --recipe and --epochs" if name in of_recipe else ""
                raise InputError(
                    f"{shown(folder)}: was trained with {name}={found[name]}, expected {expected}{source}"
                )
        variables = self._weights() | self._optimizer_state()
        for name, value in _load_like(variables, folder).items():
            variables[name].assign(value)
        self.history = _read_history(folder / HISTORY_NAME, int(found["epoch"]))

    def round_weights(self):
        """Rounds the kernels and the classifier to the weight grid, in place."""
        for key, variable in self._weights().items():
            if key.endswith("/W"):
                variable.assign(round_to_grid(variable.numpy()))

    def _weights(self):
        return models.variables(self.network, self.model)

    def _optimizer_state(self):
        return {variable.path: variable for variable in self.optimizer.variables}

    def _identity(self):
        numbers = {"epoch": len(self.history), "k": self.k, "seed": self.seed, "images": self.images}
        return {name: np.asarray(number) for name, number in (numbers | self.recipe.identity(self.epochs)).items()}


class _EndOfEpoch(keras.callbacks.Callback):
    """Rounds to the grid before the validation, so that what is validated is what is saved after it."""

    def __init__(self, training, output):
        super().__init__()
        self.training, self.output = training, output

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.monotonic()

    def on_test_begin(self, logs=None):
        self.training.round_weights()

    def on_epoch_end(self, epoch, logs=None):
        metrics = [f"{logs[name]:.6g}" for name in HISTORY_COLUMNS[1:-1]]
        self.training.history.append([epoch + 1, *metrics, f"{time.monotonic() - self.start:.1f}"])
        self.training.save(self.output)


def _load_like(variables, folder):
    """The tensors of a checkpoint that have the names, shapes and dtypes of the given ones."""
    specification = {name: (variable.shape, np.dtype(variable.dtype)) for name, variable in variables.items()}
    return checkpoints.load_ckpt(specification, folder)


def _read_history(path, epochs):
    expected = f"a line of {','.join(HISTORY_COLUMNS)} and one of numbers for each epoch"
    content = input_files.read(path, expected)
    try:
        header, *rows = csv.reader(content.decode().splitlines())
        columns = [list(map(float, column)) for column in zip(*rows, strict=True)]
        if tuple(header) != HISTORY_COLUMNS or len(columns) not in (0, len(HISTORY_COLUMNS)):
            raise ValueError
    except (ValueError, csv.Error):
        raise InputError(f"{shown(path)}: damaged, expected {expected}") from None
    if len(rows) != epochs:
        raise InputError(f"{shown(path)}: has {len(rows)} epochs, expected the {epochs} of the checkpoint")
    return rows


def test(network, k, weights, X_test, y_test, verbose):
    """Runs the artificial network in float64, where its convolutions are exact on the weight grid.

    Parameters
    ----------
    network, k : what the weights are for
    weights : dict, as load_npz gives it
    X_test, y_test : arrays (images, h, w, c) and (images,)
    verbose : as keras.Model.predict takes it

    Returns
    -------
    bool array (images,), True where the prediction is right
    """
    model = models.build(network, k, dtype="float64")
    models.assign(network, model, weights)
    logits = model.predict(X_test.astype(np.float64), batch_size=BATCH_SIZE, verbose=verbose)
    return np.argmax(logits, axis=1) == y_test
