//! An XMPP gateway to IRC and Matrix
