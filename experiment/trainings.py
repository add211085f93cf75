"""Trains several networks at a time, each in its own process, on this machine or on the workers of a Dask cluster.

concurrent.futures or Dask decides when and where each training runs. A training resumes from its own checkpoint, so
that if its worker dies, another one continues it.
"""

import csv
import logging
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from experiment import ROOT, InputError, command_line, disk, images, shown
from experiment.model import HISTORY_NAME, LENET, MNIST, NPZ_NAME
from experiment.recipes import PAPER, RECIPES
from spiking.network import FULL_PRECISION

POLL = 0.5  # seconds between looks at the trainings
DASK_TIMEOUT = 20  # seconds to connect to a scheduler
ENDING = 60  # seconds that interrupted trainings have to end; a worker that hangs would never report it


def script(model):
    """The command that trains or tests an artificial network, with the options that name the Model."""
    if model.k == FULL_PRECISION:
        return ["LeNet/FP32_LeNet_MNIST.py", *options_of(model)]
    return ["LeNet/Quant_LeNet_MNIST.py", "--k", model.k, *options_of(model)]


def options_of(model):
    """The options that name a Model to a script, without its level."""
    options = {
        "--network": model.network if model.network != LENET else None,
        "--data": shown(model.images) if model.data != MNIST else None,
        "--recipe": model.recipe if model.recipe != PAPER.name else None,
        "--seed": model.seed or None,
    }
    return [word for option, value in options.items() if value is not None for word in (option, value)]


def train_all(models, threads, jobs=1, dask=None):
    """Trains models to their last epochs and shows their progress.

    Parameters
    ----------
    models : sequence of Model
    threads : int
        TensorFlow's threads per training; a resumed one keeps the number that it began with.
    jobs : int
        How many are trained here at a time.
    dask : str or None
        Address of a Dask scheduler whose workers share this folder; each trains as many models at a time as it has
        threads.

    Raises
    ------
    InputError
        The cluster cannot be reached, or some trainings have failed; this is raised when all have ended.
    """
    for folder in dict.fromkeys(model.images for model in models):
        images.load_training(folder)  # missing files are fetched once, and bad ones refused before anything begins
    with _on_cluster(dask) if dask else _here(jobs) as (executor, stop, has_workers):
        futures = {executor.submit(_train, model, threads, stop): model for model in models}
        try:
            _watch(futures, has_workers)
        except BaseException:
            signal.alarm(0)  # the interruption has arrived: it must not be repeated while the trainings end
            stop.set()
            end = time.monotonic() + ENDING
            while wait(futures, timeout=POLL).not_done and has_workers() and time.monotonic() < end:
                pass
            raise
    failures = [f"{model.name}: {error}" for future, model in futures.items() if (error := _error(future))]
    if failures:
        raise InputError("; ".join(failures))


@contextmanager
def _here(jobs):
    """An executor that trains so many networks at a time, the event that ends its trainings early, and a function
    that tells whether it has workers.
    """
    with ThreadPoolExecutor(jobs) as executor:
        yield executor, threading.Event(), lambda: True


@contextmanager
def _on_cluster(address):
    """The same on the workers of the Dask scheduler at this address; raises InputError without Dask or scheduler."""
    try:
        from distributed import Client, Event
    except ImportError:
        raise InputError("argument --dask: Dask not found, expected it after pip install -e .[cluster]") from None
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a lost scheduler gets one line, not a traceback
    try:
        client = Client(address, timeout=DASK_TIMEOUT)
    except (OSError, ValueError) as error:
        raise InputError(f"argument --dask: {error}, expected the address of a scheduler") from None
    with client:
        yield client.get_executor(pure=False), Event(), partial(_has_workers, client)


def _has_workers(client):
    """Whether any are connected to the scheduler; True where it does not answer, of which the futures tell."""
    try:
        return bool(client.nthreads())
    except Exception:  # of many kinds
        return True


def _watch(futures, has_workers):
    """Shows the progress of all trainings until they are done: as bars in a terminal, otherwise as lines.

    Says so whenever trainings wait and the executor has lost its last worker, or never had one.
    """
    from tqdm import tqdm

    watched = command_line.watched(sys.stderr)
    bars, finished, waiting, alone = {}, {}, set(futures), False
    with ExitStack() as closing:
        while waiting:
            waiting = wait(waiting, timeout=POLL).not_done
            was_alone, alone = alone, bool(waiting) and not has_workers()
            if alone and not was_alone:
                tqdm.write("waiting for a worker: none is connected to the scheduler", file=sys.stderr)
            for model in futures.values():
                epochs, accuracy = _history(model)
                if epochs == finished.get(model, 0):
                    continue
                finished[model], total = epochs, RECIPES[model.recipe].epochs_of(model.data, model.network)
                if not watched:
                    print(f"{model.name}: epoch {epochs} of {total}, validation {100 * accuracy:.2f} %", flush=True)
                    continue
                if model not in bars:
                    bar = tqdm(total=total, initial=epochs, desc=model.name, unit="epoch")
                    bars[model] = closing.enter_context(bar)
                bars[model].set_postfix_str(f"validation {100 * accuracy:.2f} %", refresh=False)
                bars[model].update(epochs - bars[model].n)


def _history(model):
    """How many epochs of a training are finished, and the validation accuracy after the last one."""
    try:
        rows = list(csv.DictReader((model.checkpoint / HISTORY_NAME).read_text().splitlines()))
    except FileNotFoundError:  # before the first epoch has ended
        return 0, None
    return len(rows), float(rows[-1]["val_accuracy"])


def _error(future):
    """The error that a training ended with; None if it succeeded."""
    try:
        return future.exception()
    except CancelledError:  # by Dask
        return "the scheduler was lost; the same command resumes the training"


def _train(model, threads, stop):
    """Trains a model to the end, starting where an earlier run was interrupted; the event `stop` ends it early.

    The process that trains does not outlive this one.
    """
    if stop.is_set():  # before this training has begun
        return
    resume = disk.exists(model.checkpoint / NPZ_NAME)
    options = ("--mode", "training", "--resume", resume, "--threads", threads)
    command = [sys.executable, "-m", __name__, *map(str, (*script(model), *options))]
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=output, stderr=output)
        try:
            while process.poll() is None and not stop.is_set():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL)
        finally:
            process.terminate()
            process.wait()
            process.stdin.close()
        output.seek(0)
        lines = output.read().splitlines()
    if process.returncode and not stop.is_set():
        last = lines[-1] if lines else "no output"
        raise InputError(f"exit status {process.returncode}, {last.removeprefix('error: ')}")


def _run_tied():
    """Runs the script that the command line names; ends as soon as the process that started this one has ended."""

    def end_with_parent():
        os.read(0, 1)  # returns when the other end of the pipe is closed
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end_with_parent, daemon=True).start()
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    _run_tied()
