"""What the application is told from outside."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Settings:
    """`dsn` is that of the application's role. `domain` is what subdomains of tenants hang below.

    `show_links` shows a sign-in link to whoever asks for it: for development, where no mail is sent.
    `secure_cookies` is off only where the application is served over plain HTTP.
    """

    dsn: str
    domain: str = "localhost"
    show_links: bool = False
    secure_cookies: bool = True

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """From `CATALOG_DSN` and its siblings. Raises KeyError without the first."""
        return cls(
            environment["CATALOG_DSN"],
            environment.get("CATALOG_DOMAIN", "localhost"),
            environment.get("CATALOG_SHOW_LINKS") == "1",
            environment.get("CATALOG_PLAIN_HTTP") != "1",
        )
