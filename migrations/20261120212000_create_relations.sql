-- What messages that refer to older ones need. What each row means is said in component/core/src/refer.rs.

-- Network ids of messages beside the one in `said`.
CREATE TABLE alias (
    portal BIGINT NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    remote TEXT NOT NULL,
    known TEXT NOT NULL,
    part BIGINT NOT NULL,
    at BIGINT NOT NULL,
    mine BIGINT NOT NULL,
    PRIMARY KEY (portal, remote)
) /*sqlite STRICT, WITHOUT ROWID */;

CREATE INDEX alias_by_known ON alias (portal, known, part);

-- Reactions as they are now, one to a line.
CREATE TABLE reaction (
    portal BIGINT NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    known TEXT NOT NULL,
    sender TEXT NOT NULL,
    texts TEXT NOT NULL,
    PRIMARY KEY (portal, known, sender)
) /*sqlite STRICT, WITHOUT ROWID */;

-- Content that a retraction took out of a view, and that goes if no view shows it any more.
CREATE TABLE unseen (
    said BIGINT PRIMARY KEY NOT NULL
) /*sqlite STRICT */;
