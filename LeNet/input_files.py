"""Reading files that may be missing, damaged or of any size."""

import os
import stat

from experiment import InputError
from experiment.model import shown

PART = 1 << 20  # bytes read at a time


def read(path, expected, largest=1 << 20):
    """The content of a file as bytes.

    Raises
    ------
    InputError
        It is missing, a folder, a pipe, or larger than `largest` bytes; the message ends in `expected`.
    OSError
        It is unreadable.
    """
    content = bytearray()
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):  # opening it would wait for a writer
            raise InputError(f"{shown(path)}: is a pipe, expected {expected}")
        with open(path, "rb") as file:
            while part := file.read(PART):
                content += part
                if len(content) > largest:
                    raise InputError(f"{shown(path)}: larger than {largest} bytes, expected {expected}")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{shown(path)}: not found, expected {expected}") from None
    except IsADirectoryError:
        raise InputError(f"{shown(path)}: is a folder, expected {expected}") from None
    return bytes(content)
