"""Convert a live single-tenant PostgreSQL database to provable multi-tenancy."""

__version__ = "0.1.0"
