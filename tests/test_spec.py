"""The spec: what it reads, and what it says about each mistake."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tenantry
from tenantry import names, spec, tomltext
from tenantry.errors import SpecError
from tenantry.names import QName
from tenantry.spec import (
    Constant,
    FromColumn,
    FromExpression,
    FromMapping,
    FromParent,
    Spec,
    TableRule,
    Tenancy,
    UniqueRule,
    reading,
)

ROOT = Path(__file__).parent.parent
SHIPPED_SCHEMA = Path(tenantry.__file__).parent / "tenantry.schema.json"

WHOLE = """
[tenancy]
tenants = "core.tenants"
key = "code"
column = "customer"
type = "uuid"
setting = "my.tenant"
schemas = ["core", "public"]
default = { id = "t1", name = "First", slug = "first" }

[roles]
app = "web"
owner = "nobody_logs_in"

[audit]
table = "core.trail"

[render]
first = 7

[tables.users]
scope = "tenant"
backfill = { constant = "t1" }
column = "owner"
primary_key = "tenant"
triggers = "fire"
unique.users_email_key = { scope = "global", reason = "sign-in", name = "users_email_all" }
unique.users_nick_key = "tenant"
policies.old = "drop"

[tables."core.orders"]
scope = "tenant"
backfill = { column = "customer", matches = "slug", create = true }

[tables.lines]
scope = "tenant"
backfill = { parent = "core.orders", on = { order_id = "id" } }

[tables.people]
scope = "tenant"
backfill = { mapping = "members", on = { id = "person" }, tenant = "customer" }

[tables.files]
scope = "tenant"
backfill = { expression = "split_part(path, '/', 1)" }

[tables.sessions]
scope = "through"
parent = "users"
on = { user_id = "id" }

[tables.countries]
scope = "shared"
reason = "ISO 3166"
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        spec.parse(text, "my.toml")
    return str(caught.value).splitlines()


def test_everything_that_can_be_said_is_read() -> None:
    read = spec.parse(WHOLE)
    assert read.tenancy.tenants == QName("core", "tenants")
    assert (read.tenancy.key, read.tenancy.column, read.tenancy.type) == ("code", "customer", "uuid")
    assert (read.tenancy.setting, read.tenancy.schemas) == ("my.tenant", ("core", "public"))
    assert read.tenancy.default == spec.Tenant(id="t1", name="First", slug="first")
    assert (read.roles.app, read.roles.owner) == ("web", "nobody_logs_in")
    assert read.audit is not None
    assert (read.audit.table, read.render.first) == (QName("core", "trail"), 7)
    users = read.tables[QName("public", "users")]
    assert (users.column, users.primary_key, users.triggers) == ("owner", "tenant", "fire")
    assert users.unique["users_email_key"] == UniqueRule(
        scope="global", reason="sign-in", name="users_email_all"
    )
    assert users.unique["users_nick_key"] == UniqueRule(scope="tenant")
    assert users.policies == {"old": "drop"}
    assert [rule.backfill for rule in read.tables.values()] == [
        Constant(constant="t1"),
        FromColumn(column="customer", matches="slug", create=True),
        FromParent(parent=QName("core", "orders"), on={"order_id": "id"}),
        FromMapping(mapping=QName("public", "members"), on={"id": "person"}, tenant="customer"),
        FromExpression(expression="split_part(path, '/', 1)"),
        None,
        None,
    ]
    assert read.undecided == ()


def test_types_of_arguments_are_spelt_as_the_server_does() -> None:
    text = '[searches.s]\ntable = "x"\nmatch = "a"\narguments = ["a  int", "b varchar[]", "c timestamptz", "d \\"Odd\\".vector[]"]'
    assert spec.parse(text).searches["s"].typed == (
        ("a", "integer"),
        ("b", "character varying[]"),
        ("c", "timestamp with time zone"),
        ("d", '"Odd".vector[]'),
    )


def test_an_empty_file_is_a_spec_of_defaults() -> None:
    assert spec.parse("") == Spec()
    assert spec.parse("").tenancy == Tenancy()


def test_every_undecided_key_is_listed() -> None:
    read = spec.parse(
        '[tenancy]\ntenants = "undecided"\n'
        '[tenancy.policies]\np = "undecided"\n'
        '[tables.a]\nscope = "undecided"\npolicies.p = "undecided"\n'
        '[tables."s.b"]\nscope = "tenant"\nbackfill = "undecided"\nprimary_key = "undecided"\n'
        'triggers = "undecided"\nunique."odd.key" = "undecided"\nunique.k = "tenant"\n'
    )
    assert read.undecided == (
        "tenancy.tenants",
        "tenancy.policies.p",
        "tables.a.scope",
        "tables.a.policies.p",
        'tables."s.b".backfill',
        'tables."s.b".primary_key',
        'tables."s.b".triggers',
        'tables."s.b".unique."odd.key"',
    )


