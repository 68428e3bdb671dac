# DBD::Pg: placeholders, server-side prepares, arrays, COPY, savepoints, catalogue methods.
use strict;
use warnings;
use DBI qw(:sql_types);
use DBD::Pg qw(:pg_types);

sub show { print join("\t", map { !defined $_ ? "undef" : ref $_ eq "ARRAY" ? "[" . join(",", map { !defined $_ ? "undef" : ref $_ eq "ARRAY" ? "[" . join(",", map { $_ // "undef" } @$_) . "]" : $_ } @$_) . "]" : $_ } @_), "\n"; }
my $db = DBI->connect("dbi:Pg:dbname=$ENV{PGDATABASE}", undef, undef, {RaiseError => 1, PrintError => 0, AutoCommit => 1, pg_switch_prepared => 2});
show("server", $db->{pg_server_version}, $db->{pg_db}, $db->{pg_user});
sub failing { my ($step, $call) = @_; eval { $call->(); show($step, "no error"); 1 } or show($step, $db->state, (split /\n/, $db->errstr)[0]); }
my $insert = $db->prepare("INSERT INTO people (id, name, height, tags, raw, big) VALUES (?, ?, ?, ?, ?, ?)");
for my $n (1 .. 20) {
    $insert->bind_param(1, $n); $insert->bind_param(2, "p$n"); $insert->bind_param(3, $n / 4); $insert->bind_param(4, [$n, "x"]);
    $insert->bind_param(5, "\0" . chr($n), {pg_type => PG_BYTEA}); $insert->bind_param(6, $n << 40);
    $insert->execute;
}
my $select = $db->prepare("SELECT id, name, height, tags, ok, born FROM people WHERE id = ?");
for my $n (1, 2, 3, 4, 99) { $select->execute($n); show("one", $select->rows, $select->fetchall_arrayref->[0]); }
show("columns", $select->{NAME}, $select->{TYPE}, $select->{PRECISION}, $select->{pg_type});
show("all", $db->selectrow_arrayref("SELECT count(*), sum(big), avg(height) FROM people"));
show("returning", $db->selectrow_array("INSERT INTO people (id, name) VALUES (100, 'hundred') RETURNING id, ok"));
show("updated", $db->do("UPDATE people SET ok = false WHERE id > ?", undef, 15));
failing("unique", sub { $db->do("INSERT INTO people (id, name) VALUES (1, 'again')") });
failing("missing", sub { $db->do("SELECT * FROM nowhere") });
failing("wrong", sub { $db->do("SELECT * FROM people WHERE id = ?", undef, "x") });
$db->begin_work;
$db->do("INSERT INTO notes VALUES (1, 1, 'kept')");
$db->pg_savepoint("a");
failing("inner", sub { $db->do("INSERT INTO notes VALUES (1, 1, 'twice')") });
$db->pg_rollback_to("a");
$db->commit;
show("kept", $db->selectall_arrayref("SELECT * FROM notes"));
$db->do("COPY notes FROM STDIN");
$db->pg_putcopydata((60 + $_) . "\t1\trow $_\n") for 0 .. 4;
show("copied", $db->pg_putcopyend);
$db->do("COPY (SELECT * FROM notes ORDER BY person) TO STDOUT");
my $line = "";
while ($db->pg_getcopydata($line) >= 0) { chomp $line; show("read", $line); }
show("table", $_->{TABLE_SCHEM}, $_->{TABLE_NAME}, $_->{TABLE_TYPE}) for @{$db->table_info(undef, "public", "%", "TABLE")->fetchall_arrayref({})};
show("column", $_->{COLUMN_NAME}, $_->{TYPE_NAME}, $_->{NULLABLE}, $_->{COLUMN_DEF}) for @{$db->column_info(undef, "public", "people", "%")->fetchall_arrayref({})};
show("key", $db->primary_key(undef, "public", "notes"));
show("ping", $db->ping, $db->pg_ping);
$db->disconnect;
show("closed");
