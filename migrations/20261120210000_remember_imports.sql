-- What was taken over from another gateway, by scope as in `setting`: a scope with a row is not taken again. In a room,
-- `newest` and `oldest` are the other gateway's numbers of the lines taken so far, from the newest down.
CREATE TABLE imported (
    login BIGINT NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    server TEXT NOT NULL,
    room TEXT NOT NULL,
    newest BIGINT,
    oldest BIGINT,
    PRIMARY KEY (login, server, room)
) /*sqlite STRICT, WITHOUT ROWID */;
