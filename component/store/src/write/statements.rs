//! The statements that write, each over many rows of input.

use crate::db::Bulk;
use crate::db::Kind::{Bytes, Int, Text};

pub(crate) const LOGINS: Bulk = Bulk {
    columns: &[
        ("id", Int),
        ("gateway", Text),
        ("jid", Text),
        ("account", Bytes),
        ("stay_connected", Int),
    ],
    then: "INSERT INTO login (id, gateway, jid, account, stay_connected) \
           SELECT id, gateway, jid, account, stay_connected FROM r WHERE id IS NOT NULL \
           ON CONFLICT (id) DO UPDATE SET gateway = excluded.gateway, jid = excluded.jid, \
           account = excluded.account, stay_connected = excluded.stay_connected",
};

pub(crate) const CONTACTS: Bulk = Bulk {
    columns: &[("login", Int), ("localpart", Text)],
    then: "INSERT INTO contact (login, localpart) SELECT login, localpart FROM r WHERE login IS NOT NULL \
           ON CONFLICT (login, localpart) DO NOTHING",
};

pub(crate) const CONTACTS_GONE: Bulk = Bulk {
    columns: &[("login", Int), ("localpart", Text)],
    then: "DELETE FROM contact WHERE (login, localpart) IN (SELECT login, localpart FROM r)",
};

pub(crate) const PORTALS: Bulk = Bulk {
    columns: &[
        ("id", Int),
        ("login", Int),
        ("kind", Text),
        ("server", Text),
        ("name", Text),
        ("localpart", Text),
        ("nick", Text),
        ("room_key", Bytes),
        ("topic", Text),
        ("topic_by", Text),
        ("topic_at", Int),
        ("kept", Int),
    ],
    then: "INSERT INTO portal (id, login, kind, server, name, localpart, nick, room_key, topic, topic_by, topic_at, \
           kept) \
           SELECT id, login, kind, server, name, localpart, nick, room_key, topic, topic_by, topic_at, kept \
           FROM r WHERE id IS NOT NULL \
           ON CONFLICT (id) DO UPDATE SET login = excluded.login, kind = excluded.kind, server = excluded.server, \
           name = excluded.name, localpart = excluded.localpart, nick = excluded.nick, \
           room_key = excluded.room_key, topic = excluded.topic, topic_by = excluded.topic_by, \
           topic_at = excluded.topic_at, kept = excluded.kept",
};

pub(crate) const SETTINGS: Bulk = Bulk {
    columns: &[
        ("login", Int),
        ("server", Text),
        ("room", Text),
        ("options", Text),
        ("network", Bytes),
    ],
    then: "INSERT INTO setting (login, server, room, options, network) \
           SELECT login, server, room, options, network FROM r WHERE login IS NOT NULL \
           ON CONFLICT (login, server, room) DO UPDATE SET options = excluded.options, network = excluded.network",
};

/// Where all is at its default again, nothing is on record.
pub(crate) const UNSET: Bulk = Bulk {
    columns: &[("login", Int), ("server", Text), ("room", Text)],
    then: "DELETE FROM setting WHERE (login, server, room) IN (SELECT login, server, room FROM r)",
};

pub(crate) const IMPORTED: Bulk = Bulk {
    columns: &[
        ("login", Int),
        ("server", Text),
        ("room", Text),
        ("newest", Int),
        ("oldest", Int),
    ],
    then: "INSERT INTO imported (login, server, room, newest, oldest) \
           SELECT login, server, room, newest, oldest FROM r WHERE login IS NOT NULL \
           ON CONFLICT (login, server, room) DO UPDATE SET newest = excluded.newest, oldest = excluded.oldest",
};

pub(crate) const JOINED: Bulk = Bulk {
    columns: &[
        ("portal", Int),
        ("resource", Text),
        ("nick", Text),
        ("confirmed", Int),
    ],
    then: "INSERT INTO joined (portal, resource, nick, confirmed) \
           SELECT portal, resource, nick, confirmed FROM r WHERE portal IS NOT NULL \
           ON CONFLICT (portal, resource) DO UPDATE SET nick = excluded.nick, confirmed = excluded.confirmed",
};

pub(crate) const LEFT: Bulk = Bulk {
    columns: &[("portal", Int), ("resource", Text)],
    then: "DELETE FROM joined WHERE (portal, resource) IN (SELECT portal, resource FROM r)",
};