def test_the_digest_is_of_what_is_said_and_not_of_how() -> None:
    one = '[tables.a]\nscope = "shared"\n[tables.b]\nscope = "ignored"\n'
    other = 'tables.b.scope = "ignored"  # first\ntables."public.a".scope = "shared"\n'
    assert spec.parse(one).digest == spec.parse(other).digest
    assert spec.parse(one).digest != spec.parse(one.replace("shared", "ignored")).digest
    moved = one.replace("tables.a]", 'tables."x.a"]')
    assert spec.parse(one).digest != spec.parse(moved).digest


SCOPES = "'tenant', 'shared', 'through', 'ignored' or 'undecided'"
NO_SOURCE = (
    'names no source; write { constant = "…" }, or one of constant, column, parent, mapping, expression'
)

MISTAKES = {
    "syntax": ("[", "not valid TOML: Invalid initial character for a key part (at end of document)"),
    "unknown section": (
        "tennants = 1",
        "tennants: no such key here; did you mean tenancy?; the keys here are",
    ),
    "unknown key": ('[tenancy]\nschema = ["a"]', "tenancy.schema: no such key here; did you mean schemas?"),
    "section is a value": ("tenancy = 5", "tenancy: is 5 and must hold keys of its own; write [tenancy]"),
    "tables is a value": ("tables = 5", "tables: is 5 and must hold keys of its own; write [tables]"),
    "table is a value": (
        'tables.x = "tenant"',
        'tables.x: is "tenant" and must hold keys of its own; write [tables.x]',
    ),
    "not text": (
        "[tenancy]\ntype = 5",
        "tenancy.type: is 5 and must be text; put it in double quotes (Type of",
    ),
    "empty text": ('[roles]\napp = ""', 'roles.app: is "" and must not be empty; fill it in (Login of'),
    "empty list": ("[tenancy]\nschemas = []", "tenancy.schemas: is [] and must not be empty; fill it in"),
    "not a list": (
        '[tenancy]\nschemas = "a"',
        'tenancy.schemas: is "a" and must be a list; put it in brackets',
    ),
    "setting": (
        '[tenancy]\nsetting = "tenant"',
        'tenancy.setting: is "tenant" and must be names joined by dots; write for example',
    ),
    "negative": (
        "[render]\nfirst = -1",
        "render.first: is -1 and must be a whole number, 0 or more; write one",
    ),
    "no number": ('[render]\nfirst = "x"', 'render.first: is "x" and must be a whole number'),
    "missing default": (
        '[tenancy.default]\nid = "a"\nname = "A"',
        "tenancy.default.slug: is missing; add it (Unique short name)",
    ),
    "missing scope": ("[tables.x]\n", "tables.x.scope: is missing; add it (tenant: gets the tenant column"),
    "unknown scope": (
        '[tables.x]\nscope = "tennant"',
        f'tables.x.scope: is "tennant" and must be {SCOPES}; did you mean tenant?',
    ),
    "table name": (
        'tables."a.b.c".scope = "ignored"',
        "tables.\"a.b.c\": 'a.b.c' has 3 parts; a table name has one or two (quote a name with a dot);"
        ' write "table" or "schema.table"',
    ),
    "table name is a list": (
        '[tenancy]\ntenants = ["a", "b"]',
        "tenancy.tenants: a table's name is text in quotes",
    ),
    "same table twice": (
        'tables.x.scope = "ignored"\ntables."public.x".scope = "shared"',
        "tables: x and public.x are the same table; keep one",
    ),
    "schema as a section": (
        '[tables.sales.orders]\nscope = "tenant"',
        'tables.sales.orders: no such key here; for a table of another schema write [tables."sales.orders"]',
    ),
    "source misspelled": (
        '[tables.x]\nscope = "tenant"\nbackfill = { konstant = "a" }',
        f"tables.x.backfill: {NO_SOURCE}",
    ),
    "source is a word": ('[tables.x]\nscope = "tenant"\nbackfill = "a"', f"tables.x.backfill: {NO_SOURCE}"),
    "source is a number": ('[tables.x]\nscope = "tenant"\nbackfill = 1', f"tables.x.backfill: {NO_SOURCE}"),
    "two sources": (
        '[tables.x]\nscope = "tenant"\nbackfill = { constant = "a", parent = "b" }',
        "tables.x.backfill: constant and parent are 2 sources; keep one",
    ),
    "unknown key of a source": (
        '[tables.x]\nscope = "tenant"\nbackfill = { parent = "a", onn = { b = "c" } }',
        "tables.x.backfill.onn: no such key here; did you mean on?; the keys here are parent, on",
    ),
    "missing key of a source": (
        '[tables.x]\nscope = "tenant"\nbackfill = { column = "a" }',
        "tables.x.backfill.matches: is missing; add it (The column of the tenants table that it equals)",
    ),
    "parent": (
        '[tables.x]\nscope = "tenant"\nbackfill = { parent = "a..b" }',
        'tables.x.backfill.parent: \'a..b\' is not a table name; write "table" or "schema.table"',
    ),
    "not a switch": (
        '[tables.x]\nscope = "tenant"\nbackfill = { column = "a", matches = "b", create = "perhaps" }',
        'tables.x.backfill.create: is "perhaps" and must be true or false; write one of them without quotes',
    ),
    "a table called Constant": (
        '[tables.Constant]\nscope = "tenant"\nbackfill = { constant = 1 }',
        "tables.Constant.backfill.constant: is 1 and must be text; put it in double quotes",
    ),
    "global without reason": (
        '[tables.x]\nscope = "tenant"\nunique.k = "global"',
        'tables.x.unique.k: stays global and needs a reason; write { scope = "global", reason = "…" }',
    ),
    "no decision": (
        '[tables.x]\nscope = "tenant"\nunique.k = 5',
        'tables.x.unique.k: is no decision; write "tenant", or { scope = "global", reason = "…" }',
    ),
    "unknown key of a decision": (
        '[tables.x]\nscope = "tenant"\nunique.k = { scope = "tenant", why = "a" }',
        "tables.x.unique.k.why: no such key here; the keys here are scope, reason, name",
    ),
    "policy": (
        '[tables.x]\nscope = "tenant"\npolicies.p = "keeep"',
        "tables.x.policies.p: is \"keeep\" and must be 'drop', 'keep' or 'undecided'; did you mean keep?",
    ),
    "key for another scope": (
        '[tables.x]\nscope = "shared"\ncolumn = "t"',
        "tables.x: column is for scope tenant only, and the scope is shared; remove one",
    ),
    "parent for another scope": (
        '[tables.x]\nscope = "ignored"\nparent = "t"',
        "tables.x: parent and on are for scope through only, and the scope is ignored; remove one",
    ),
    "through without parent": (
        '[tables.x]\nscope = "through"',
        "tables.x: scope through needs parent, the tenant table that isolates this one; add it",
    ),
    "argument": (
        '[searches.s]\ntable = "x"\narguments = ["Words text"]\nmatch = "a"',
        "searches.s.arguments.0: 'Words text' is no argument; write a lower-case name and a type without a length, such as \"words text\"",
    ),
    "argument without a type": (
        '[searches.s]\ntable = "x"\narguments = ["words"]\nmatch = "a"',
        "searches.s.arguments.0: 'words' is no argument; write",
    ),
    "argument that goes on": (
        '[searches.s]\ntable = "x"\narguments = ["words text) RETURNS int --"]\nmatch = "a"',
        "searches.s.arguments.0: 'words text) RETURNS int --' is no argument; write",
    ),
    "argument with a length": (
        '[searches.s]\ntable = "x"\narguments = ["words varchar(3)"]\nmatch = "a"',
        "searches.s.arguments.0: 'words varchar(3)' is no argument; write",
    ),
    "type of nobody's": (
        '[searches.s]\ntable = "x"\narguments = ["near vector"]\nmatch = "a"',
        "searches.s.arguments.0: 'vector' is no type of the server's own; write its schema in front, such as \"public.vector\"",
    ),
    "argument twice": (
        '[searches.s]\ntable = "x"\narguments = ["a text", "a int"]\nmatch = "a"',
        "searches.s.arguments: two arguments have the same name; rename one",
    ),
    "argument that is there": (
        '[searches.s]\ntable = "x"\narguments = ["max_rows int"]\nmatch = "a"',
        "searches.s.arguments.0: max_rows is an argument of every search already; choose another name",
    ),
    "search without match": (
        '[searches.s]\ntable = "x"',
        "searches.s.match: is missing; add it (The condition,",
    ),
    "search of a tenant": (
        '[searches.s]\ntable = "x"\nmatch = "a"\ntenant = "acme"',
        "searches.s.tenant: no such key here; the keys here are table, arguments, match, order",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence_with_file_key_and_fix(name: str) -> None:
    text, expected = MISTAKES[name]
    found = mistakes(text)
    assert any(line.startswith(f"my.toml: {expected}") for line in found), found
    about_the_key = [line for line in found if line.startswith(f"my.toml: {expected.split(':')[0]}:")]
    assert len(about_the_key) == 1  # and not once per kind of source


def test_all_mistakes_are_told_at_once() -> None:
    found = mistakes(
        '[tenancy]\ntype = 5\n[tables.x]\nscope = "tenant"\nbackfill = { a = 1 }\nprimary_key = 1'
    )
    assert [line.split(": ")[1] for line in found] == [
        "tenancy.type",
        "tables.x.backfill",
        "tables.x.primary_key",
    ]


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tenantry.toml"
    file.write_text(WHOLE, encoding="utf-8")
    assert spec.load(file) == spec.parse(WHOLE)


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match=r"no\.toml: cannot be read \(No such file.*`tenantry init` writes one"
    ):
        spec.load(tmp_path / "no.toml")


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes('# Größe\n[tables."Größe"]\nscope = "ignored"\n'.encode("latin-1"))
    with pytest.raises(SpecError, match=r"a\.toml: not UTF-8: .* at byte \d+; save it as UTF-8"):
        spec.load(tmp_path / "a.toml")


def test_rules_can_be_made_in_python() -> None:
    rule = TableRule(scope="tenant", backfill=FromParent(parent=QName("public", "users")))
    made = Spec(tables={QName("public", "skills"): rule})
    written = '[tables.skills]\nscope = "tenant"\nbackfill = { parent = "users" }'
    assert made == spec.parse(written)
    assert made.digest == spec.parse(written).digest


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from([*spec.SOURCES, "on", "matches", "tenant", "create", "scope", "reason", "undecided"])


@given(st.dictionaries(keys, anything, max_size=4) | anything, anything, anything)
def test_whatever_is_written_is_read_or_refused_with_a_sentence(
    backfill: object, unique: object, section: object
) -> None:
    data = {
        "tables": {"x": {"scope": "tenant", "backfill": backfill, "unique": {"k": unique}}},
        "tenancy": section,
        "roles": section,
    }
    try:
        Spec.model_validate(data)
    except ValueError as error:
        for each in error.errors():  # type: ignore[attr-defined]  # pydantic's, which the sentence is made from
            assert reading.sentence(each).count(": ") >= 1


def test_the_shipped_schema_is_current() -> None:
    assert json.loads(SHIPPED_SCHEMA.read_text(encoding="utf-8")) == spec.json_schema()


@pytest.mark.parametrize("text", [WHOLE, (ROOT / "examples/skills_catalog/tenantry.toml").read_text()])
def test_the_shipped_schema_accepts_a_spec(text: str) -> None:
    jsonschema.validate(tomllib.loads(text), json.loads(SHIPPED_SCHEMA.read_text(encoding="utf-8")))


def test_the_shipped_schema_refuses_what_the_reader_refuses() -> None:
    schema = json.loads(SHIPPED_SCHEMA.read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(schema)
    passed = [
        name
        for name, (text, _) in MISTAKES.items()
        if name != "syntax" and checker.is_valid(tomllib.loads(text))
    ]
    # What takes more than shape to see: two spellings, the form of a name, and keys that exclude each other.
    assert passed == [
        "table name",
        "same table twice",
        "parent",
        "key for another scope",
        "parent for another scope",
        "through without parent",
        "argument",
        "argument without a type",
        "argument that goes on",
        "argument with a length",
        "type of nobody's",
        "argument twice",
        "argument that is there",
    ]


def test_the_schema_shows_defaults_as_a_file_writes_them() -> None:
    sections = spec.json_schema()["$defs"]
    assert sections["Tenancy"]["properties"]["tenants"]["default"] == "tenants"
    assert sections["Audit"]["properties"]["table"]["default"] == "audit_logs"


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), min_size=1, max_size=3
    )
)
def test_any_name_can_be_a_toml_key_and_a_toml_string(parts: list[str]) -> None:
    text = f"{tomltext.path(*parts)} = {tomltext.string(parts[0])}"
    value: object = tomllib.loads(text)
    for part in parts:
        assert isinstance(value, dict)
        value = value[part]
    assert value == parts[0]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_no_text_ends_its_comment(text: str) -> None:
    assert tomllib.loads("\n".join(tomltext.comment(text))) == {}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12))
def test_a_table_name_survives_the_file(name: str) -> None:
    table = QName("public", name)
    text = f'{tomltext.path("tables", names.spell(table))}.scope = "ignored"'
    assert list(spec.parse(text).tables) == [table]
