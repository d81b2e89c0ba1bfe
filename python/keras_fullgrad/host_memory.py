"""What the C library does with memory that TensorFlow gives back."""

import ctypes

# From glibc's <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_NEVER = 2**31 - 1


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
