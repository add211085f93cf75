"""Trains and tests artificial networks, of full precision or quantised: what the two scripts share."""

import sys
from dataclasses import replace

from experiment import InputError, command_line, disk, images, model, shown, weights
from experiment.model import NPZ_NAME
from experiment.recipes import RECIPES
from experiment.trained import read_npz
from experiment.weights import network_for


def add_arguments(parser):
    """Adds the options of the two scripts, apart from those that name the Model."""
    add = parser.add_argument
    add("--mode", choices=("training", "inference"), default="training", help="train the network or test it")
    resume = "training: True continues after the last finished epoch, False starts over"
    add("--resume", type=command_line.boolean, default=False, help=resume)
    add(
        "--epochs",
        type=command_line.POSITIVE,
        default_text=", ".join(f"{recipe.name} {recipe.epochs}" for recipe in RECIPES.values()),
        help="train until this many epochs are finished; a learning rate that decays does so within them",
    )
    command_line.add_limit(parser, "images of each set")
    command_line.add_threads(parser, "TensorFlow's threads; a resumed training keeps the number that it began with")
    add(
        "--checkpoint",
        type=command_line.path,
        metavar="DIR",
        default_text="LeNet/checkpoints/fp32, k0, k0-augmented etc.",
        help="folder of the training state",
    )
    model.add_weights(parser, when="inference: ")


def train(choice, k, args):
    """Trains the Model of a Choice, of level k if that is open, as the other options say."""
    if choice.weights:
        raise InputError(f"argument --weights: found {choice.weights}, expected none in training, only in inference")
    trained_model = choice.model(k)
    recipe = RECIPES[trained_model.recipe]
    epochs = args.epochs or recipe.epochs_of(trained_model.data, trained_model.network)
    folder = args.checkpoint or trained_model.checkpoint
    train_set, validation_set = images.load_training(choice.data or trained_model.images)
    all_images = len(train_set.pixels)
    train_set, validation_set = train_set.first(args.limit), validation_set.first(args.limit)
    network = network_for(trained_model.network, train_set.pixels.shape[1:], train_set.classes)

    with disk.output_folder(folder) as output:
        state = find_state(folder, args.resume, trained_model)
        # the last bits depend on the number of threads, so that a resumed training keeps it
        threads = state.identity.threads if args.resume and state.identity.threads else args.threads
        from LeNet.tensorlayer import use_threads
        from LeNet.tensorlayer.training import Training

        use_threads(threads)
        training = Training(trained_model, recipe, network, epochs, len(train_set.pixels), all_images, threads)
        if args.resume:
            training.resume(folder, state)
            if len(training.history) >= epochs:
                print(f"nothing to train: {len(training.history)} epochs are finished, --epochs is {epochs}")
        elif state is not None:
            print(f"replacing the training in {shown(folder)} ({state.identity.epochs} epochs) after the first epoch")
        training.fit(train_set, validation_set, output, verbose=1 if command_line.watched(sys.stdout) else 2)
    report(training, folder)


def find_state(folder, resume, expected):
    """The Trained model in a training state that is to be resumed or replaced; None if there is nothing to replace.

    Raises
    ------
    InputError
        There is nothing to resume, or a Model other than the expected one would be replaced.
    """
    if resume:
        if not disk.exists(folder / disk.SUMS):
            raise InputError(f"{shown(folder)}: nothing to resume, expected a checkpoint; start with --resume False")
        disk.check_sums(folder, [NPZ_NAME])
        return read_npz(folder / NPZ_NAME)
    try:
        state = read_npz(folder / NPZ_NAME)
    except InputError:  # missing or damaged
        return None
    if state.model != expected:
        found = f"{state.model.name}, expected {expected.name} or nothing"
        raise InputError(f"{shown(folder)}: is a training of {found}; --checkpoint names another folder")
    return state


def report(training, folder):
    """Prints the results of the last epoch and the folder of the checkpoint."""
    epoch, loss, accuracy, val_loss, val_accuracy, _ = training.history[-1]
    seconds = sum(float(row[-1]) for row in training.history)
    print(f"{'':12}{'loss':>12}{'accuracy':>12}")
    print(f"{'training':12}{float(loss):12.6f}{100 * float(accuracy):10.2f} %")
    print(f"{'validation':12}{float(val_loss):12.6f}{100 * float(val_accuracy):10.2f} %")
    print(f"{epoch} epochs in {seconds:.0f} s, written to {shown(folder)}")


def load_test(choice, k, args):
    """The Trained model of a Choice, of level k if that is open, and the Split to test it on."""
    if args.checkpoint and choice.weights:
        raise InputError(f"argument --checkpoint: found {args.checkpoint}, expected none with --weights")
    if args.checkpoint:
        choice = replace(choice, weights=args.checkpoint / NPZ_NAME)
    trained = weights.load(choice, k)
    return trained, images.load_test(choice.data or trained.model.images, trained.network).first(args.limit)


def test(trained, test_set):
    """Tests an artificial network; returns whether its prediction for each image is correct, bool (images,)."""
    from LeNet.tensorlayer.training import predict_right

    right = predict_right(trained, test_set, verbose=int(command_line.watched(sys.stdout)))
    print(f"{'test images right':18}{right.sum()} of {len(right)}")
    print(f"{'test accuracy':18}{100 * right.mean():.2f} %")
    return right
