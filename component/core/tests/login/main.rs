//! Logins as their users see them: transcripts of what goes in and what comes out.

mod asking;
mod clock;
mod contacts;
mod desk;
mod grace;
mod invitations;
mod links;
mod loops;
mod registration;
mod settings;
mod spelling;
mod warnings;
