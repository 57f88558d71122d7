//! Reading. Every query names the owner of what it asks for: a login by gateway and user, everything else by a portal
//! that came with its login.

pub(crate) mod archive;
pub(crate) mod login;
pub(crate) mod message;
pub(crate) mod related;

#[cfg(test)]
mod cost;
