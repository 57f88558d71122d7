//! Logins as a whole: stanzas, events and timers in; effects out.

mod desk;
mod links;
mod settings;
