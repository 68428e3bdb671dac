"""SQLAlchemy 1.4 on psycopg2: reflection, the ORM's unit of work, RETURNING, savepoints, its way of asking who the server is."""
import os

import sqlalchemy as sa
from sqlalchemy import orm


def show(step, *values):
    print(step, *(repr(value) for value in values), sep="\t")


engine = sa.create_engine(f"postgresql+psycopg2://{os.environ['PGUSER']}@{os.environ['PGHOST']}:{os.environ['PGPORT']}/{os.environ['PGDATABASE']}",
                          pool_size=2, future=True)
inspector = sa.inspect(engine)
show("schemas", inspector.get_schema_names())
show("tables", sorted(inspector.get_table_names()))
for table in ("people", "notes", "colours"):
    show("columns", table, [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(table)])
    show("key", inspector.get_pk_constraint(table), inspector.get_unique_constraints(table), inspector.get_indexes(table),
         inspector.get_foreign_keys(table))
show("dialect", engine.dialect.default_schema_name, engine.dialect.server_version_info)
Base = orm.declarative_base()


class Person(Base):
    __tablename__ = "people"
    id = sa.Column(sa.Integer, primary_key=True, autoincrement=False)
    name = sa.Column(sa.Text, nullable=False)
    height = sa.Column(sa.Numeric(6, 2))
    born = sa.Column(sa.Date)
    ok = sa.Column(sa.Boolean, server_default=sa.true())
    notes = orm.relationship("Note", primaryjoin="Person.id == foreign(Note.person)", order_by="Note.number", backref="owner")


class Note(Base):
    __tablename__ = "notes"
    person = sa.Column(sa.Integer, primary_key=True)
    number = sa.Column(sa.Integer, primary_key=True)
    body = sa.Column(sa.String(40))


class Visit(Base):
    __tablename__ = "visits"
    id = sa.Column(sa.Integer, primary_key=True)
    colour = sa.Column(sa.Integer)


Base.metadata.drop_all(engine, [Visit.__table__])
Base.metadata.create_all(engine)
with orm.Session(engine) as session:
    session.add_all([Person(id=n, name=f"p{n}", notes=[Note(number=k, body=f"{n}.{k}") for k in range(3)]) for n in range(1, 11)])
    session.commit()
    one = session.get(Person, 3)
    show("one", one.name, one.ok, [note.body for note in one.notes])
    one.name = "changed"
    session.commit()
    show("changed", session.execute(sa.select(Person.name).where(Person.id == 3)).scalar())
    show("some", session.execute(sa.select(Person.id).where(Person.id.in_([1, 5, 99])).order_by(Person.id)).all())
    show("count", session.execute(sa.select(sa.func.count(), sa.func.sum(Person.id)).select_from(Person)).one())
    show("joined", session.execute(sa.select(Person.name, sa.func.count(Note.number)).join(Note, Note.person == Person.id)
                                   .group_by(Person.id, Person.name).order_by(Person.id)).all())
    loaded = session.execute(sa.select(Person).options(orm.selectinload(Person.notes)).order_by(Person.id)).scalars().all()
    show("eager", [(person.id, len(person.notes)) for person in loaded])
    session.delete(session.get(Note, (3, 0)))
    session.commit()
    show("deleted", session.execute(sa.select(sa.func.count()).select_from(Note)).scalar())
    visit = Visit(colour=1)
    session.add(visit)
    session.flush()
    show("serial", visit.id)
    try:
        with session.begin_nested():
            session.execute(sa.insert(Person).values(id=1, name="again"))
    except sa.exc.IntegrityError as error:
        show("unique", type(error.orig).__name__, error.orig.pgcode)
    session.commit()
    show("after", session.execute(sa.select(sa.func.count()).select_from(Visit)).scalar())
    show("bulk", session.execute(sa.update(Person).where(Person.id > 5).values(ok=False).execution_options(synchronize_session=False)).rowcount)
    session.commit()
with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
    show("level", connection.get_isolation_level(), connection.execute(sa.text("SHOW transaction_isolation")).scalar())
with engine.connect() as connection:
    rows = connection.execution_options(stream_results=True, max_row_buffer=4).execute(sa.select(Person.id).order_by(Person.id))
    show("stream", [row.id for row in rows])
Visit.__table__.drop(engine)
show("dropped", sa.inspect(engine).has_table("visits"))
