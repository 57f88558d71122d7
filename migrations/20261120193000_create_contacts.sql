-- The people whose presence a user has subscribed to, by the localpart of their JID.
CREATE TABLE contact (
    login BIGINT NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    localpart TEXT NOT NULL,
    PRIMARY KEY (login, localpart)
) /*sqlite STRICT, WITHOUT ROWID */;
