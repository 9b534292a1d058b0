def test_x(db):
    c = db.connect()
    c.execute("""create table t(id int primary key, p int references t deferrable initially deferred, x text);
    insert into t values (1,1,null);
    create function f() returns trigger language plpgsql as 'begin return null; end';
    create constraint trigger ct after update on t deferrable initially deferred for each row execute function f();""")
    for pre in ("select 1", "set constraints all immediate"):
        c.execute("begin"); c.execute(pre)
        try:
            c.execute("update t set x='1'")
            c.execute("alter table t alter column x set not null")
            print(pre, "ok")
        except Exception as e:
            print(pre, e)
        c.execute("rollback")
    c.execute("drop trigger ct on t")
    c.execute("begin")
    c.execute("update t set x='1'")
    c.execute("alter table t alter column x set not null"); print("fk ok")
