"""The skills catalog as a web application: one process for all tenants, on the converted database.

`main.create_app` makes it, `python -m app` runs it on a throwaway server. It connects as the application's role, and
every request runs in the scope of its tenant.
"""