pub(crate) const CURSORS: Bulk = Bulk {
    columns: &[("portal", Int), ("resource", Text), ("confirmed", Int)],
    then: "UPDATE joined SET confirmed = r.confirmed FROM r \
           WHERE joined.portal = r.portal AND joined.resource = r.resource",
};

/// The cursor of a direct chat is there as soon as it is set.
pub(crate) const DIRECT_CURSORS: Bulk = Bulk {
    columns: &[("portal", Int), ("confirmed", Int)],
    then: "INSERT INTO joined (portal, resource, nick, confirmed) \
           SELECT portal, '', '', confirmed FROM r WHERE portal IS NOT NULL \
           ON CONFLICT (portal, resource) DO UPDATE SET confirmed = excluded.confirmed",
};

/// Snapshots are on their way: what was there goes.
pub(crate) const SHOWN_CLEARED: Bulk = Bulk {
    columns: &[("portal", Int)],
    then: "DELETE FROM shown WHERE portal IN (SELECT portal FROM r)",
};

pub(crate) const SHOWN: Bulk = Bulk {
    columns: &[("portal", Int), ("seq", Int), ("data", Bytes)],
    then: "INSERT INTO shown (portal, seq, data) SELECT portal, seq, data FROM r WHERE portal IS NOT NULL \
           ON CONFLICT (portal, seq) DO UPDATE SET data = excluded.data",
};

pub(crate) const SAID: Bulk = Bulk {
    columns: &[
        ("id", Int),
        ("nick", Text),
        ("occupant", Text),
        ("payload", Text),
        ("remote", Text),
        ("views", Int),
    ],
    then: "INSERT INTO said (id, nick, occupant, payload, remote, views) \
           SELECT id, nick, occupant, payload, remote, views FROM r WHERE id IS NOT NULL",
};

/// More messages show what is there (or, with a negative number, fewer do).
pub(crate) const VIEWS: Bulk = Bulk {
    columns: &[("id", Int), ("more", Int)],
    then: "UPDATE said SET views = views + r.more FROM r WHERE said.id = r.id",
};

/// What no message shows any more.
pub(crate) const UNSEEN: Bulk = Bulk {
    columns: &[("id", Int)],
    then: "DELETE FROM said WHERE id IN (SELECT id FROM r) AND views <= 0 RETURNING id",
};

/// Without a word on conflicts: a place is taken once, and a second message for it is a fault that must be seen.
pub(crate) const MESSAGES: Bulk = Bulk {
    columns: &[
        ("portal", Int),
        ("position", Int),
        ("at", Int),
        ("said", Int),
        ("named", Int),
        ("client_id", Text),
    ],
    then: "INSERT INTO message (portal, position, at, said, named, client_id) \
           SELECT portal, position, at, said, named, client_id FROM r WHERE portal IS NOT NULL",
};

/// A later word on the same id counts.
pub(crate) const ALIASES: Bulk = Bulk {
    columns: &[
        ("portal", Int),
        ("remote", Text),
        ("known", Text),
        ("part", Int),
        ("at", Int),
        ("mine", Int),
    ],
    then: "INSERT INTO alias (portal, remote, known, part, at, mine) \
           SELECT portal, remote, known, part, at, mine FROM r WHERE portal IS NOT NULL \
           ON CONFLICT (portal, remote) DO UPDATE SET known = excluded.known, part = excluded.part, \
           at = excluded.at, mine = excluded.mine",
};

pub(crate) const REACTIONS: Bulk = Bulk {
    columns: &[
        ("portal", Int),
        ("known", Text),
        ("sender", Text),
        ("texts", Text),
    ],
    then: "INSERT INTO reaction (portal, known, sender, texts) \
           SELECT portal, known, sender, texts FROM r WHERE portal IS NOT NULL \
           ON CONFLICT (portal, known, sender) DO UPDATE SET texts = excluded.texts",
};

pub(crate) const REACTIONS_GONE: Bulk = Bulk {
    columns: &[("portal", Int), ("known", Text), ("sender", Text)],
    then: "DELETE FROM reaction WHERE (portal, known, sender) IN (SELECT portal, known, sender FROM r)",
};

