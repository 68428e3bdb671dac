import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

/** pgJDBC: server-side prepared statements from the fifth execution on, batches, fetch size, generated keys, metadata. */
public class WithJdbc {
    static void show(Object... values) {
        StringJoiner line = new StringJoiner("\t");
        for (Object value : values) line.add(value instanceof byte[] ? Arrays.toString((byte[]) value) : String.valueOf(value));
        System.out.println(line);
    }

    static void rows(String step, ResultSet found) throws SQLException {
        ResultSetMetaData about = found.getMetaData();
        StringJoiner columns = new StringJoiner(",");
        for (int i = 1; i <= about.getColumnCount(); i++)
            columns.add(about.getColumnLabel(i) + ":" + about.getColumnTypeName(i) + ":" + about.getPrecision(i) + ":" + about.isNullable(i) + ":" + about.getTableName(i));
        show(step, columns);
        while (found.next()) {
            List<String> values = new ArrayList<>();
            for (int i = 1; i <= about.getColumnCount(); i++) values.add(found.getString(i));
            show(step, values);
        }
        found.close();
    }

    interface Call { void run() throws SQLException; }

    static void failing(String step, Connection connection, Call call) throws SQLException {
        try {
            call.run();
            show(step, "no error");
        } catch (SQLException error) {
            while (error.getNextException() != null) error = error.getNextException();
            show(step, error.getSQLState(), error.getMessage().split("\n")[0]);
            if (!connection.getAutoCommit()) connection.rollback();
        }
    }

