//! Logins as their users see them: transcripts of what goes in and what comes out.

mod desk;
mod links;
mod registration;
mod settings;
mod warnings;
