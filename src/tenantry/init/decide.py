"""What each table is, from the evidence; what the evidence does not decide is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tenantry.catalog import Column, Table
from tenantry.counts import listed
from tenantry.evidence import tables as evidence
from tenantry.init import keys
from tenantry.init.drafts import Choice, Entry, TableDraft, entry, offered, undecided
from tenantry.init.parents import Parent, Parents
from tenantry.init.situation import Mode, Situation
from tenantry.names import QName, display
from tenantry.tomltext import string

DEFAULT_TENANT = "default"
CONSTANT = f"{{ constant = {string(DEFAULT_TENANT)} }}"
SOME_TENANT = '{ constant = "…" }'


def tables(situation: Situation) -> tuple[TableDraft, ...]:
    """One draft per table that the spec must mention, in the catalog's order."""
    return Decisions(situation).drafts()


class Decisions:
    """The tables of one situation, decided together: a parent's decision is evidence for its children."""

    def __init__(self, situation: Situation) -> None:
        self.here = situation
        self.mode = situation.tenancy.mode
        self.catalog = situation.catalog
        self.doubts = {t.qname: why for t in situation.tables if (why := self._doubt(t))}
        one = self.mode in (Mode.SINGLE, Mode.FRESH)  # all rows are one tenant's, whatever they refer to
        sure = {t.qname for t in situation.tables if t.qname not in self.doubts and (one or self._carries(t))}
        self.parents = Parents(situation.catalog, situation.tables, sure, self.doubts.keys())
        self.owned = self.parents.reached

    def drafts(self) -> tuple[TableDraft, ...]:
        drafts = [TableDraft(t.qname, self._evidence(t), tuple(self._entries(t))) for t in self.here.tables]
        for table, reason in self.here.left:
            lines = (evidence.size(self.catalog, table).describe(),)
            drafts.append(
                TableDraft(table.qname, lines, (entry("scope", "ignored"), entry("reason", reason)))
            )
        return tuple(sorted(drafts, key=lambda d: d.name))

    def _doubt(self, table: Table) -> str:
        """Why it is not clear that a table is a tenant table; empty when nothing speaks against it."""
        named, others = self.here.columns[table.qname], self.here.others[table.qname]
        names = ", ".join(c.name for c in named)
        tenancy = self.here.tenancy
        if self.mode is Mode.UNDECIDED:
            return "it is open which table lists the tenants (see [tenancy])"
        if self.mode is Mode.SINGLE and named:
            return f"it has {names} already, and few other tables do: say whether that is a tenant of yours"
        if len(named) > 1:
            return f"{names} could each be its tenant column"
        if named and named[0].type != tenancy.type:
            return f"its {names} is {named[0].type} and the tenants' key is {tenancy.type}: convert one of them first"
        if not named and others:
            what = listed(c.name for c in others)
            return f"it refers to {display(tenancy.tenants or table.qname)} only by {what}, which may mean something else"
        if named:
            return ""
        if login := evidence.login_like(table):
            return f"{login}, before a tenant is known"
        return evidence.reference_like(self.catalog, table) if self.mode in (Mode.SINGLE, Mode.FRESH) else ""

    def _carries(self, table: Table) -> bool:
        return bool(self.here.columns[table.qname]) and table.qname not in self.doubts

    def _evidence(self, table: Table) -> tuple[str, ...]:
        size = evidence.size(self.catalog, table).describe()
        around = evidence.neighbours(self.catalog, table)
        lines = [f"{size}; {around}" if around else size]
        if below := list(self.catalog.descendants(table.qname)):
            what = "partitions" if table.kind == "partitioned" else "inheritance children"
            lines.append(f"its {what} follow it: {listed(display(t.qname) for t in below)}")
        if self._carries(table):
            column = self.here.columns[table.qname][0]
            lines.append(
                f"tenant column: {column.name} {column.type}{' NOT NULL' if column.not_null else ''}"
            )
        if table.primary_key is None:
            lines.append("no primary key")
        return tuple(lines)

    def _entries(self, table: Table) -> Iterator[Entry]:
        if why := self.doubts.get(table.qname):
            yield self._question(table, why)
        elif table.qname in self.owned:
            yield from self._tenant(table)
        else:
            why = evidence.reference_like(self.catalog, table) or "no foreign key leads from it to a tenant"
            yield self._question(table, why)
        yield from keys.policies(table, isolated=table.qname in self.owned and table.qname not in self.doubts)

    def _question(self, table: Table, why: str) -> Entry:
        if self.mode is Mode.UNDECIDED:  # the choices depend on what is open
            return undecided("scope", f"Undecided: {why}.")
        return undecided("scope", f"Undecided: {why}. Choose:", *offered(self._choices(table)))

    def _tenant(self, table: Table) -> Iterator[Entry]:
        column = self._column(table)
        yield entry("scope", "tenant")
        if column != self.here.tenancy.column:
            yield entry("column", column)
        source = self._source(table)
        if source is not None:
            yield source
        yield from self._keys(table, column, filled=source is not None)

    def _keys(self, table: Table, column: str, *, filled: bool) -> Iterator[Entry]:
        yield from keys.primary_key(self.catalog, table, column, self.owned | {table.qname})
        yield from keys.uniques(self.catalog, table, column)
        if filled:
            yield from keys.triggers(self.catalog, table, column, constant=self.mode is Mode.SINGLE)

    def _column(self, table: Table) -> str:
        """The tenant column: the only one that is there, else the common name."""
        named = self.here.columns[table.qname]
        return named[0].name if len(named) == 1 else self.here.tenancy.column

    def _source(self, table: Table) -> Entry | None:
        """Where the tenant of existing rows comes from; None when each row has it already."""
        named = self.here.columns[table.qname]
        if self.mode is Mode.SINGLE:
            return Entry(("backfill",), CONSTANT)
        if named and named[0].not_null and self.mode is Mode.TENANTS:
            return None
        if named and self.mode is Mode.COLUMNS:
            return self._from_values(named[0])
        parents = () if self.mode is Mode.FRESH else self.parents.of(table)
        if not named and len(parents) == 1 and not parents[0].gap:
            return Entry(("backfill",), parents[0].source, note=f"by {parents[0].name}")
        return undecided("backfill", *self._source_question(named, parents))

    def _from_values(self, column: Column) -> Entry:
        key = self.here.tenancy.key
        make = f"{{ column = {string(column.name)}, matches = {string(key)}, create = true }}"
        return undecided(
            "backfill",
            f"{column.name} is there, and the tenants it names are not. Choose:",
            *offered([
                Choice("make a tenant of each of its values", (Entry(("backfill",), make),)),
                Choice("the rows belong to one tenant, whatever it says", (Entry(("backfill",), SOME_TENANT),)),
            ]),
        )  # fmt: skip

    def _source_question(self, named: Sequence[Column], parents: Sequence[Parent]) -> tuple[str, ...]:
        if named:
            what = f"{named[0].name} may be NULL: say whose such rows are, or fill them and make it NOT NULL"
        elif len(parents) > 1:
            what = f"{len(parents)} foreign keys lead to a tenant"
        elif parents:
            what = f"its foreign key leads to a tenant, but {', '.join(parents[0].columns)} {parents[0].gap}"
        else:
            what = "say which tenant the existing rows belong to"
        return (f"Undecided: {what}. Choose:", *offered(self._sources(parents)))

    def _sources(self, parents: Sequence[Parent]) -> list[Choice]:
        choices = [
            Choice(f"the tenant of its {p.describe()}", (Entry(("backfill",), p.source),)) for p in parents
        ]
        one = Choice("all rows belong to one tenant: its id", (Entry(("backfill",), SOME_TENANT),))
        sql = Choice("an SQL expression over the row", (Entry(("backfill",), '{ expression = "…" }'),))
        return [*choices, one, sql]

    def _choices(self, table: Table) -> list[Choice]:
        """The ways to decide about a table as a whole."""
        choices = [*self._tenant_choices(table)]
        choices += [
            Choice(
                f"isolated by its {p.describe()}, without a column",
                (entry("scope", "through"), *p.through),
            )
            for p in self.parents.of(table)
        ]
        login = evidence.login_like(table)
        if login and not self.parents.of(table):
            lines = (entry("scope", "through"), Entry(("parent",), '"…"'), Entry(("on",), '{ … = "…" }'))
            choices.append(Choice("isolated by a table that it has a value in common with", lines))
        if not self.here.columns[table.qname] and not login:
            choices.append(Choice("readable by every tenant, written by none", (entry("scope", "shared"),)))
        choices.append(
            Choice("left alone: not isolated", (entry("scope", "ignored"), Entry(("reason",), '"…"')))
        )
        return choices

    def _tenant_choices(self, table: Table) -> Iterator[Choice]:
        named, others = self.here.columns[table.qname], self.here.others[table.qname]
        for column in (*named, *others):
            source = () if column.not_null else (Entry(("backfill",), SOME_TENANT),)
            head = (entry("scope", "tenant"), entry("column", column.name), *source)
            yield Choice(
                f"each row belongs to the tenant in {column.name}",
                (*head, *self._keys(table, column.name, filled=bool(source))),
            )
        if not named:
            constant = CONSTANT if self.mode is Mode.SINGLE else SOME_TENANT
            lines = (entry("scope", "tenant"), Entry(("backfill",), constant))
            more = self._keys(table, self.here.tenancy.column, filled=True)
            yield Choice("each tenant has rows of its own", (*lines, *more))
        for mapping in self.parents.mappings(table, self._mapped):
            several = "" if mapping.single else "; refused where it gives a row several"
            yield Choice(
                f"each row belongs to the one tenant that {mapping.table} gives it{several}",
                (entry("scope", "tenant"), Entry(("backfill",), mapping.source)),
            )

    def _mapped(self, name: QName) -> str | None:
        """The tenant column of a table that carries one."""
        named = self.here.columns.get(name, ())
        return named[0].name if len(named) == 1 and name not in self.doubts else None