/// One view less shows what these messages held. Several of them may have held the same.
pub(crate) const RETRACTED_VIEWS: Bulk = Bulk {
    columns: &[("portal", Int), ("position", Int)],
    then: "UPDATE said SET views = views - d.less FROM \
           (SELECT m.said AS said, count(*) AS less FROM r CROSS JOIN message m \
            WHERE m.portal = r.portal AND m.position = r.position GROUP BY m.said) AS d \
           WHERE said.id = d.said",
};

/// What they held goes if nobody else shows it.
pub(crate) const RETRACTED_UNSEEN: Bulk = Bulk {
    columns: &[("portal", Int), ("position", Int)],
    then: "INSERT INTO unseen (said) \
           SELECT m.said FROM r CROSS JOIN message m WHERE m.portal = r.portal AND m.position = r.position \
           ON CONFLICT (said) DO NOTHING",
};

pub(crate) const RETRACTED: Bulk = Bulk {
    columns: &[("portal", Int), ("position", Int), ("said", Int)],
    then: "UPDATE message SET said = r.said FROM r \
           WHERE message.portal = r.portal AND message.position = r.position",
};

/// Content that may be shown by nobody.
pub(crate) const MAYBE_UNSEEN: &str = "SELECT said FROM unseen ORDER BY said LIMIT $1";

/// That has been looked at.
pub(crate) const UNSEEN_DONE: Bulk = Bulk {
    columns: &[("said", Int)],
    then: "DELETE FROM unseen WHERE said IN (SELECT said FROM r)",
};

pub(crate) const OUTBOX: Bulk = Bulk {
    columns: &[
        ("login", Int),
        ("txn", Int),
        ("kind", Text),
        ("server", Text),
        ("name", Text),
        ("resource", Text),
        ("addressed", Text),
        ("client_id", Text),
        ("payload", Text),
        ("content", Text),
    ],
    then: "INSERT INTO outbox (login, txn, kind, server, name, resource, addressed, client_id, payload, content) \
           SELECT login, txn, kind, server, name, resource, addressed, client_id, payload, content \
           FROM r WHERE login IS NOT NULL \
           ON CONFLICT (login, txn) DO UPDATE SET kind = excluded.kind, server = excluded.server, \
           name = excluded.name, resource = excluded.resource, addressed = excluded.addressed, \
           client_id = excluded.client_id, payload = excluded.payload, content = excluded.content",
};

pub(crate) const SETTLED: Bulk = Bulk {
    columns: &[("login", Int), ("txn", Int)],
    then: "DELETE FROM outbox WHERE (login, txn) IN (SELECT login, txn FROM r)",
};

pub(crate) const WARNED: Bulk = Bulk {
    columns: &[("login", Int), ("server", Text), ("words", Text)],
    then: "INSERT INTO warned (login, server, words) SELECT login, server, words FROM r WHERE login IS NOT NULL \
           ON CONFLICT (login, server) DO UPDATE SET words = excluded.words",
};

pub(crate) const WARNED_NO_MORE: Bulk = Bulk {
    columns: &[("login", Int), ("server", Text)],
    then: "DELETE FROM warned WHERE (login, server) IN (SELECT login, server FROM r)",
};

/// The last message that is given up, and its time. Bounded by what is there: what comes later is not meant.
pub(crate) const PRUNED: Bulk = Bulk {
    columns: &[("portal", Int), ("upto", Int)],
    then: "UPDATE portal SET \
           pruned = (SELECT max(m.position) FROM message m WHERE m.portal = r.portal AND m.position <= r.upto), \
           pruned_at = (SELECT m.at FROM message m WHERE m.portal = r.portal AND m.position <= r.upto \
                        ORDER BY m.position DESC LIMIT 1) \
           FROM r WHERE portal.id = r.portal \
           AND EXISTS (SELECT 1 FROM message m WHERE m.portal = r.portal AND m.position <= r.upto)",
};

/// The messages that were given up are to be erased.
pub(crate) const PRUNED_ERASED: Bulk = Bulk {
    columns: &[("portal", Int), ("upto", Int)],
    then: "INSERT INTO erased (portal, upto) \
           SELECT p.id, p.pruned FROM portal p JOIN r ON r.portal = p.id WHERE p.pruned IS NOT NULL \
           ON CONFLICT (portal) DO UPDATE SET upto = excluded.upto",
};

/// All messages of these logins are to be erased.
pub(crate) const FORGOTTEN_ERASED: Bulk = Bulk {
    columns: &[("login", Int)],
    then: "INSERT INTO erased (portal, upto) \
           SELECT p.id, 9223372036854775807 FROM portal p JOIN r ON r.login = p.login WHERE true \
           ON CONFLICT (portal) DO UPDATE SET upto = excluded.upto",
};

