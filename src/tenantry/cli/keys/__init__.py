"""tenantry keys: one file per verb, each a thin call of one public function."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tenantry.cli.keys.list import list_
from tenantry.cli.keys.new import new
from tenantry.cli.keys.retire import retire
from tenantry.cli.keys.unsigned import unsigned

VERBS: Mapping[str, Callable[..., int]] = {"new": new, "list": list_, "retire": retire, "unsigned": unsigned}
HELP = "Make, list and retire the keys that tenants are signed with; take unsigned ones for a while."
