"""Trains a network with a recipe, resumes a training bit for bit, and tests the result."""

import csv
import time

import keras
import numpy as np

from experiment import InputError, disk, shown
from experiment.identity import Identity
from experiment.images import scaled
from experiment.model import HISTORY_NAME, NPZ_NAME
from experiment.recipes import ADAM_EPSILON, BATCH_SIZE
from experiment.trained import Trained, save_npz
from LeNet.tensorlayer import files, models
from LeNet.tensorlayer.iterate import ShuffledBatches, batches_per_epoch
from spiking.network import PIXEL_LEVELS
from spiking.weight_grid import on_grid

HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
STATE_FILES = (*files.CHECKPOINT_FILES, NPZ_NAME, HISTORY_NAME)


class Training:
    """A Model in training: everything that its next epoch depends on.

    Parameters
    ----------
    model : Model
    recipe : Recipe
    network : Network
    epochs : int
        In total, including those of a resumed training.
    images, all_images : int
        How many training images are used, the same in a resumed training, and how many the data have.
    threads : int
        TensorFlow's, for the record.
    """

    def __init__(self, model, recipe, network, epochs, images, all_images, threads):
        keras.utils.set_random_seed(model.seed)
        self.model, self.recipe, self.network, self.epochs = model, recipe, network, epochs
        self.images, self.all_images, self.threads = images, all_images, threads
        self.history = []  # a row of HISTORY_COLUMNS for each finished epoch
        learning_rate = self.recipe.learning_rate
        if self.recipe.cosine_decay:
            steps = epochs * batches_per_epoch(images, BATCH_SIZE)
            learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        self.keras_model = models.build(network, model.k, sop_penalty=recipe.sop_penalty)
        self.optimizer = keras.optimizers.Adam(
            learning_rate,
            epsilon=ADAM_EPSILON,
            weight_decay=recipe.weight_decay or None,
            name="adam",  # names its state
        )
        variables = self.keras_model.trainable_variables
        self.optimizer.exclude_from_weight_decay([variable for variable in variables if variable.name != "kernel"])
        self.optimizer.build(variables)
        self.keras_model.compile(
            self.optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],  # given as a name, it is traced twice
            jit_compile=False,  # XLA's convolutions are slower on a CPU
        )

    def fit(self, train, validation, output, verbose):
        """Trains until all epochs are finished and saves the state after each of them.

        Parameters
        ----------
        train, validation : Split
        output : Path of an output_folder
        verbose : as keras.Model.fit takes it
        """
        self.keras_model.fit(
            self.batches(train),
            validation_data=(scaled(validation.pixels), validation.labels),
            validation_batch_size=BATCH_SIZE,
            initial_epoch=len(self.history),
            epochs=self.epochs,
            shuffle=False,  # ShuffledBatches shuffles
            callbacks=[_EndOfEpoch(self, output)],
            verbose=verbose,
        )

    def batches(self, train):
        """The Split's images in batches, beginning with those of the next epoch."""
        finished = len(self.history)
        return ShuffledBatches(scaled(train.pixels), train.labels, BATCH_SIZE, self.recipe, self.model.seed, finished)

    def save(self, output):
        """Replaces the whole training state in an output_folder."""
        arrays = {key: np.asarray(variable) for key, variable in self.weights().items()}
        state = {name: np.asarray(variable) for name, variable in self._optimizer_state().items()}
        counts = len(self.history), self.images, self.all_images, self.threads
        trained = Trained(Identity(self.model, self.network, *counts), arrays)
        with disk.replacing(output) as staging:
            files.save_ckpt(arrays | state | self._settings(), self.network, self.model.k, staging)
            save_npz(trained, staging / NPZ_NAME)
            with open(staging / HISTORY_NAME, "w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([HISTORY_COLUMNS, *self.history])
            disk.write_sums(staging)

    def resume(self, folder, trained):
        """Takes over the state that `save` wrote into a folder, whose npz file has been read as `trained`.

        Raises
        ------
        InputError
            A file is missing or not the one that was written, or the training had other settings.
        """
        disk.check_sums(folder, STATE_FILES)
        if trained.model != self.model or trained.network != self.network:
            found = f"{trained.model.name} ({trained.network.notation})"
            raise InputError(
                f"{shown(folder)}: is a training of {found}, expected {self.model.name} ({self.network.notation})"
            )
        settings, of_recipe = self._settings(), self.recipe.settings(self.epochs)
        found = _load_like(settings, folder)
        for name, expected in settings.items():
            if name != "epoch" and found[name] != expected:
                source = " by --recipe and --epochs" if name in of_recipe else ""
                raise InputError(
                    f"{shown(folder)}: was trained with {name}={found[name]}, expected {expected}{source}"
                )
        variables = self.weights() | self._optimizer_state()
        for name, value in _load_like(variables, folder).items():
            variables[name].assign(value)
        _, *self.history = csv.reader((folder / HISTORY_NAME).read_text().splitlines())

    def round_weights(self):
        """Rounds kernels, initial potentials, the classifier and its bias to the weight grid, in place."""
        variables = self.weights()
        rounded, _ = on_grid({key: variable.numpy() for key, variable in variables.items()}, self.network)
        for key, variable in variables.items():
            variable.assign(rounded[key])

    def weights(self):
        """The weight variables by their key in an npz file."""
        return models.variables(self.network, self.keras_model)

    def _optimizer_state(self):
        return {variable.path: variable for variable in self.optimizer.variables}

    def _settings(self):
        numbers = {"epoch": len(self.history), "images": self.images} | self.recipe.settings(self.epochs)
        return {name: np.asarray(number) for name, number in numbers.items()}


class _EndOfEpoch(keras.callbacks.Callback):
    """Rounds weights to the grid before they are validated, so that the same ones are validated and saved."""

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
    """The tensors of a checkpoint that have the names, shapes and dtypes of the given variables."""
    specification = {name: (variable.shape, np.dtype(variable.dtype)) for name, variable in variables.items()}
    return files.load_ckpt(specification, folder)


def predict_right(trained, split, verbose):
    """Runs a trained artificial network in float64, where its convolutions are exact on the weight grid.

    Parameters
    ----------
    trained : Trained
    split : Split
    verbose : as keras.Model.predict takes it

    Returns
    -------
    bool array (images,), True where the prediction is correct
    """
    keras_model = models.build(trained.network, trained.model.k, dtype="float64")
    models.assign(trained.network, keras_model, trained.weights)
    images = split.pixels / np.float64(PIXEL_LEVELS)
    logits = keras_model.predict(images, batch_size=BATCH_SIZE, verbose=verbose)
    return np.argmax(logits, axis=1) == split.labels
