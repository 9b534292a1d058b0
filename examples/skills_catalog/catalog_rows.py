"""What the rows of the skills catalog hold: one generator of rows for each table.

There is no clock and no other source of chance than `random.Random`. Each table draws from a source of its
own, so a change to one table leaves the others alone.
"""

import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b, sha256
from pathlib import Path
from random import Random
from typing import Final, Self

from psycopg.types.json import Jsonb

END: Final = datetime(2025, 6, 1, tzinfo=UTC)
DAYS: Final = 730
START: Final = END - timedelta(days=DAYS)
DIMENSIONS: Final = 384
WORDS: Final[Mapping[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("words.toml").read_text(encoding="utf-8")
)
# Letters that Unicode does not take apart into a base letter and an accent, and the one phrase without ASCII.
_PLAIN: Final = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "日": "ja", "本": None, "語": None, "で": None}
)

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Catalog:
    """What rows of several tables must agree on, as numbers: a place in a table, or a day since START."""

    seed: int
    tenant: str  # empty in the single-tenant database
    brackets: tuple[str, str]  # around the numbers of an embedding
    counts: Mapping[str, int]
    user_day: list[int]
    author: list[int | None]  # of a skill
    skill_day: list[int]
    versions: list[int]  # how many a skill has
    rated: list[int]  # the skill of each rating
    stars: list[int]  # of each rating
    used: list[int | None]  # the skill of each event; past the last one for a skill deleted since

    @classmethod
    def make(cls, scale: float, seed: int, tenant: str, brackets: tuple[str, str]) -> Self:
        """Decide everything that more than one table depends on."""
        counts = {table: max(1, round(rows * scale)) for table, (rows, _) in TABLES.items()}
        users, skills = counts["users"], counts["skills"]
        rng = Random(f"{seed}/{tenant}/catalog")
        user_day = [int(rng.random() * (DAYS - 120)) for _ in range(users)]
        author = [None if rng.random() < 0.04 else _skewed(rng, users) for _ in range(skills)]
        skill_day = [rng.randrange(1 if a is None else user_day[a] + 1, DAYS - 40) for a in author]
        versions = _tally((rng.randrange(skills) for _ in range(counts["skill_versions"])), skills)
        rated = [_skewed(rng, skills) for _ in range(counts["ratings"])]
        stars = rng.choices((1, 2, 3, 4, 5), (4, 7, 19, 38, 32), k=len(rated))
        used = [_event_skill(rng, skills) for _ in range(counts["usage_events"])]
        return cls(seed, tenant, brackets, counts, user_day, author, skill_day, versions, rated, stars, used)

    def rng(self, table: str) -> Random:
        """The table's own source of chance."""
        return Random(f"{self.seed}/{self.tenant}/{table}")

    def id(self, table: str, number: int | str) -> str:
        """The id of a row, formed like a random UUID. The tenant is part of it, so tenants never collide."""
        digits = blake2b(f"{self.tenant}/{table}/{number}".encode(), digest_size=16).hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def digest(self, what: str, number: int | str) -> str:
        """A SHA-256 in hex, standing for the hash of, or a token for, something the catalog does not hold."""
        return sha256(f"{self.tenant}/{self.seed}/{what}/{number}".encode()).hexdigest()

    def user(self, rng: Random) -> str:
        """The id of some user; a few are much busier than the rest."""
        return self.id("users", _skewed(rng, self.counts["users"]))

    def email(self, user: int) -> str:
        """The address of a user, unique in the whole database whatever the tenant is called."""
        domain = f"{blake2b(self.tenant.encode(), digest_size=6).hexdigest()}." if self.tenant else ""
        return f"{ascii_slug('.'.join(_person(user)))}.{user + 1}@{domain}example.com"


def _tally(places: Iterable[int], size: int) -> list[int]:
    """How often each place below `size` occurs."""
    counts = [0] * size
    for place in places:
        counts[place] += 1
    return counts


def _skewed(rng: Random, size: int) -> int:
    return int(size * rng.random() ** 2.2)


def _event_skill(rng: Random, skills: int) -> int | None:
    chance = rng.random()
    if chance < 0.12:
        return None
    return skills + rng.randrange(20) if chance < 0.13 else _skewed(rng, skills)


def _maybe(rng: Random, chance: float, value: object) -> object:
    """`value` with that chance, else None."""
    return value if rng.random() < chance else None