/// Portals, joined resources, what they were shown, and the outbox go with their login.
pub(crate) const FORGOTTEN: Bulk = Bulk {
    columns: &[("login", Int)],
    then: "DELETE FROM login WHERE id IN (SELECT login FROM r)",
};

/// What is to be erased.
pub(crate) const ERASED: &str = "SELECT portal, upto FROM erased ORDER BY portal LIMIT $1";

/// Messages that are to be erased, oldest first, so that what is left of an archive has no gap.
pub(crate) const ERASABLE: &str = "SELECT m.position, m.said FROM message m \
     WHERE m.portal = $1 AND m.position <= $2 ORDER BY m.position LIMIT $3";

/// One row of input only.
pub(crate) const ERASE: Bulk = Bulk {
    columns: &[("portal", Int), ("upto", Int)],
    then: "DELETE FROM message WHERE portal = (SELECT portal FROM r) AND position <= (SELECT upto FROM r)",
};

/// Nothing is left to be erased there.
pub(crate) const ALL_ERASED: Bulk = Bulk {
    columns: &[("portal", Int)],
    then: "DELETE FROM erased WHERE portal IN (SELECT portal FROM r)",
};

pub(crate) const NOTES: Bulk = Bulk {
    columns: &[("key", Text), ("value", Text)],
    then: "INSERT INTO notebook (key, value) SELECT key, value FROM r WHERE key IS NOT NULL \
           ON CONFLICT (key) DO UPDATE SET value = excluded.value",
};

/// Begins every transaction: asks whether this opening still has the database. If it has not, `batch` becomes NULL, which
/// it cannot, and the transaction fails by itself. The row is written, so that in PostgreSQL a successor waits for the
/// commit.
pub(crate) const HOLD: Bulk = Bulk {
    columns: &[("epoch", Int), ("batch", Int), ("highest", Int)],
    then: "UPDATE epoch SET batch = CASE WHEN epoch.epoch = r.epoch THEN r.batch END, highest = r.highest \
           FROM r WHERE epoch.id = 1",
};

/// What the database says about its last opening: which it was, its last commit, the highest id that was ever written,
/// and whether something is still to be erased.
pub(crate) const EPOCH: &str = "SELECT epoch, batch, highest, (SELECT count(*) FROM erased) + (SELECT count(*) FROM unseen) \
     FROM epoch WHERE id = 1";

/// Takes the database over.
pub(crate) const TAKE_EPOCH: &str = "UPDATE epoch SET epoch = epoch + 1, batch = 0 WHERE id = 1";

/// What a right key opens.
pub(crate) const KEY_CHECK: &str = "SELECT key_check FROM epoch WHERE id = 1";

/// Says what a right key opens, once and for all.
pub(crate) const SET_KEY_CHECK: &str = "UPDATE epoch SET key_check = $1 WHERE id = 1 AND key_check IS NULL";

/// The highest id of a row of content.
pub(crate) const LAST_SAID: &str = "SELECT max(id) FROM said";

/// For the test that looks at their plans.
#[cfg(test)]
pub(crate) const BULK: &[&Bulk] = &[
    &LOGINS,
    &PORTALS,
    &SETTINGS,
    &UNSET,
    &IMPORTED,
    &JOINED,
    &LEFT,
    &CURSORS,
    &DIRECT_CURSORS,
    &SHOWN_CLEARED,
    &SHOWN,
    &SAID,
    &VIEWS,
    &UNSEEN,
    &MESSAGES,
    &ALIASES,
    &REACTIONS,
    &REACTIONS_GONE,
    &RETRACTED_VIEWS,
    &RETRACTED_UNSEEN,
    &RETRACTED,
    &UNSEEN_DONE,
    &OUTBOX,
    &SETTLED,
    &WARNED,
    &WARNED_NO_MORE,
    &PRUNED,
    &PRUNED_ERASED,
    &FORGOTTEN_ERASED,
    &FORGOTTEN,
    &ERASE,
    &ALL_ERASED,
    &NOTES,
    &HOLD,
];

/// For the test that looks at their plans.
#[cfg(test)]
pub(crate) const QUERIES: &[&str] = &[ERASED, ERASABLE, EPOCH, MAYBE_UNSEEN];
