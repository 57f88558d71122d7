//! Logins as their users see them: transcripts of what goes in and what comes out.

mod accounts;
mod admin;
mod aftermath;
mod asking;
mod clock;
mod contacts;
mod desk;
mod grace;
mod invitations;
mod links;
mod loops;
mod missed;
mod pending;
mod read;
mod registration;
mod relations;
mod retractions;
mod settings;
mod spelling;
mod steps;
mod typing;
mod warnings;