def _on(rng: Random, day: int) -> datetime:
    """A time on that day, mostly around noon."""
    return START + timedelta(days=day, milliseconds=int(rng.triangular(18_000_000, 82_000_000, 48_000_000)))


def _after(rng: Random, day: int) -> datetime:
    """A time on a later day, before END."""
    return _on(rng, rng.randrange(day + 1, DAYS))


def ascii_slug(text: str) -> str:
    """`text` in lower case ASCII, words joined by hyphens: for slugs and addresses."""
    bare = unicodedata.normalize("NFKD", text.translate(_PLAIN)).encode("ascii", "ignore").decode()
    return "-".join(bare.lower().split())


def _person(user: int) -> tuple[str, str]:
    family, given = divmod(user, len(WORDS["given"]))
    return WORDS["given"][given], WORDS["family"][family % len(WORDS["family"])]


def skill_name(skill: int) -> str:
    """The name of a skill. It depends on the number alone, so every tenant has the same names and slugs."""
    verbs, things, audiences = WORDS["verb"], WORDS["thing"], WORDS["audience"]
    combinations = len(verbs) * len(things) * len(audiences)
    again, place = divmod(skill, combinations)
    # The stride is prime and divides no list: each combination comes once before any comes again, well mixed.
    place, verb = divmod(place * 2_729 % combinations, len(verbs))
    audience, thing = divmod(place, len(things))
    title = f"{verbs[verb]} {things[thing]} {audiences[audience]}"
    return f"{title} {again + 1}" if again else title


def _sentence(rng: Random) -> str:
    return f"{rng.choice(WORDS['opening'])} {rng.choice(WORDS['ending'])}."


def _users(c: Catalog) -> Iterator[Row]:
    rng = c.rng("users")
    for user, day in enumerate(c.user_day):
        yield {
            "id": c.id("users", user),
            "email": c.email(user),
            "name": _maybe(rng, 0.93, " ".join(_person(user))),
            "email_verified": _maybe(rng, 0.8, _after(rng, day)),
            "image": _maybe(rng, 0.6, f"https://images.example.com/{c.digest('image', user)[:12]}.png"),
            "created_at": _on(rng, day),
            "updated_at": _after(rng, day),
        }


def _accounts(c: Catalog) -> Iterator[Row]:
    rng = c.rng("accounts")
    for number in range(c.counts["accounts"]):
        provider = rng.choices(("google", "github", "email"), (5, 3, 2))[0]
        oauth, google = provider != "email", provider == "google"
        yield {
            "user_id": c.id("users", number % c.counts["users"]),
            "type": "oidc" if google else "oauth" if oauth else "email",
            "provider": provider,
            "provider_account_id": c.digest("account", number)[:21],
            "refresh_token": _maybe(rng, 0.5, f"rt_{c.digest('refresh', number)[:40]}") if oauth else None,
            "access_token": f"at_{c.digest('access', number)[:40]}" if oauth else None,
            "expires_at": int(END.timestamp()) + rng.randrange(86_400) if google else None,
            "token_type": "bearer" if oauth else None,
            "scope": "openid email" if google else "read:user" if oauth else None,
            "id_token": f"it_{c.digest('identity', number)}" if google else None,
            "session_state": _maybe(rng, 0.3, c.digest("state", number)[:32]) if google else None,
        }


def _sessions(c: Catalog) -> Iterator[Row]:
    rng = c.rng("sessions")
    for number in range(c.counts["sessions"]):
        expires = END + timedelta(seconds=rng.randrange(30 * 86_400))
        yield {"session_token": c.digest("session", number), "user_id": c.user(rng), "expires": expires}


def _verification_tokens(c: Catalog) -> Iterator[Row]:
    rng = c.rng("verification_tokens")
    for number in range(c.counts["verification_tokens"]):
        address = c.email(rng.randrange(c.counts["users"]))
        expires = END + timedelta(seconds=rng.randrange(86_400))
        yield {"identifier": address, "token": c.digest("verification", number), "expires": expires}


def _published_and_draft(rng: Random, versions: int) -> tuple[int, int]:
    """Which version is published and which is a draft; 0 for none."""
    chance = rng.random()
    if chance < 0.1:
        return 0, versions
    return (versions - 1, versions) if versions > 1 and chance < 0.3 else (versions, 0)


