-- What users have set, by scope: server and room are empty for everything, room is empty for a whole server.
-- `options` is what concerns the gateway (JSON), `network` what concerns the network, sealed.
CREATE TABLE setting (
    login BIGINT NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    server TEXT NOT NULL,
    room TEXT NOT NULL,
    options TEXT NOT NULL,
    network BYTEA,
    PRIMARY KEY (login, server, room)
) /*sqlite STRICT, WITHOUT ROWID */;

-- Whether the user stays in the room without any client.
ALTER TABLE portal ADD COLUMN kept BIGINT NOT NULL DEFAULT 0;
