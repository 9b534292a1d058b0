"""The tables that the application uses, as they are after the conversion."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import Computed, FetchedValue, Numeric, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from tenantry.runtime.orm import Owned, TenantColumn


def new_id() -> str:
    """An id that no other row of any tenant has."""
    return str(uuid4())


class Vector(UserDefinedType[list[float]]):
    """pgvector's `vector(384)`, written as text."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in SQL."""
        return "vector(384)"

    def bind_processor(self, dialect: Any) -> Callable[[list[float] | None], str | None]:
        """How a value is sent."""
        return lambda value: None if value is None else "[" + ",".join(f"{v:.6g}" for v in value) + "]"


class Base(DeclarativeBase):
    """Every table; times carry their zone."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        str: Text,
    }


class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    slug: Mapped[str]
    domain: Mapped[str | None]
    is_active: Mapped[bool]
    plan: Mapped[str]
    created_at: Mapped[datetime]


class User(Owned, Base):
    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str]
    name: Mapped[str | None]
    email_verified: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(FetchedValue())


class Account(Base):
    __tablename__ = "accounts"
    provider: Mapped[str] = mapped_column(primary_key=True)
    provider_account_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    type: Mapped[str]
    scope: Mapped[str | None]


class Login(Base):
    __tablename__ = "sessions"
    session_token: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    expires: Mapped[datetime]


class Link(Base):
    __tablename__ = "verification_tokens"
    identifier: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(primary_key=True)
    expires: Mapped[datetime]


class Skill(Owned, Base):
    __tablename__ = "skills"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    slug: Mapped[str]
    description: Mapped[str]
    category: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(default=list)
    published_version_id: Mapped[str | None]
    total_uses: Mapped[int] = mapped_column(default=0)
    average_rating: Mapped[Decimal | None] = mapped_column(Numeric(3, 2))
    search_vector: Mapped[str] = mapped_column(TSVECTOR, Computed(""), deferred=True)
    content: Mapped[str]
    hours_saved: Mapped[int | None]
    author_id: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(FetchedValue())


class Version(Owned, Base):
    __tablename__ = "skill_versions"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    skill_id: Mapped[str]
    version: Mapped[int]
    content_url: Mapped[str]
    content_hash: Mapped[str]
    content_type: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(FetchedValue())


class Rating(Owned, Base):
    __tablename__ = "ratings"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    skill_id: Mapped[str]
    user_id: Mapped[str]
    rating: Mapped[int]
    comment: Mapped[str | None]
    hours_saved_estimate: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(FetchedValue())


class Review(Owned, Base):
    __tablename__ = "skill_reviews"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    skill_id: Mapped[str]
    requested_by: Mapped[str]
    categories: Mapped[dict[str, Any]]
    summary: Mapped[str]
    reviewed_content_hash: Mapped[str]
    model_name: Mapped[str]
    is_visible: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(FetchedValue())


class Embedding(Owned, Base):
    __tablename__ = "skill_embeddings"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    skill_id: Mapped[str]
    embedding: Mapped[list[float]] = mapped_column(Vector)
    model_name: Mapped[str]
    model_version: Mapped[str | None]
    input_hash: Mapped[str]


class Usage(Owned, Base):
    __tablename__ = "usage_events"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tool_name: Mapped[str]
    skill_id: Mapped[str | None]
    user_id: Mapped[str | None]
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    created_at: Mapped[datetime] = mapped_column(FetchedValue())


class Key(Owned, Base):
    __tablename__ = "api_keys"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[str]
    key_hash: Mapped[str]
    key_prefix: Mapped[str]
    name: Mapped[str]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(FetchedValue())
    revoked_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class SiteSettings(Owned, Base):
    __tablename__ = "site_settings"
    __tenant__: ClassVar[TenantColumn] = TenantColumn(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True, default="default")
    semantic_similarity_enabled: Mapped[bool] = mapped_column(default=False)
    ollama_url: Mapped[str] = mapped_column(FetchedValue())
    ollama_model: Mapped[str] = mapped_column(FetchedValue())
    updated_at: Mapped[datetime] = mapped_column(FetchedValue())


class Event(Owned, Base):
    """For reading: `trail.record` writes them."""

    __tablename__ = "audit_logs"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    actor_id: Mapped[str | None]
    action: Mapped[str]
    resource_type: Mapped[str | None]
    resource_id: Mapped[str | None]
    ip_address: Mapped[str | None]
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    created_at: Mapped[datetime] = mapped_column(FetchedValue())
    seq: Mapped[int]
    outcome: Mapped[str]
    request_id: Mapped[str | None]
