//! What the services of a network say of nicknames. There is no standard for it: Anope, Atheme and their like use nearly
//! the same words.

/// The nicknames under which nicknames are looked after.
const SERVICES: [&str; 2] = ["NickServ", "AuthServ"];

/// Whether this says that the user's nickname belongs to an account that the user is not logged in to.
#[must_use]
pub fn claims_nick(from: &str, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SERVICES.iter().any(|name| name.eq_ignore_ascii_case(from))
        && (text.contains("this nickname is registered")
            || text.contains("this nick is registered")
            || text.contains("nickname is owned by someone else")
            || text.contains("this nick is owned by someone else")
            || text.contains("this nickname is owned")
            || text.contains("nickname you are using is registered"))
}

#[cfg(test)]
mod tests {
    use super::claims_nick;

    #[test]
    fn words_of_services() {
        for (from, text, claims) in [
            (
                "NickServ",
                "This nickname is registered. Please choose a different nickname, or identify via \u{2}/msg NickServ identify alice <password>\u{2}",
                true,
            ),
            (
                "nickserv",
                "This nickname is registered and protected.  If it is your nick, type /msg NickServ IDENTIFY password.",
                true,
            ),
            (
                // Anope 2.0.12.
                "NickServ",
                "This nick is owned by someone else.  Please choose another.",
                true,
            ),
            ("NickServ", "This nick is owned by nobody", false),
            ("NickServ", "You are now identified for alice.", false),
            ("bob", "This nickname is registered", false),
            ("NS", "This nickname is registered", false),
        ] {
            assert_eq!(claims_nick(from, text), claims, "{from}: {text}");
        }
    }
}
