-- What the network has not answered for may have arrived, so it is never sent again: after a restart its sender is told.
-- That takes the addresses and the id of the stanza. What was said, and to whom, was written for nobody.
ALTER TABLE outbox DROP COLUMN kind;
ALTER TABLE outbox DROP COLUMN server;
ALTER TABLE outbox DROP COLUMN name;
ALTER TABLE outbox DROP COLUMN payload;
ALTER TABLE outbox DROP COLUMN content;
