//! What servers have asked for by Strict Transport Security (IRCv3 sts), kept over restarts: until when a server is
//! reached encrypted only, and at which port. Only what was told over TLS with a certificate that was checked is kept.

use std::time::{Duration, SystemTime};

use viaduct_bridge::{Notebook, ServerId};

/// Policies are kept to the hour, so that a thousand users of a server make one note in an hour and not a thousand.
const GRAIN: u64 = 3600;

/// The port at which a server must be reached encrypted at this time, if it has asked for that.
pub(crate) fn in_force(notebook: &dyn Notebook, server: &ServerId, now: SystemTime) -> Option<u16> {
    let note = notebook.get(&key(server))?;
    let (port, until) = note.split_once(' ')?;
    let until: u64 = until.parse().ok()?;
    (seconds(now) < until).then(|| port.parse().ok()).flatten()
}

/// The server asks to be reached encrypted, at the port of this connection, for so many seconds from now. 0 ends it.
pub(crate) fn note(notebook: &dyn Notebook, server: &ServerId, port: u16, duration: u64, now: SystemTime) {
    let key = key(server);
    if duration == 0 {
        if notebook.get(&key).is_some() {
            notebook.put(&key, "");
        }
        return;
    }
    let end = seconds(now).saturating_add(duration);
    // A short policy is kept as it is: rounded down it might be none, rounded up it might be a much longer one.
    let until = if duration < 2 * GRAIN {
        end
    } else {
        end / GRAIN * GRAIN
    };
    notebook.put(&key, &format!("{port} {until}"));
}

fn key(server: &ServerId) -> String {
    format!("sts/{server}")
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .as_ref()
        .map_or(0, Duration::as_secs)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use viaduct_bridge::{Name, Notebook as _, ServerId};

    use super::{in_force, note};
    use crate::testing::Notes;

    #[test]
    fn a_policy_lasts_as_long_as_it_was_told() {
        let (notes, server) = (Notes::default(), ServerId(Name::from("irc.test")));
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds);
        assert_eq!(in_force(&notes, &server, at(0)), None);
        note(&notes, &server, 7000, 60, at(0));
        assert_eq!(in_force(&notes, &server, at(59)), Some(7000));
        assert_eq!(in_force(&notes, &server, at(60)), None);
        // Told again, it lasts from then.
        note(&notes, &server, 6697, 86_400, at(50));
        assert_eq!(in_force(&notes, &server, at(50 + 86_400 - 3_600)), Some(6697));
        assert_eq!(in_force(&notes, &server, at(50 + 86_400)), None);
        note(&notes, &server, 6697, 0, at(60));
        assert_eq!(in_force(&notes, &server, at(61)), None);
        // What is no policy is none.
        for nonsense in ["", "6697", "6697 x", "x 9999999999", "70000 9999999999"] {
            notes.put("sts/irc.test", nonsense);
            assert_eq!(in_force(&notes, &server, at(0)), None, "{nonsense}");
        }
    }
}
