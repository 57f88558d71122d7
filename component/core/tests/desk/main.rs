//! Logins on a desk: what goes in and what comes out, without sockets, clocks and databases.

mod desk;
mod links;
mod registration;