    public static void main(String[] words) throws Exception {
        Map<String, String> e = System.getenv();
        String url = "jdbc:postgresql://" + e.get("PGHOST") + ":" + e.get("PGPORT") + "/" + e.get("PGDATABASE") + "?sslmode=disable&reWriteBatchedInserts=true";
        Connection connection = DriverManager.getConnection(url, e.get("PGUSER"), "");
        DatabaseMetaData about = connection.getMetaData();
        show("server", about.getDatabaseProductName(), about.getDatabaseMajorVersion(), about.getUserName(), connection.getTransactionIsolation());
        PreparedStatement insert = connection.prepareStatement("INSERT INTO people (id, name, height, born, tags, raw, big) VALUES (?, ?, ?, ?, ?, ?, ?)");
        for (int n = 1; n <= 20; n++) {
            insert.setInt(1, n);
            insert.setString(2, "p" + n);
            insert.setBigDecimal(3, new BigDecimal(n).divide(new BigDecimal(4)));
            insert.setDate(4, java.sql.Date.valueOf("1990-01-" + String.format("%02d", n)));
            insert.setArray(5, connection.createArrayOf("text", new String[] {"" + n, null}));
            insert.setBytes(6, new byte[] {0, (byte) n});
            insert.setLong(7, (long) n << 40);
            insert.addBatch();
        }
        show("batch", Arrays.toString(insert.executeBatch()));
        PreparedStatement select = connection.prepareStatement("SELECT id, name, height, born, raw, big, ok, ratio FROM people WHERE id = ?");
        for (int n = 1; n <= 9; n++) {
            select.setInt(1, n);
            ResultSet found = select.executeQuery();
            found.next();
            show("prepared", found.getInt(1), found.getString(2), found.getBigDecimal(3), found.getDate(4), found.getBytes(5), found.getLong(6), found.getBoolean(7), found.getObject(8));
        }
        rows("all", connection.createStatement().executeQuery("SELECT count(*), sum(big), avg(height), max(name) FROM people"));
        rows("reference", connection.createStatement().executeQuery("SELECT p.id, c.name FROM people p JOIN colours c ON c.id = p.id ORDER BY 1"));
        PreparedStatement keys = connection.prepareStatement("INSERT INTO people (id, name) VALUES (?, ?)", new String[] {"id", "ok"});
        keys.setInt(1, 100);
        keys.setString(2, "hundred");
        show("inserted", keys.executeUpdate());
        rows("keys", keys.getGeneratedKeys());
        failing("unique", connection, () -> connection.createStatement().execute("INSERT INTO people (id, name) VALUES (1, 'again')"));
        failing("missing", connection, () -> connection.createStatement().execute("SELECT * FROM nowhere"));
        failing("wrong", connection, () -> connection.createStatement().execute("SELECT * FROM people WHERE id = 'x'"));
        connection.setAutoCommit(false);
        Savepoint savepoint = null;
        connection.createStatement().execute("INSERT INTO notes VALUES (1, 1, 'kept')");
        savepoint = connection.setSavepoint("a");
        connection.createStatement().execute("INSERT INTO notes VALUES (1, 2, 'gone')");
        connection.rollback(savepoint);
        connection.commit();
        rows("kept", connection.createStatement().executeQuery("SELECT * FROM notes"));
        Statement fetching = connection.createStatement();
        fetching.setFetchSize(6);
        ResultSet large = fetching.executeQuery("SELECT id FROM people ORDER BY id");
        List<Integer> ids = new ArrayList<>();
        while (large.next()) ids.add(large.getInt(1));
        show("fetched", ids);
        PreparedStatement mixed = connection.prepareStatement("SELECT ?::int + 1, ?::text, ?::timestamptz, ?::uuid");
        mixed.setInt(1, 5);
        mixed.setString(2, "ä'\\");
        mixed.setTimestamp(3, Timestamp.valueOf("2020-01-01 00:00:00"));
        mixed.setObject(4, new UUID(0, 7));
        rows("mixed", mixed.executeQuery());
        failing("batch", connection, () -> {
            Statement wrong = connection.createStatement();
            wrong.addBatch("INSERT INTO notes VALUES (2, 1, 'a')");
            wrong.addBatch("INSERT INTO notes VALUES (2, 1, 'b')");
            wrong.executeBatch();
        });
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        connection.setReadOnly(true);
        failing("read only", connection, () -> connection.createStatement().execute("DELETE FROM notes WHERE person = 1"));
        connection.setReadOnly(false);
        connection.rollback();
        connection.setAutoCommit(true);
        Statement slow = connection.createStatement();
        slow.setQueryTimeout(1);
        failing("timeout", connection, () -> slow.execute("SELECT pg_sleep(20)"));
        Statement several = connection.createStatement();
        several.execute("SELECT 1 AS a; UPDATE people SET ok = false WHERE id = 1; SELECT 2 AS b");
        rows("several", several.getResultSet());
        show("several", several.getMoreResults(), several.getUpdateCount(), several.getMoreResults());
        rows("several", several.getResultSet());
        rows("tables", about.getTables(null, "public", "%", new String[] {"TABLE"}));
        for (String table : new String[] {"people", "notes", "colours"}) {
            ResultSet columns = about.getColumns(null, "public", table, "%");
            while (columns.next()) show("column", table, columns.getString("COLUMN_NAME"), columns.getString("TYPE_NAME"), columns.getInt("COLUMN_SIZE"), columns.getString("IS_NULLABLE"), columns.getString("COLUMN_DEF"));
            ResultSet key = about.getPrimaryKeys(null, "public", table);
            while (key.next()) show("key", table, key.getString("COLUMN_NAME"), key.getInt("KEY_SEQ"), key.getString("PK_NAME"));
            ResultSet index = about.getIndexInfo(null, "public", table, false, false);
            while (index.next()) show("index", table, index.getString("INDEX_NAME"), index.getString("COLUMN_NAME"), index.getBoolean("NON_UNIQUE"));
        }
        org.postgresql.copy.CopyManager copy = connection.unwrap(org.postgresql.PGConnection.class).getCopyAPI();
        show("copied", copy.copyIn("COPY notes FROM STDIN (FORMAT csv)", new java.io.StringReader("50,1,one\n51,1,two\n")));
        java.io.StringWriter out = new java.io.StringWriter();
        show("read", copy.copyOut("COPY (SELECT * FROM notes WHERE person >= 50 ORDER BY person) TO STDOUT", out), out.toString().replace("\n", "|"));
        connection.setClientInfo("ApplicationName", "jdbc");
        rows("name", connection.createStatement().executeQuery("SHOW application_name"));
        show("valid", connection.isValid(5));
        connection.close();
    }
}