def _average(stars: int, ratings: int) -> Decimal | None:
    """To two places, ties up: what the server's own `round(avg(rating), 2)` gives."""
    return Decimal((200 * stars + ratings) // (2 * ratings)).scaleb(-2) if ratings else None


def _skills(c: Catalog) -> Iterator[Row]:
    rng, skills = c.rng("skills"), c.counts["skills"]
    uses = _tally((skill for skill in c.used if skill is not None and skill < skills), skills)
    ratings = _tally(c.rated, skills)
    stars = _tally((skill for skill, n in zip(c.rated, c.stars, strict=True) for _ in range(n)), skills)
    for skill, (day, author) in enumerate(zip(c.skill_day, c.author, strict=True)):
        title, (published, draft) = skill_name(skill), _published_and_draft(rng, c.versions[skill])
        steps = "\n".join(f"{step}. {_sentence(rng)}" for step in range(1, rng.randrange(3, 7)))
        yield {
            "id": c.id("skills", skill),
            "name": title,
            "slug": ascii_slug(title),
            "description": _sentence(rng),
            "category": rng.choice(WORDS["category"]),
            "tags": rng.sample(WORDS["tag"], rng.randrange(5)),
            "published_version_id": c.id("skill_versions", f"{skill}.{published}") if published else None,
            "draft_version_id": c.id("skill_versions", f"{skill}.{draft}") if draft else None,
            "total_uses": uses[skill],
            "average_rating": _average(stars[skill], ratings[skill]),
            "content": f"# {title}\n\n{steps}\n",
            "hours_saved": _maybe(rng, 0.9, rng.choice((1, 1, 1, 2, 3, 5, 8))),
            "author_id": None if author is None else c.id("users", author),
            "created_at": _on(rng, day),
            "updated_at": _after(rng, day),
        }


def _version_metadata(rng: Random) -> Jsonb | None:
    match rng.randrange(5):
        case 0:
            return None
        case 1:
            return Jsonb({})
        case 2:
            return Jsonb({"changelog": _sentence(rng), "breaking": rng.random() < 0.1})
        case 3:
            return Jsonb(
                {"languages": rng.sample(["de", "en", "fr", "日本語"], 2), "words": rng.randrange(900)}
            )
        case _:
            return Jsonb({"inputs": [{"name": tag, "required": True} for tag in rng.sample(WORDS["tag"], 2)]})


def _skill_versions(c: Catalog) -> Iterator[Row]:
    rng = c.rng("skill_versions")
    for number, (day, author) in enumerate(zip(c.skill_day, c.author, strict=True)):
        skill, title = c.id("skills", number), skill_name(number)
        for version, created in enumerate(sorted(_after(rng, day) for _ in range(c.versions[number])), 1):
            yield {
                "id": c.id("skill_versions", f"{number}.{version}"),
                "skill_id": skill,
                "version": version,
                "content_url": f"https://files.example.com/{skill}/{version}.md",
                "content_hash": c.digest("content", f"{number}.{version}"),
                "content_type": rng.choice(("text/markdown", "text/markdown", "text/plain")),
                "name": title,
                "description": _maybe(rng, 0.75, _sentence(rng)),
                "metadata": _version_metadata(rng),
                "created_by": None if author is None else c.id("users", author),
                "created_at": created,
            }


def _ratings(c: Catalog) -> Iterator[Row]:
    rng = c.rng("ratings")
    for number, (skill, stars) in enumerate(zip(c.rated, c.stars, strict=True)):
        yield {
            "id": c.id("ratings", number),
            "skill_id": c.id("skills", skill),
            "user_id": c.user(rng),
            "rating": stars,
            "comment": _maybe(rng, 0.4, rng.choice(WORDS["comment"])),
            "hours_saved_estimate": _maybe(rng, 0.6, rng.randrange(1, 13)),
            "created_at": _after(rng, c.skill_day[skill]),
        }


def _event_metadata(rng: Random, tool: str) -> Jsonb:
    client: dict[str, object] = {"client": rng.choice(("cli", "editor", "web")), "ms": rng.randrange(3, 900)}
    match tool:
        case "search_skills":
            query = f"{rng.choice(WORDS['verb'])} {rng.choice(WORDS['thing'])}".lower()
            return Jsonb(client | {"query": query, "filters": {"category": rng.choice(WORDS["category"])}})
        case "run_skill":
            return Jsonb(client | {"ok": rng.random() < 0.97, "tokens": {"in": rng.randrange(4_000)}})
        case _:
            return Jsonb(client)


def _usage_events(c: Catalog) -> Iterator[Row]:
    rng = c.rng("usage_events")
    for number, skill in enumerate(c.used):
        tool = rng.choice(WORDS["tool"])
        yield {
            "id": c.id("usage_events", number),
            "tool_name": tool,
            "skill_id": None if skill is None else c.id("skills", skill),
            "user_id": _maybe(rng, 0.94, c.user(rng)),
            "metadata": _maybe(rng, 0.85, _event_metadata(rng, tool)),
            "created_at": _after(
                rng, 0 if skill is None or skill >= len(c.skill_day) else c.skill_day[skill]
            ),
        }


def _skill_embeddings(c: Catalog) -> Iterator[Row]:
    rng = c.rng("skill_embeddings")
    # The centres are the same for every tenant: the nearest neighbours of a row include other tenants' rows.
    fixed = Random(DIMENSIONS)
    centres = [[fixed.uniform(-0.1, 0.1) for _ in range(DIMENSIONS)] for _ in range(8)]
    for skill in rng.sample(range(c.counts["skills"]), c.counts["skill_embeddings"]):
        values = ",".join(f"{value + rng.random() * 0.04 - 0.02:.4f}" for value in rng.choice(centres))
        yield {
            "id": c.id("skill_embeddings", skill),
            "skill_id": c.id("skills", skill),
            "embedding": values.join(c.brackets),
            "model_name": "all-minilm",
            "model_version": rng.choice(("l6-v2", "l12-v2", None)),
            "input_hash": c.digest("input", skill),
            "created_at": _on(rng, c.skill_day[skill]),
            "updated_at": _after(rng, c.skill_day[skill]),
        }


def _skill_reviews(c: Catalog) -> Iterator[Row]:
    rng = c.rng("skill_reviews")
    for skill in rng.sample(range(c.counts["skills"]), c.counts["skill_reviews"]):
        notes = {aspect: _sentence(rng) for aspect in ("clarity", "quality", "safety")}
        yield {
            "id": c.id("skill_reviews", skill),
            "skill_id": c.id("skills", skill),
            "requested_by": c.user(rng),
            "categories": Jsonb({a: {"score": rng.randrange(1, 11), "note": n} for a, n in notes.items()}),
            "summary": _sentence(rng),
            "suggested_description": _maybe(rng, 0.35, _sentence(rng)),
            "reviewed_content_hash": c.digest("content", f"{skill}.{c.versions[skill]}"),
            "model_name": rng.choice(("reviewer-small", "reviewer-large")),
            "is_visible": rng.random() < 0.9,
            "created_at": _after(rng, c.skill_day[skill]),
        }


def _api_keys(c: Catalog) -> Iterator[Row]:
    rng = c.rng("api_keys")
    for number in range(c.counts["api_keys"]):
        owner = _skewed(rng, c.counts["users"])
        day = c.user_day[owner] + rng.randrange(1, 60)
        yield {
            "id": c.id("api_keys", number),
            "user_id": c.id("users", owner),
            "key_hash": c.digest("key", number),
            "key_prefix": f"sk_{c.digest('prefix', number)[:8]}",
            "name": rng.choice(WORDS["key"]),
            "last_used_at": _maybe(rng, 0.7, _after(rng, day)),
            "created_at": _on(rng, day),
            "revoked_at": _maybe(rng, 0.15, _after(rng, day)),
            "expires_at": _maybe(rng, 0.5, END + timedelta(days=rng.randrange(1, 365))),
        }


def _site_settings(c: Catalog) -> Iterator[Row]:
    rng = c.rng("site_settings")
    yield {
        "id": "default",
        "semantic_similarity_enabled": True,
        "ollama_url": "http://localhost:11434",
        "ollama_model": "all-minilm",
        "embedding_dimensions": DIMENSIONS,
        "last_successful_connection": _after(rng, DAYS - 30),
        "updated_at": _after(rng, 0),
    }


# Rows at scale 1 and where they come from, in an order that satisfies the foreign keys.
TABLES: Final[Mapping[str, tuple[int, Callable[[Catalog], Iterator[Row]]]]] = {
    "users": (1_500, _users),
    "accounts": (1_500, _accounts),
    "sessions": (1_000, _sessions),
    "verification_tokens": (200, _verification_tokens),
    "skills": (3_000, _skills),
    "skill_versions": (6_000, _skill_versions),
    "ratings": (14_000, _ratings),
    "usage_events": (20_000, _usage_events),
    "skill_embeddings": (300, _skill_embeddings),
    "skill_reviews": (1_500, _skill_reviews),
    "api_keys": (1_000, _api_keys),
    "site_settings": (1, _site_settings),  # one row at every scale
}
