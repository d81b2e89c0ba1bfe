"""The machine's memory: how much there is, and what the C library does with what TensorFlow gives back."""

import ctypes
import functools
import os
from pathlib import Path

# From glibc's <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_NEVER = 2**31 - 1

# Where Linux says what a container may use: control groups of version 2, and of version 1.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@functools.cache
def total_memory() -> int:
    """The memory that this process may use: the machine's, or what its container is allowed.

    Returns:
        Bytes; the same at each call, whatever is free.

    Example:
        >>> total_memory() > 2**20
        True
    """
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in map(Path, _LIMITS):
        try:
            found.append(int(path.read_text()))
        except (OSError, ValueError):  # No such file, or no limit: "max".
            continue
    return min(found)


def keep_host_memory() -> bool:
    """Lets the process keep the memory of large tensors for the next ones, instead of giving it back.

    glibc hands buffers of more than 32 MB back to the kernel when they are freed, and every batch pays for
    getting and clearing them again: `mallopt(3)`, ``M_MMAP_MAX`` and ``M_TRIM_THRESHOLD``. It holds for the
    whole process, whose memory stays at the largest that it had.

    Returns:
        Whether it was done; False where the C library has no such setting.

    Example:
        >>> keep_host_memory() in (True, False)
        True
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # Another C library, such as musl.
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _NEVER))
