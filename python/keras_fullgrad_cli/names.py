"""Names for what is written of each image: as the image is called, and never two alike."""

import collections
import itertools
from collections.abc import Mapping
from pathlib import PurePath

from keras_fullgrad_cli.sources import Source

_LONGEST = 180  # Of the 255 bytes that file systems take, some are for suffixes.


def names(places: Mapping[Source, PurePath], kept: Mapping[Source, str]) -> dict[Source, str]:
    """Names all images of a run.

    An image is called as it lies below what was named, ``cats/1``. Where others would be called the same,
    all of them get longer names, until these tell them apart: with their suffix, ``1.bmp``, then with the
    folders above. An image that is explained for several classes gets these, ``1-7``.

    Args:
        places: The images, and where each lies below what was named.
        kept: Names that images have already.

    Returns:
        The name of each image, a path without suffix that stays in its folder.
    """
    often = collections.Counter(source.path for source in places)

    def form(source: Source, longer: int) -> str:
        tag = f"-{source.wanted}" if often[source.path] > 1 else ""
        return _cleaned(_lengthened(source, places[source], longer), tag)

    length = dict.fromkeys(places, 0)
    while crowded := _crowded({each: form(each, longer).lower() for each, longer in length.items()}):
        longer = {
            each: length[each] + 1 for each in crowded if length[each] <= len(PurePath(each.path).parts)
        }
        # What no folder tells apart, as a.png and A.png, is counted.
        length |= longer or dict.fromkeys(crowded, 0)
        if not longer:
            break
    # Some file systems do not tell capital letters from small ones.
    taken = {name.lower() for name in kept.values()}
    found = dict(kept)
    for source in places:
        if source not in kept:
            shortest = form(source, length[source])
            wanted = (form(source, longer) for longer in (length[source], max(1, length[source])))
            numbered = (f"{shortest}-{number}" for number in itertools.count(2))
            found[source] = next(
                each for each in itertools.chain(wanted, numbered) if each.lower() not in taken
            )
            taken.add(found[source].lower())
    return found


def _crowded(names: Mapping[Source, str]) -> list[Source]:
    """The images that are called as another."""
    alike = collections.Counter(names.values())
    return [source for source, name in names.items() if alike[name] > 1]


def _lengthened(source: Source, place: PurePath, longer: int) -> PurePath:
    """What an image is called: at 0 without suffix, at 1 with it, and from there with folders above."""
    if longer == 0:
        return place.with_suffix("") if place.name else place
    parts = PurePath(source.path).parts
    return PurePath(*parts[-(len(place.parts) + longer - 1) : len(parts) - len(place.parts)], place)


def _cleaned(path: PurePath, tag: str) -> str:
    """A name that leads into no other folder. Those that begin with a dot are hidden."""
    parts = [part.lstrip(".") for part in path.parts if part.strip("./")] or ["image"]
    parts = [part.encode(errors="surrogateescape")[:_LONGEST].decode(errors="replace") for part in parts]
    return "/".join(parts) + tag.replace("/", "_")
