-- What a user was told about the connection to a server (that it is not encrypted, say), so that a restart does not say it
-- again. The row goes when the reason has gone.
CREATE TABLE warned (
    login BIGINT NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    server TEXT NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (login, server)
) /*sqlite STRICT, WITHOUT ROWID */;
