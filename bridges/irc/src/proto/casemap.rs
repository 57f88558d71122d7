//! Which names are the same (RFC 1459 §2.2, ISUPPORT `CASEMAPPING`).

use viaduct_bridge::Name;

/// How a server folds nicknames and channel names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Casemapping {
    /// `A`-`Z` are `a`-`z`.
    Ascii,
    /// The same, and `[]\~` are `{}|^`. What a server does that says nothing.
    #[default]
    Rfc1459,
    /// The same without `~` and `^`.
    Rfc1459Strict,
}

impl Casemapping {
    /// Reads the value of ISUPPORT `CASEMAPPING`. Unknown ones (Unicode rules) at least fold ASCII.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        match value {
            "rfc1459" => Self::Rfc1459,
            "rfc1459-strict" | "strict-rfc1459" => Self::Rfc1459Strict,
            _ => Self::Ascii,
        }
    }

    /// The name of the rule, as [`Casemapping::parse`] reads it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Rfc1459 => "rfc1459",
            Self::Rfc1459Strict => "rfc1459-strict",
        }
    }

    /// Folds one character.
    #[must_use]
    pub fn fold_char(self, c: char) -> char {
        match (self, c) {
            (_, 'A'..='Z') => c.to_ascii_lowercase(),
            (Self::Rfc1459 | Self::Rfc1459Strict, '[') => '{',
            (Self::Rfc1459 | Self::Rfc1459Strict, ']') => '}',
            (Self::Rfc1459 | Self::Rfc1459Strict, '\\') => '|',
            (Self::Rfc1459, '~') => '^',
            _ => c,
        }
    }

    /// Whether the name is folded already.
    #[must_use]
    pub fn is_folded(self, name: &str) -> bool {
        name.chars().all(|c| self.fold_char(c) == c)
    }

    /// Folds a name into a buffer, which is emptied first.
    pub fn fold_into(self, name: &str, out: &mut String) {
        out.clear();
        out.extend(name.chars().map(|c| self.fold_char(c)));
    }

    /// The folded form of a name.
    #[must_use]
    pub fn fold(self, name: &str) -> Name {
        if self.is_folded(name) {
            return Name::from(name);
        }
        Name::from(name.chars().map(|c| self.fold_char(c)).collect::<String>())
    }

    /// The folded form of a name, sharing the text where nothing changes.
    #[must_use]
    pub fn fold_name(self, name: &Name) -> Name {
        if self.is_folded(name) {
            return name.clone();
        }
        self.fold(name)
    }

    /// Whether two names are the same.
    #[must_use]
    pub fn same(self, a: &str, b: &str) -> bool {
        a.len() == b.len()
            && a.chars()
                .map(|c| self.fold_char(c))
                .eq(b.chars().map(|c| self.fold_char(c)))
    }
}

#[cfg(test)]
mod tests {
    use super::Casemapping::{Ascii, Rfc1459, Rfc1459Strict};
    use proptest::prelude::*;

    #[test]
    fn the_three_rules() {
        for (rule, folded) in [
            (Ascii, "nick[]\\~é"),
            (Rfc1459, "nick{}|^é"),
            (Rfc1459Strict, "nick{}|~é"),
        ] {
            assert_eq!(rule.fold("NICK[]\\~é").as_str(), folded);
            assert_eq!(super::Casemapping::parse(rule.as_str()), rule);
            assert!(rule.same("NICK[]\\~é", folded));
        }
        assert!(!Ascii.same("a[", "a{"));
        assert!(!Rfc1459.same("É", "é"));
        assert_eq!(super::Casemapping::parse("rfc8265"), Ascii);
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(name in any::<String>()) {
            for rule in [Ascii, Rfc1459, Rfc1459Strict] {
                let once = rule.fold(&name);
                prop_assert_eq!(rule.fold(&once), once.clone());
                prop_assert!(rule.is_folded(&once));
                prop_assert!(rule.same(&name, &once));
                let mut buffer = String::from("x");
                rule.fold_into(&name, &mut buffer);
                prop_assert_eq!(buffer.as_str(), once.as_str());
            }
        }
    }
}
