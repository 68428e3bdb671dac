-- What cannot be answered exactly is refused, with the reason and a way out; a wrong answer is never given.
\set VERBOSITY verbose
CREATE TABLE members (id int PRIMARY KEY, email text UNIQUE);
-- Each shard can only keep its own part unique.
SELECT create_distributed_table('members', 'id');

-- The way out that the error names.
ALTER TABLE members DROP CONSTRAINT members_email_key;
ALTER TABLE members ADD UNIQUE (id, email);
SELECT create_distributed_table('members', 'id');

INSERT INTO members VALUES (1, 'a@example.org');
INSERT INTO members VALUES (1, 'b@example.org');
INSERT INTO members (email) VALUES ('nobody@example.org');
DROP TABLE members;
