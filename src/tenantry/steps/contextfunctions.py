"""The bodies of the functions that say the session's tenant, and how they are known again to the letter."""

from __future__ import annotations

import re
from typing import Literal

from tenantry.names import QName, literal, qualified

# Seconds how far ahead the end of a value may be: a clock that is wrong makes none that is good for ever.
MOST_SECONDS = 900
UNSIGNED = "unsigned"  # the row of keys that says until when values without a signature are taken, too
_MAC = 64  # characters
_SHAPE = f"^[0-9a-f]{{{_MAC}}}[.]"
_SQLSTATE = "42501"  # insufficient_privilege, as when a policy's check refuses a row

Kind = Literal["current_tenant", "no_tenant", "enter", "sign"]
KINDS: tuple[Kind, ...] = ("current_tenant", "no_tenant", "enter")  # those that everybody may call


def hmac(inner: str, outer: str, message: str) -> str:
    """SQL for HMAC-SHA-256 of a bytea under the key whose two pads (key, XOR 0x36 or 0x5c) are ``inner`` and ``outer``."""
    return f"sha256({outer} || sha256({inner} || {message}))"


def _bytes(text: str) -> str:
    return f"convert_to({text}, 'UTF8')"


def current_tenant(setting: str, keys: QName, type_: str) -> str:
    """The body of the function of that name.

    The keys stay columns of one query: as variables they could show up in a plan that debug_print_plan prints. Both
    MACs are hashed once more under the key before they are compared, so that how long that takes tells nothing.
    The end is compared with the beginning of the transaction, which a long one therefore outlives.
    """
    mac = _bytes(f"encode({hmac('k.inner_pad', 'k.outer_pad', _bytes('payload'))}, 'hex')")
    given = _bytes(f"left(value, {_MAC})")
    tenant = "substr(payload, length(split_part(payload, '.', 1)) + length(split_part(payload, '.', 2)) + 3)"
    cast = "" if type_ == "text" else f"::{type_}"
    name = literal(setting)
    return f"""
DECLARE
  value text := current_setting({name}, true);
  payload text := substr(value, {_MAC + 2});
  until bigint;
BEGIN
  IF value IS NULL OR value = '' THEN
    RETURN NULL;
  END IF;
  PERFORM FROM {qualified(keys)} AS k
  WHERE k.id = split_part(payload, '.', 1) AND (k.until IS NULL OR k.until > now())
    AND sha256(k.outer_pad || {mac}) = sha256(k.outer_pad || {given});
  IF NOT FOUND THEN
    IF value !~ '{_SHAPE}' AND EXISTS (SELECT FROM {qualified(keys)} AS k WHERE k.id = {literal(UNSIGNED)} AND k.until > now()) THEN
      RETURN value{cast};
    END IF;
    RAISE EXCEPTION '%: its value is not signed with a key of this database', {name} USING ERRCODE = '{_SQLSTATE}',
      HINT = 'Sign the tenant in the application, with a key that tenantry keys lists.';
  END IF;
  until := split_part(payload, '.', 2)::bigint;
  IF until NOT BETWEEN extract(epoch FROM now()) AND extract(epoch FROM now()) + {MOST_SECONDS} THEN
    RAISE EXCEPTION '%: its signed value is good until %, and this transaction began at %', {name},
      to_timestamp(until), now() USING ERRCODE = '{_SQLSTATE}',
      HINT = 'Sign anew for each transaction, for at most {MOST_SECONDS} seconds; if that is done, compare the clocks.';
  END IF;
  RETURN {tenant}{cast};
END
"""


def enter(setting: str) -> str:
    """The body of the one that binds a transaction to a value."""
    return f"""
BEGIN
  value := set_config({literal(setting)}, value, true);
END
"""


def sign(keys: QName) -> str:
    """The body of the one that signs, for administrators."""
    mac = hmac("k.inner_pad", "k.outer_pad", _bytes("p.payload"))
    return f"""
  SELECT encode({mac}, 'hex') || '.' || p.payload
  FROM (
    SELECT * FROM {qualified(keys)} WHERE inner_pad IS NOT NULL AND (until IS NULL OR until > now()) ORDER BY created_at DESC LIMIT 1
  ) AS k
  CROSS JOIN LATERAL (
    SELECT k.id || '.' || floor(extract(epoch FROM now()) + seconds)::bigint || '.' || tenant AS payload
  ) AS p
"""


def no_tenant(setting: str) -> str:
    """The body of the one that raises."""
    return f"""
BEGIN
  -- Whoever has a policy of its own sees rows by that one: observe mode, resolvers, the trail's owner, system work.
  IF EXISTS (
    SELECT FROM pg_policy AS p CROSS JOIN LATERAL unnest(p.polroles) AS r (oid)
    WHERE p.polpermissive AND r.oid <> 0 AND pg_has_role(current_user, r.oid, 'USAGE')
  ) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is not set, and this work belongs to a tenant', {literal(setting)} USING ERRCODE = '{_SQLSTATE}',
    HINT = 'Begin the transaction inside a tenant''s scope; work across tenants is for the login of [roles] system.';
END
"""


_SIGNED = re.compile(r"current_setting\('((?:[^']|'')+)', true\);.*?PERFORM FROM ([^\n]+) AS k\n.*\+ 3\)(?:::([^;]+))?;\nEND\n\Z", re.DOTALL)  # fmt: skip
_ENTERING = re.compile(r"value := set_config\('((?:[^']|'')+)', value, true\)")
_RAISING = re.compile(r"RAISE EXCEPTION '% is not set, and this work belongs to a tenant', '((?:[^']|'')+)' USING")  # fmt: skip


def recognise(source: str) -> tuple[Kind, str] | None:
    """Which of these functions a body is, to the letter, and the setting that it reads; None for any other."""
    if (found := _SIGNED.search(source)) is not None:
        setting, table = found[1].replace("''", "'"), found[2]
        parts = re.fullmatch(r'"((?:[^"]|"")+)"\."((?:[^"]|"")+)"', table)
        if parts is None:
            return None
        keys = QName(*(p.replace('""', '"') for p in parts.groups()))
        return (
            ("current_tenant", setting)
            if current_tenant(setting, keys, found[3] or "text") == source
            else None
        )
    if (found := _ENTERING.search(source)) is not None:
        setting = found[1].replace("''", "'")
        return ("enter", setting) if enter(setting) == source else None
    if (found := _RAISING.search(source)) is not None:
        setting = found[1].replace("''", "'")
        return ("no_tenant", setting) if no_tenant(setting) == source else None
    return None
