//! viaduct's bridge to IRC
