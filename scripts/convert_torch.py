"""Turns a torch file of tensors into an .npz that also says what colours the weights expect.

    python scripts/convert_torch.py mobilenet_v2.pth mobilenet_v2.npz
    python scripts/convert_torch.py net.pth net.npz --order bgr --mean 104 117 123 --std 1 1 1

Keeps all names; `posekit.weights.torchvision.load_torchvision` reads the result, and also the torch
file itself. Needs no torch, TensorFlow or Keras, and runs nothing that the file may hold.
"""

import argparse
from pathlib import Path

from posekit.commands import UsageError, check_output, run


def main() -> int:
    """Runs the command line; returns the exit code."""
    arguments = parse()
    from posekit.colours import BGR, IMAGENET_MEAN, IMAGENET_STD, RGB
    from posekit.weights.state_dicts import read_state, save_npz

    order = BGR if arguments.order == "bgr" else RGB
    mean, std = arguments.mean or IMAGENET_MEAN, arguments.std or IMAGENET_STD
    check_output("npz_file", arguments.npz_file)
    try:
        state = read_state(arguments.torch_file)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error
    try:
        save_npz(arguments.npz_file, state, order, mean, std)
    except ValueError as error:
        raise UsageError(str(error)) from error
    print(f"{len(state)} tensors read, {arguments.npz_file} written")
    return 0


def parse() -> argparse.Namespace:
    """Reads the command line; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("torch_file", type=Path, help="state dict, plainly or under 'state_dict'")
    parser.add_argument("npz_file", type=Path, help="file to write")
    parser.add_argument(
        "--order", choices=("rgb", "bgr"), default="rgb", help="colours expected (default: rgb)"
    )
    for name in ("mean", "std"):
        parser.add_argument(
            f"--{name}", type=float, nargs=3, help="pixel values in that order (default: ImageNet)"
        )
    arguments = parser.parse_args()
    if arguments.order == "bgr" and not (arguments.mean and arguments.std):
        parser.error("--order bgr: expected --mean and --std too, in the order blue, green, red")
    return arguments


if __name__ == "__main__":
    run(main)
