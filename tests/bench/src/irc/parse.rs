//! IRC lines as the driver needs them: borrowed, no tags, at most eight parameters.

/// One line from the gateway.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// The command, as sent.
    pub(crate) command: &'a [u8],
    params: [&'a [u8]; 8],
}

impl<'a> Line<'a> {
    /// Reads a line without its line end.
    pub(crate) fn parse(line: &'a [u8]) -> Self {
        let mut rest = line;
        for mark in [b'@', b':'] {
            if rest.first() == Some(&mark) {
                rest = word(rest).1;
            }
        }
        let (command, mut rest) = word(rest);
        let mut params = [&b""[..]; 8];
        for param in &mut params {
            if let Some(trailing) = rest.strip_prefix(b":") {
                *param = trailing;
                break;
            }
            (*param, rest) = word(rest);
        }
        Self { command, params }
    }

    /// A parameter; empty when there is none.
    pub(crate) fn param(&self, index: usize) -> &'a [u8] {
        self.params[index]
    }
}

fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&b| b == b' ') {
        Some(end) => (&text[..end], text[end..].trim_ascii_start()),
        None => (text, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines() {
        let line = Line::parse(b"@label=1 :nick!u@h PRIVMSG #c :m000000001 : x");
        assert_eq!((line.command, line.param(0)), (&b"PRIVMSG"[..], &b"#c"[..]));
        assert_eq!(line.param(1), b"m000000001 : x");
        assert_eq!(Line::parse(b"PING x").param(0), b"x");
        assert_eq!(Line::parse(b"").command, b"");
    }
}
