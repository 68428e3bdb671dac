# ruby-pg: typed parameters, prepared statements, single-row mode, COPY, transactions, asynchronous queries.
require "pg"

def show(*values) = puts(values.map { |v| v.is_a?(String) ? v : v.inspect }.join("\t"))

db = PG.connect(dbname: ENV["PGDATABASE"])
show "server", db.server_version, db.parameter_status("integer_datetimes"), db.transaction_status
def failing(step)
  yield
  show step, "no error"
rescue PG::Error => e
  show step, e.class, e.result&.error_field(PG::PG_DIAG_SQLSTATE), e.result&.error_field(PG::PG_DIAG_MESSAGE_PRIMARY)
end
1.upto(20) { |n| db.exec_params("INSERT INTO people (id, name, height, big) VALUES ($1, $2, $3, $4)", [n, "p#{n}", n / 4.0, n << 40]) }
db.prepare("one", "SELECT id, name, height, ok, born FROM people WHERE id = $1")
[1, 2, 3, 99].each { |n| show "prepared", db.exec_prepared("one", [n]).to_a }
described = db.describe_prepared("one")
show "described", described.nparams, described.paramtype(0), described.nfields.times.map { |i| [described.fname(i), described.ftype(i), described.fmod(i)] }
show "binary", db.exec_params("SELECT id, big FROM people WHERE id = $1", [{ value: [7].pack("N"), type: 23, format: 1 }], 1).values
show "all", db.exec("SELECT count(*), sum(big), avg(height) FROM people").values
typed = PG.connect(dbname: ENV["PGDATABASE"])
typed.type_map_for_results = PG::BasicTypeMapForResults.new(typed)
show "typed", typed.exec("SELECT id, height::float8, ok, born, tags FROM people WHERE id = 3").values
failing("unique") { db.exec("INSERT INTO people (id, name) VALUES (1, 'again')") }
failing("missing") { db.exec("SELECT * FROM nowhere") }
failing("wrong") { db.exec_params("SELECT * FROM people WHERE id = $1", ["x"]) }
failing("rolled back") { db.transaction { |c| c.exec("INSERT INTO notes VALUES (1, 1, 'gone')"); c.exec("SELECT 1 / 0") } }
db.transaction { |c| c.exec("INSERT INTO notes VALUES (1, 1, 'kept')") }
show "kept", db.exec("SELECT * FROM notes").values, db.transaction_status
db.copy_data("COPY notes FROM STDIN") { 5.times { |n| db.put_copy_data("#{60 + n}\t1\trow #{n}\n") } }
lines = []
db.copy_data("COPY (SELECT * FROM notes ORDER BY person) TO STDOUT") { while (line = db.get_copy_data) do lines << line end }
show "copied", lines
db.send_query("SELECT id FROM people ORDER BY id")
db.set_single_row_mode
ids = []
db.get_result.stream_each { |row| ids << row["id"] }
show "streamed", ids
db.get_result
db.send_query("SELECT 1; SELECT 2")
while (result = db.get_result) do show "several", result.values end
show "tag", db.exec("UPDATE people SET ok = false WHERE id > 15").cmd_status
db.enter_pipeline_mode
5.times { |n| db.send_query_params("SELECT name FROM people WHERE id = $1", [n + 1]) }
db.pipeline_sync
5.times { show "pipeline", db.get_result.values; db.get_result }
show "synced", db.get_result.result_status
db.exit_pipeline_mode
db.exec("SET application_name TO 'ruby'")
show "reported", db.parameter_status("application_name")
db.reset
show "reset", db.exec("SELECT count(*) FROM notes").getvalue(0, 0)
