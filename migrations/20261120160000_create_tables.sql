-- The first tables. What each row means is said in component/core/src/records.rs.
--
-- One text for both databases: it is written as PostgreSQL reads it. For SQLite the words BIGINT and BYTEA are
-- replaced by INTEGER and BLOB, and what stands in a comment that begins with "sqlite" is taken out of its comment
-- (component/store/src/migrations.rs).

-- One row: who may write. `epoch` counts openings; `batch` counts commits of this opening, so that a commit whose
-- answer was lost can be told from one that never happened; `highest` is the highest id that was ever written;
-- `key_check` is a known text, sealed, so that a wrong key is noticed at once.
CREATE TABLE epoch (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    epoch BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    highest BIGINT NOT NULL,
    key_check BYTEA
) /*sqlite STRICT */;

INSERT INTO epoch (id, epoch, batch, highest) VALUES (1, 0, 0, 0);

CREATE TABLE login (
    id BIGINT PRIMARY KEY NOT NULL,
    gateway TEXT NOT NULL,
    jid TEXT NOT NULL,
    account BYTEA,
    stay_connected BIGINT NOT NULL,
    UNIQUE (gateway, jid)
) /*sqlite STRICT */;

-- `pruned` is the last position that was given up, and `pruned_at` its time: the newest message may be among those.
CREATE TABLE portal (
    id BIGINT PRIMARY KEY NOT NULL,
    login BIGINT NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    localpart TEXT NOT NULL,
    nick TEXT NOT NULL,
    room_key BYTEA,
    topic TEXT,
    topic_by TEXT,
    topic_at BIGINT,
    pruned BIGINT,
    pruned_at BIGINT
) /*sqlite STRICT */;

CREATE INDEX portal_of_login ON portal (login);

CREATE TABLE joined (
    portal BIGINT NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    resource TEXT NOT NULL,
    nick TEXT NOT NULL,
    confirmed BIGINT NOT NULL,
    PRIMARY KEY (portal, resource)
) /*sqlite STRICT, WITHOUT ROWID */;

-- What joined resources were shown: a snapshot (seq 0) and the changes since.
CREATE TABLE shown (
    portal BIGINT NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (portal, seq)
) /*sqlite STRICT */;

-- What many views have in common. `views` counts the messages that show it; at 0 the row goes.
CREATE TABLE said (
    id BIGINT PRIMARY KEY NOT NULL,
    nick TEXT NOT NULL,
    occupant TEXT NOT NULL,
    payload TEXT NOT NULL,
    remote TEXT,
    views BIGINT NOT NULL
) /*sqlite STRICT */;

CREATE INDEX said_by_remote ON said (remote) WHERE remote IS NOT NULL;

-- Narrow, and without a foreign key: this is the row that is written a hundred times for one message. `named` is 1
-- where `said` has a network id; only those can be looked for by it.
CREATE TABLE message (
    portal BIGINT NOT NULL,
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    said BIGINT NOT NULL,
    named BIGINT NOT NULL,
    client_id TEXT,
    PRIMARY KEY (portal, position)
) /*sqlite STRICT, WITHOUT ROWID */;

CREATE INDEX message_by_said ON message (portal, said) WHERE named = 1;

-- Messages that are to go, a slice with every commit, so that no large deletion holds up the writer.
CREATE TABLE erased (
    portal BIGINT PRIMARY KEY NOT NULL,
    upto BIGINT NOT NULL
) /*sqlite STRICT */;

CREATE TABLE outbox (
    login BIGINT NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    txn BIGINT NOT NULL,
    kind TEXT NOT NULL,
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    resource TEXT NOT NULL,
    addressed TEXT NOT NULL,
    client_id TEXT,
    payload TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (login, txn)
) /*sqlite STRICT, WITHOUT ROWID */;

CREATE TABLE notebook (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) /*sqlite STRICT, WITHOUT ROWID */;
