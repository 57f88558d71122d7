//! What a user can choose about the gateway itself: for everything, for one server, or for one room. The narrower choice
//! counts.

use viaduct_bridge::Answers;

use crate::forms::ShownField;

/// What a user has chosen within one scope; `None` leaves it to the next wider one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Whether what is said in rooms is kept in their archive.
    pub history: Option<bool>,
    /// How many messages a join gets unasked.
    pub history_at_join: Option<u32>,
    /// Whether the user stays in rooms when the last client leaves.
    pub persistent: Option<bool>,
    /// Whether the user is told when connections come and go.
    pub connection_messages: Option<bool>,
}

/// What holds for one room or server, all scopes together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// Whether what is said is kept in the archive.
    pub history: bool,
    /// How many messages a join gets unasked.
    pub history_at_join: u32,
    /// Whether the user stays in the room when the last client leaves.
    pub persistent: bool,
    /// Whether the user is told when connections come and go.
    pub connection_messages: bool,
}

const HISTORY: &str = "record_history";
const AT_JOIN: &str = "max_history_length";
const PERSISTENT: &str = "persistent";
const CONNECTIONS: &str = "connection_messages";

/// Yes-or-no options: the field, its label, and where it is kept.
type Switch = (
    &'static str,
    &'static str,
    fn(&mut Options) -> &mut Option<bool>,
    fn(&Chosen) -> bool,
);

const SWITCHES: [Switch; 3] = [
    (
        HISTORY,
        "Keep history ('no' deletes what is there)",
        |options| &mut options.history,
        |chosen| chosen.history,
    ),
    (
        PERSISTENT,
        "Stay in rooms when my last client leaves",
        |options| &mut options.persistent,
        |chosen| chosen.persistent,
    ),
    (
        CONNECTIONS,
        "Tell me when a connection is lost or comes back",
        |options| &mut options.connection_messages,
        |chosen| chosen.connection_messages,
    ),
];

impl Chosen {
    /// What holds where nobody has chosen anything.
    #[must_use]
    pub fn by_default(history_at_join: u32) -> Self {
        Self {
            history: true,
            history_at_join,
            persistent: false,
            connection_messages: true,
        }
    }

    /// The same with what was chosen within a narrower scope.
    #[must_use]
    pub fn with(self, options: &Options) -> Self {
        Self {
            history: options.history.unwrap_or(self.history),
            history_at_join: options.history_at_join.unwrap_or(self.history_at_join),
            persistent: options.persistent.unwrap_or(self.persistent),
            connection_messages: options.connection_messages.unwrap_or(self.connection_messages),
        }
    }
}

impl Options {
    /// Whether nothing was chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The fields of a form. `wider` is what holds where nothing is chosen here.
    #[must_use]
    pub fn fields(&self, wider: &Chosen) -> Vec<ShownField> {
        let mut options = *self;
        let word = |yes: bool| if yes { "yes" } else { "no" };
        let mut fields: Vec<ShownField> = SWITCHES
            .iter()
            .map(|(var, label, option, of_wider)| {
                let choices = vec![
                    (
                        format!("default ({})", word(of_wider(wider))),
                        "default".to_owned(),
                    ),
                    ("yes".to_owned(), "yes".to_owned()),
                    ("no".to_owned(), "no".to_owned()),
                ];
                let mut field = ShownField::list(*var, *label, choices);
                field.required = false;
                field.values = vec![option(&mut options).map_or("default", word).to_owned()];
                field
            })
            .collect();
        let label = format!("Messages shown on joining (empty: {})", wider.history_at_join);
        let at_join = self.history_at_join.map_or_else(String::new, |n| n.to_string());
        fields.push(ShownField::text(AT_JOIN, label, at_join));
        fields
    }

    /// Takes answers to these fields. A field that is missing stays as it was.
    ///
    /// # Errors
    /// Names the field that cannot be so.
    pub fn read(mut self, answers: &Answers, most_at_join: u32) -> Result<Self, String> {
        for (var, _, option, _) in SWITCHES {
            let Some(answer) = answers.get(var) else { continue };
            *option(&mut self) = match answer.trim().to_lowercase().as_str() {
                "" | "default" => None,
                "yes" | "1" | "true" => Some(true),
                "no" | "0" | "false" => Some(false),
                other => return Err(format!("'{other}' is neither yes, no nor default ({var}).")),
            };
        }
        if let Some(answer) = answers.get(AT_JOIN) {
            let answer = answer.trim();
            self.history_at_join = match answer.parse::<u32>() {
                _ if answer.is_empty() || answer == "default" => None,
                Ok(number) if number <= most_at_join => Some(number),
                _ => {
                    return Err(format!(
                        "'{answer}' is no number from 0 to {most_at_join} ({AT_JOIN})."
                    ));
                }
            };
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Chosen, Options};
    use viaduct_bridge::Answers;

    fn answers(pairs: &[(&str, &str)]) -> Answers {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    #[test]
    fn the_narrower_choice_counts() {
        let usual = Chosen::by_default(20);
        let server = Options {
            persistent: Some(true),
            history: Some(false),
            ..Options::default()
        };
        let room = Options {
            history: Some(true),
            history_at_join: Some(0),
            ..Options::default()
        };
        let chosen = usual.with(&server).with(&room);
        assert!(chosen.persistent && chosen.history);
        assert_eq!(chosen.history_at_join, 0);
    }

    #[test]
    fn what_is_left_out_stays() {
        let before = Options {
            persistent: Some(true),
            history_at_join: Some(7),
            ..Options::default()
        };
        assert_eq!(before.read(&answers(&[]), 1000), Ok(before));
        let after = before.read(
            &answers(&[("persistent", "default"), ("record_history", "no")]),
            1000,
        );
        let expected = Options {
            persistent: None,
            history: Some(false),
            ..before
        };
        assert_eq!(after, Ok(expected));
        assert!(
            before
                .read(&answers(&[("max_history_length", "1001")]), 1000)
                .is_err()
        );
        assert!(before.read(&answers(&[("persistent", "maybe")]), 1000).is_err());
    }

    /// Every field that a form shows is read back as it was shown.
    #[test]
    fn forms_read_back() {
        let options = Options {
            history: Some(false),
            history_at_join: Some(12),
            persistent: Some(true),
            connection_messages: None,
        };
        let fields = options.fields(&Chosen::by_default(20));
        let filled: Answers = fields
            .iter()
            .map(|f| (f.var.clone(), f.values.first().cloned().unwrap_or_default()))
            .collect();
        assert_eq!(Options::default().read(&filled, 1000), Ok(options));
    }
}
