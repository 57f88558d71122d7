//! The bridge against servers: ngircd and InspIRCd as Debian ships them, each started here on a free loopback port in
//! a temporary folder, and ended with the test (one that is not installed is skipped); and scripted servers for what
//! real ones do not do on demand.

mod certificates;
mod faults;
mod ident;
mod inspircd;
mod logins;
mod namespace;
mod ngircd;
mod outgoing;
mod reaching;
mod scram;
mod scripted;
mod sts;
mod support;
mod user;
mod webirc;
