"""The state of a verification as a file, for the next one to begin from."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tenantry.audit.tree import Frontier
from tenantry.audit.verify import State
from tenantry.errors import SpecError, unreadable


def load(path: Path) -> State | None:
    """What :func:`save` wrote; None where there is no file yet. Raises SpecError for anything else."""
    try:
        data = json.loads(path.read_bytes())
        frontier = Frontier.from_bytes(data["size"], bytes.fromhex(data["frontier"]))
        return State(data["size"], frontier, data["key"], data["layout"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = unreadable(error) if isinstance(error, OSError) else error
        raise SpecError(
            f"{path}: not the state of a verification ({why}); remove it, and all is verified again"
        ) from None


def save(path: Path, state: State) -> None:
    """Replace the file at once."""
    data = {
        "size": state.size,
        "frontier": state.frontier.to_bytes().hex(),
        "key": state.key,
        "layout": state.layout,
    }
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
