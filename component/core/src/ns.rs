//! The XML namespaces that the gateway speaks.

/// XEP-0114: the namespace of stanzas on a component stream.
pub const COMPONENT: &str = "jabber:component:accept";
/// RFC 6120: the namespace of stanzas inside archives and forwarded ones.
pub const CLIENT: &str = "jabber:client";
/// RFC 6120 §8.3: conditions of stanza errors.
pub const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// XEP-0030.
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// XEP-0317.
pub const HATS: &str = "urn:xmpp:hats:0";
/// XEP-0030.
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// XEP-0115.
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// XEP-0199.
pub const PING: &str = "urn:xmpp:ping";
/// XEP-0092.
pub const VERSION: &str = "jabber:iq:version";
/// XEP-0202.
pub const TIME: &str = "urn:xmpp:time";
/// XEP-0077.
pub const REGISTER: &str = "jabber:iq:register";
/// XEP-0100 §6.
pub const GATEWAY: &str = "jabber:iq:gateway";
/// XEP-0004.
pub const DATA: &str = "jabber:x:data";
/// XEP-0133: the form type, and with `#` and a name the nodes.
pub const ADMIN: &str = "http://jabber.org/protocol/admin";
/// XEP-0050.
pub const COMMANDS: &str = "http://jabber.org/protocol/commands";
/// XEP-0045.
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// XEP-0045.
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// XEP-0045.
pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
/// XEP-0045.
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// XEP-0045 §7.13, §15.6: the form by which somebody asks for voice.
pub const MUC_REQUEST: &str = "http://jabber.org/protocol/muc#request";
/// XEP-0045 §18.
pub const MUC_STABLE_ID: &str = "http://jabber.org/protocol/muc#stable_id";
/// XEP-0045 §15.5.
pub const MUC_ROOMCONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
/// XEP-0045 §15.6.
pub const MUC_ROOMINFO: &str = "http://jabber.org/protocol/muc#roominfo";
/// XEP-0045 §18.1.1.
pub const MUC_TRAFFIC: &str = "http://jabber.org/protocol/muc#traffic";
/// XEP-0410.
pub const SELF_PING: &str = "http://jabber.org/protocol/muc#self-ping-optimization";
/// XEP-0421.
pub const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";
/// XEP-0359.
pub const SID: &str = "urn:xmpp:sid:0";
/// XEP-0313.
pub const MAM: &str = "urn:xmpp:mam:2";
/// XEP-0313 §extended.
pub const MAM_EXTENDED: &str = "urn:xmpp:mam:2#extended";
/// XEP-0059.
pub const RSM: &str = "http://jabber.org/protocol/rsm";
/// XEP-0054.
pub const VCARD: &str = "vcard-temp";
/// XEP-0012.
pub const LAST: &str = "jabber:iq:last";
/// XEP-0055.
pub const SEARCH: &str = "jabber:iq:search";
/// XEP-0297.
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// XEP-0203.
pub const DELAY: &str = "urn:xmpp:delay";
/// XEP-0184.
pub const RECEIPTS: &str = "urn:xmpp:receipts";
/// XEP-0085.
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// XEP-0308.
pub const CORRECT: &str = "urn:xmpp:message-correct:0";
/// XEP-0444.
pub const REACTIONS: &str = "urn:xmpp:reactions:0";
/// XEP-0424.
pub const RETRACT: &str = "urn:xmpp:message-retract:1";
/// XEP-0424 §4.
pub const RETRACT_TOMBSTONE: &str = "urn:xmpp:message-retract:1#tombstone";
/// XEP-0425.
pub const MODERATE: &str = "urn:xmpp:message-moderate:1";
/// XEP-0461.
pub const REPLY: &str = "urn:xmpp:reply:0";
/// XEP-0428.
pub const FALLBACK: &str = "urn:xmpp:fallback:0";
/// XEP-0393.
pub const STYLING: &str = "urn:xmpp:styling:0";
/// XEP-0333.
pub const MARKERS: &str = "urn:xmpp:chat-markers:0";
/// XEP-0334.
pub const HINTS: &str = "urn:xmpp:hints";
/// XEP-0380.
pub const EME: &str = "urn:xmpp:eme:0";
/// XEP-0004 validation, XEP-0122.
pub const VALIDATE: &str = "http://jabber.org/protocol/xdata-validate";
/// XEP-0249.
pub const CONFERENCE: &str = "jabber:x:conference";
/// XEP-0172.
pub const NICK: &str = "http://jabber.org/protocol/nick";
/// XEP-0280.
pub const CARBONS: &str = "urn:xmpp:carbons:2";
