"""A world of its own for proving: a schema cloned to a server that is thrown away, and two tenants in every table."""
