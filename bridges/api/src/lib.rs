//! The seam between viaduct and the networks it reaches.
//!
//! A *bridge* speaks one kind of network: IRC, Matrix, the in-memory loopback. The rest of viaduct knows bridges only
//! through this crate: it hands down [`Command`]s and is told of [`RemoteEvent`]s, and what a network can do is data
//! ([`Capabilities`]), so that nobody above the seam ever asks which network it talks to.
//!
//! # Writing a bridge
//!
//! 1. Implement [`Bridge`]: how addresses are read and written, what the registration form asks, what the network
//!    can do, and [`Bridge::open`], which starts a [`Session`].
//! 2. In the session, take commands from [`Session::submit`] without blocking, and tell what happened through the
//!    [`EventSink`], in the order in which the network tells it.
//! 3. Answer every command that carries a [`TransactionId`] with exactly one [`RemoteEvent::Outcome`], or with the
//!    echo of the message that carries the same id.
//! 4. Run the contract suite (`tests/contract`) on it. The loopback bridge is the smallest one that passes.
//!
//! This crate does no IO, so it names no runtime, no database and no HTTP client.

pub mod address;
pub mod bridge;
pub mod capability;
pub mod command;
pub mod event;
pub mod failure;
pub mod ids;
pub mod login;
pub mod loopback;
pub mod outgoing;
pub mod question;
pub mod relation;
pub mod secret;
pub mod settings;
pub mod signup;
pub mod text;

pub use address::{Address, BadAddress};
pub use bridge::{Bridge, Closed, EventSink, Notebook, Session, SessionContext};
pub use capability::{Capabilities, Level};
pub use command::{Command, Recipient, RoomChange};
pub use event::{
    Departure, Member, Message, Outcome, PersonEvent, Rank, RemoteEvent, RoomEvent, RoomFlags, ServerEvent,
    Topic,
};
pub use failure::{Failure, Refusal};
pub use ids::{MessageId, Name, PersonId, RoomId, ServerId, Timestamp, TransactionId};
pub use login::{Account, Answers, Field, FieldKind, Form, LoginFlow, Step};
pub use question::{Ban, ListedRoom, Probe, Profile, Question, Reply, RoomList};
pub use relation::{Reaction, Relation, Relations, Retraction, Target, Typing};
pub use secret::Secret;
pub use settings::{BadSetting, Scope, Settings};
pub use signup::{SignUp, SignUpRules, SignedUp};
pub use text::{Content, MessageKind, Span, Style, Text};

/// A boxed future, as the object-safe traits of the seam return it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
