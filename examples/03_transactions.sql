-- Accounts on several shards, and transfers between them: all of a transaction happens, or nothing.
CREATE TABLE accounts (id int PRIMARY KEY, balance numeric(10,2) NOT NULL CHECK (balance >= 0));
INSERT INTO accounts SELECT g, 100 FROM generate_series(1, 8) g;
SELECT create_distributed_table('accounts', 'id');

BEGIN;
UPDATE accounts SET balance = balance - 30 WHERE id = 1;
UPDATE accounts SET balance = balance + 30 WHERE id = 2;
COMMIT;

-- The second half fails; the first is undone.
BEGIN;
UPDATE accounts SET balance = balance + 500 WHERE id = 3;
UPDATE accounts SET balance = balance - 500 WHERE id = 4;
COMMIT;

-- Savepoints reach every shard that took part.
BEGIN;
UPDATE accounts SET balance = balance - 1;
SAVEPOINT before_gift;
UPDATE accounts SET balance = balance + 1000 WHERE id IN (5, 6, 7, 8);
ROLLBACK TO before_gift;
COMMIT;

SELECT id, balance FROM accounts ORDER BY id;
SELECT sum(balance) FROM accounts;
DROP TABLE accounts;
