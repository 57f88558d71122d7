//! What the lines of a WHOIS say of somebody (RFC 2812 §5.1, and what servers added).

use std::time::Duration;

use viaduct_bridge::{Name, Profile};

use crate::proto::message::Message;
use crate::proto::{format, time};

/// The most channels that are shown.
const MOST_ROOMS: usize = 50;
/// The most other lines.
const MOST_NOTES: usize = 10;
/// The longest that anybody is idle: a hundred years.
const MOST_IDLE: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The numerics that belong to a WHOIS; 301 does too, but not it alone.
pub(super) fn is_of_whois(code: u16) -> bool {
    matches!(
        code,
        275 | 276 | 307 | 311..=313 | 317..=320 | 330 | 335 | 338 | 343 | 378 | 379 | 569 | 671
    )
}

/// Takes one line.
pub(super) fn note(profile: &mut Profile, code: u16, message: &Message<'_>) {
    let words = |index: usize| -> Option<Name> {
        let text = message.param(index);
        (!text.trim().is_empty()).then(|| format::to_text(text).plain)
    };
    match code {
        301 => profile.away = words(2),
        311 => {
            profile.nick = words(1);
            profile.address = Some(format!("{}@{}", message.param(2), message.param(3)).into());
            profile.real_name = words(5);
        }
        312 => profile.server = words(2),
        317 => {
            let idle = message.param(2).parse().ok().map(Duration::from_secs);
            profile.idle = idle.map(|idle| idle.min(MOST_IDLE));
            profile.since = time::parse_seconds(message.param(3));
        }
        319 => {
            let rooms = message.last().split_ascii_whitespace().map(Name::from);
            let room = MOST_ROOMS.saturating_sub(profile.rooms.len());
            profile.rooms.extend(rooms.take(room));
        }
        330 => profile.account = words(2),
        _ => {
            let more: Vec<&str> = message.params().get(2..).unwrap_or_default().to_vec();
            let text = format::to_text(&more.join(" ")).plain;
            if profile.notes.len() < MOST_NOTES && !text.trim().is_empty() {
                profile.notes.push(text);
            }
        }
    }
}
