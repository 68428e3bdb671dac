"""Django 3.2: migrations with schema editing, the ORM, introspection, atomic blocks, server-side cursors."""
import os

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"], "USER": os.environ["PGUSER"],
                           "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"]}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"], USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, models, transaction  # noqa: E402
from django.db.models import Count, F, Max, Sum  # noqa: E402


def show(step, *values):
    print(step, *(repr(value) for value in values), sep="\t")


class Person(models.Model):
    id = models.IntegerField(primary_key=True)
    name = models.TextField()
    ok = models.BooleanField(default=True)
    tags = models.JSONField(db_column="doc", null=True)

    class Meta:
        app_label, db_table, managed = "auth", "people", False


with connection.cursor() as cursor:
    for table in ("auth_user_user_permissions", "auth_user_groups", "auth_group_permissions", "auth_user", "auth_group", "auth_permission",
                  "django_content_type", "django_migrations"):
        cursor.execute(f"DROP TABLE IF EXISTS {table} CASCADE")
call_command("migrate", verbosity=0)
with connection.cursor() as cursor:
    tables = sorted(info.name for info in connection.introspection.get_table_list(cursor))
    show("tables", tables)
    for table in tables:
        show("columns", table, [(c.name, c.type_code, c.null_ok, c.default) for c in connection.introspection.get_table_description(cursor, table)])
        constraints = connection.introspection.get_constraints(cursor, table)
        show("constraints", table, sorted(((c["columns"] or [], c["primary_key"], c["unique"], c["foreign_key"], c["index"]) for c in constraints.values()), key=repr))
        show("sequences", [s["column"] for s in connection.introspection.get_sequences(cursor, table)])
user = User.objects.create_user("anna", "anna@example.org", "geheim")
show("user", user.pk, user.check_password("geheim"), User.objects.get(username="anna").email)
group = Group.objects.create(name="readers")
user.groups.add(group)
show("groups", list(User.objects.filter(groups__name="readers").values_list("username", flat=True)))
Person.objects.bulk_create([Person(id=n, name=f"p{n}", tags={"n": n}) for n in range(1, 21)])
show("all", Person.objects.aggregate(Count("id"), Sum("id"), Max("name")))
show("one", Person.objects.get(pk=7).tags, Person.objects.filter(pk=99).exists())
show("slice", list(Person.objects.order_by("-id").values_list("id", flat=True)[2:5]))
show("json", list(Person.objects.filter(tags__n__gt=17).order_by("id").values_list("id", flat=True)))
show("update", Person.objects.filter(id__gt=15).update(ok=False), Person.objects.filter(pk=1).update(name=F("name")))
show("grouped", list(Person.objects.values("ok").annotate(n=Count("id")).order_by("ok")))
show("iterator", [person.id for person in Person.objects.order_by("id").iterator(chunk_size=6)])
show("create", Person.objects.get_or_create(id=50, defaults={"name": "fifty"})[1], Person.objects.get_or_create(id=50)[1])
try:
    with transaction.atomic():
        Person.objects.create(id=60, name="sixty")
        with transaction.atomic():
            Person.objects.create(id=1, name="again")
except IntegrityError as error:
    show("unique", error.__cause__.pgcode)
show("rolled back", Person.objects.filter(id=60).exists())
with transaction.atomic():
    show("locked", Person.objects.select_for_update().get(pk=2).name)
show("deleted", Person.objects.filter(id__in=[1, 2, 3]).delete()[0])
show("raw", [person.name for person in Person.objects.raw("SELECT * FROM people WHERE id = %s", [5])])
with connection.schema_editor() as editor:
    field = models.CharField(max_length=20, default="x")
    field.set_attributes_from_name("extra")
    editor.add_field(Group, field)
with connection.cursor() as cursor:
    cursor.execute("SELECT extra FROM auth_group")
    show("added", cursor.fetchall())
