"""What a catalog suggests about tenancy: names, keys and references, read as evidence and never as proof.

``inspect`` reports it and ``init`` drafts a spec from it. Nothing here reads data: only names, types, keys
and the server's estimates.
"""
