"""Numbers as people read them."""


def percent(probability: float) -> str:
    """Writes a probability, which is neither nothing nor certain because it is rounded.

    Args:
        probability: From 0 to 1.

    Returns:
        It in percent.

    Example:
        >>> percent(0.0123), percent(1e-9), percent(1 - 1e-9), percent(1.0)
        ('1.2%', '< 0.1%', '> 99.9%', '100.0%')
    """
    share = 100 * float(probability)
    if 0 < share < 0.05:
        return "< 0.1%"
    return "> 99.9%" if 99.95 <= share < 100 else f"{share:.1f}%"
