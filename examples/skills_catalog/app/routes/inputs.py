"""What routes take from outside: texts without control characters, within a length."""

import unicodedata
from typing import Annotated
from uuid import UUID

from fastapi import Form, Path, Query
from pydantic import AfterValidator, StringConstraints


def _writable(text: str) -> str:
    """Lines and tabs are fine; other control characters and halves of characters are not."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\r\n\t":
            raise ValueError("a control character is not allowed")
    return text


Words = Annotated[str, StringConstraints(max_length=200), AfterValidator(_writable)]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=120, strip_whitespace=True), AfterValidator(_writable)
]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_writable)]
Remark = Annotated[str, StringConstraints(max_length=500), AfterValidator(_writable)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=50_000), AfterValidator(_writable)]
Email = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$", to_lower=True, strip_whitespace=True),
    AfterValidator(_writable),
]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
KeyId = Annotated[UUID, Path()]
Page = Annotated[int, Query(ge=1, le=1000)]
Question = Annotated[Words, Query()]
Stars = Annotated[int, Form(ge=1, le=5)]
Score = Annotated[int, Form(ge=1, le=10)]
