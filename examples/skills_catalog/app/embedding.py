"""A stand-in for a language model: text to 384 numbers, the same on every machine, without a download.

Words and their three-letter pieces are hashed into places of the vector (feature hashing, with a sign from the hash),
which is then brought to length 1. Texts that share words or parts of words are near each other; meaning plays no part.
An application puts its model here, and writes the model's name beside each vector.
"""

import math
import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

MODEL: Final = "word-hash"
VERSION: Final = "1"
DIMENSIONS: Final = 384
_WORD: Final = re.compile(r"\w+")


def embed(text: str) -> list[float]:
    """The vector of a text, of length 1; a text without a word gets that of an empty word."""
    values = [0.0] * DIMENSIONS
    for feature, weight in _features(text):
        number = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest())
        values[number % DIMENSIONS] += weight if number >> 63 else -weight
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values] if length else embed("_")


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(text.lower()):
        yield word, 1.0
        marked = f"<{word}>"
        yield from ((marked[at : at + 3], 0.3) for at in range(len(marked) - 2))
