//! Error numerics as failures (RFC 2812 §5.2 and what servers added).

use std::time::Duration;

use viaduct_bridge::{Failure, Refusal};

/// Whether a numeric is an error about a command.
pub(super) fn is_error(code: u16) -> bool {
    matches!(code, 263 | 400..=421 | 423..=599 | 696..=698 | 716 | 972 | 974)
}

/// The refusal of a JOIN.
pub(super) fn of_join(code: u16, words: &str) -> Failure {
    let refusal = match code {
        401 | 403 => Refusal::NotFound,
        476 | 479 => Refusal::NotAcceptable,
        263 | 405 | 407 | 480 | 500 => Refusal::Throttled,
        471 => Refusal::Full,
        473 => Refusal::MembersOnly,
        474 => Refusal::Banned,
        475 | 477 => Refusal::NotAuthorized,
        520 | 519 => Refusal::Forbidden,
        437 => return transient(words),
        _ => Refusal::NotAllowed,
    };
    Failure::refused(refusal, explained(code, words))
}

/// The refusal of anything else.
pub(super) fn of_command(code: u16, words: &str) -> Failure {
    let refusal = match code {
        401 => Refusal::Offline,
        402 | 403 | 406 | 408 | 441 => Refusal::NotFound,
        263 | 407 | 439 => Refusal::Throttled,
        411 | 412 | 413 | 414 | 417 | 431 | 432 | 437 | 438 | 461 | 696 => Refusal::NotAcceptable,
        433 | 436 | 443 | 467 => Refusal::Conflict,
        442 => Refusal::NotInRoom,
        464 => Refusal::NotAuthorized,
        404 | 415 | 477 | 481 | 482 | 486 | 491 | 499 | 531 | 716 => Refusal::Forbidden,
        _ => Refusal::NotAllowed,
    };
    Failure::refused(refusal, words)
}

/// The refusal that a FAIL says (IRCv3 standard-replies), by those of the registered codes that mean the same for every
/// command.
pub(super) fn of_reply(code: &str, words: &str) -> Failure {
    let refusal = match code.to_ascii_uppercase().as_str() {
        "ACCOUNT_REQUIRED" | "ACCOUNT_REQUIRED_TO_CONNECT" | "NEED_LOGIN" | "NEED_REGISTRATION" => {
            Refusal::NotAuthorized
        }
        "INVALID_TARGET" | "NO_SUCH_CHANNEL" | "NO_SUCH_NICK" => Refusal::NotFound,
        "INVALID_PARAMS"
        | "INVALID_UTF8"
        | "NEED_MORE_PARAMS"
        | "MULTILINE_MAX_BYTES"
        | "MULTILINE_MAX_LINES" => Refusal::NotAcceptable,
        "PRIVILEGE_NEEDED" | "PRIVS_NEEDED" | "CHANOP_PRIVS_NEEDED" => Refusal::Forbidden,
        "RATE_LIMITED" | "TEMPORARILY_UNAVAILABLE" | "TRY_AGAIN_LATER" => return transient(words),
        _ => Refusal::NotAllowed,
    };
    Failure::refused(refusal, words)
}

fn transient(words: &str) -> Failure {
    Failure::Transient {
        retry_after: Some(Duration::from_secs(10)),
        reason: words.to_owned(),
    }
}

/// The server's words, with ours where theirs leave the reader helpless.
fn explained(code: u16, words: &str) -> String {
    match code {
        477 => format!("{words} (the channel is open to registered nicknames only)"),
        475 => format!("{words} (the channel has a password)"),
        _ => words.to_owned(),
    }
}
