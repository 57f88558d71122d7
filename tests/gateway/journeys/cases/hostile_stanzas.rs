//! Well-formed stanzas that nobody in their right mind sends: mutated, huge, deeply nested, contradictory.

use viaduct_gateway_tests::prelude::*;

use super::hostile_dice::Dice;
use super::hostile_words::{ATTRIBUTES, MESSAGE_TYPES, NAMES, NAMESPACES, PRESENCE_TYPES, VALUES};

/// What goes over the stream.
pub(super) struct Odd {
    pub(super) xml: String,
    /// The id, if it is an IQ that must be answered, exactly once.
    pub(super) request: Option<String>,
    /// The id, if it is an IQ that must never be answered.
    pub(super) silent: Option<String>,
}

/// Makes them, the same ones for the same seed.
pub(super) struct Generator {
    dice: Dice,
    count: usize,
    /// Whom they are addressed to.
    to: Vec<String>,
    /// Who they pretend to be from; none where the server fills that in.
    from: Vec<String>,
    /// Whether there may be things that a server keeps to itself: unknown elements, missing addresses, comments.
    raw: bool,
}

impl Generator {
    /// For a client of a real server.
    pub(super) fn for_client(seed: u64, to: Vec<String>) -> Self {
        let from = Vec::new();
        Self {
            dice: Dice::new(seed),
            count: 0,
            to,
            from,
            raw: false,
        }
    }

    /// For whoever plays the server.
    pub(super) fn for_server(seed: u64, to: Vec<String>, from: Vec<String>) -> Self {
        Self {
            dice: Dice::new(seed),
            count: 0,
            to,
            from,
            raw: true,
        }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Odd {
        self.count += 1;
        let strange = self.count.is_multiple_of(50);
        let content = match (strange, self.count / 50 % 8) {
            (false, _) => self.content(),
            (true, 0) => tag("body").text("long ".repeat(60_000)).to_string(),
            (true, 1) => nested(150 + self.dice.below(1_500)),
            (true, 2) => format!("<body {}='{}'/>", "a".repeat(7_000), "v".repeat(7_000)),
            (true, 3) => format!("<x xmlns='{}'/>", "n".repeat(9_000 + self.dice.below(60_000))),
            (true, 4) => tag("field").attr("var", "x").to_string().repeat(5_000),
            (true, 5) => format!("<query xmlns='jabber:iq:register'>{}</query>", nested(90)),
            (true, 6) => format!("<body>{}</body>", "&#x1F4A9;&amp;".repeat(20_000)),
            (true, _) => tag("body").text("x".repeat(540_000)).to_string(),
        };
        let kind = if self.raw && self.dice.one_in(200) {
            9
        } else {
            self.dice.below(8)
        };
        match kind {
            0..4 => self.iq(&content),
            4..6 => self.message(&content),
            6..8 => self.presence(&content),
            _ => Odd {
                xml: self.stray(&content),
                request: None,
                silent: None,
            },
        }
    }

    fn iq(&mut self, content: &str) -> Odd {
        let ty = self
            .dice
            .pick(&["get", "get", "get", "set", "set", "set", "result", "error"]);
        // Of an IQ that has no type at all, or one that there is not, an answer may be expected or not.
        let ty = if self.dice.one_in(40) { "ask" } else { ty };
        let number = self.count;
        let id = match self.dice.below(30) {
            0 => format!("odd-{number}-{}", "i".repeat(900)),
            1 => format!("odd-{number}-é\u{1f600}&<'"),
            _ => format!("odd-{number}"),
        };
        let (addresses, complete) = self.addresses();
        let xml = format!("<iq{addresses} type='{ty}' id='{}'>{content}</iq>", escape(&id));
        let asks = ["get", "set"].contains(&ty) && complete;
        let answers = ["result", "error"].contains(&ty);
        Odd {
            xml,
            request: asks.then(|| id.clone()),
            silent: answers.then_some(id),
        }
    }

    fn message(&mut self, content: &str) -> Odd {
        let ty = self.dice.pick(MESSAGE_TYPES);
        let ty = if ty.is_empty() {
            String::new()
        } else {
            format!(" type='{ty}'")
        };
        let (addresses, _) = self.addresses();
        let xml = format!(
            "<message{addresses}{ty} id='m-{}'>{content}</message>",
            self.count
        );
        Odd {
            xml,
            request: None,
            silent: None,
        }
    }

    fn presence(&mut self, content: &str) -> Odd {
        let ty = self.dice.pick(PRESENCE_TYPES);
        let ty = if ty.is_empty() {
            String::new()
        } else {
            format!(" type='{ty}'")
        };
        let (addresses, _) = self.addresses();
        let xml = format!("<presence{addresses}{ty}>{content}</presence>");
        Odd {
            xml,
            request: None,
            silent: None,
        }
    }

    /// What no client could send through a server.
    fn stray(&mut self, content: &str) -> String {
        let (addresses, _) = self.addresses();
        match self.dice.below(5) {
            0 => format!("<foo xmlns='bar'{addresses}>{content}</foo>"),
            1 => format!("<message xmlns='jabber:server'{addresses}>{content}</message>"),
            2 => format!("<IQ{addresses} type='get'>{content}</IQ>"),
            3 => format!("<iq type='get' id='nobody'>{content}</iq>"),
            _ => " \n\t ".to_owned(),
        }
    }

    /// The address attributes, and whether they are such that an answer is possible and due.
    fn addresses(&mut self) -> (String, bool) {
        let to: Vec<&str> = self.to.iter().map(String::as_str).collect();
        let to = self.dice.pick(&to).to_owned();
        let from: Vec<&str> = self.from.iter().map(String::as_str).collect();
        if from.is_empty() {
            return (format!(" to='{}'", escape(&to)), true);
        }
        let from = self.dice.pick(&from).to_owned();
        let text = format!(" to='{}' from='{}'", escape(&to), escape(&from));
        match self.dice.below(60) {
            0 => (format!(" to='{}'", escape(&to)), false),
            1 => (format!(" from='{}'", escape(&from)), false),
            2 => (format!(" to='{}' from='@'", escape(&to)), false),
            3 => (
                format!(" to='a@elsewhere.example' from='{}'", escape(&from)),
                false,
            ),
            _ => (text, true),
        }
    }

    /// One to three payloads, or none.
    fn content(&mut self) -> String {
        let many = *self.dice.pick(&[&0, &1, &1, &1, &1, &2, &3]);
        (0..many).map(|_| self.element(0)).collect()
    }

    fn element(&mut self, depth: usize) -> String {
        let (name, prefix) = (self.dice.pick(NAMES), self.dice.one_in(12));
        let name = if prefix {
            format!("p:{name}")
        } else {
            name.to_owned()
        };
        let mut text = format!("<{name}");
        if prefix {
            text += &format!(" xmlns:p='{}'", self.dice.pick(NAMESPACES));
        } else if self.dice.below(4) > 0 {
            text += &format!(" xmlns='{}'", self.dice.pick(NAMESPACES));
        }
        let mut used = Vec::new();
        for _ in 0..self.dice.below(4) {
            let attribute = self.dice.pick(ATTRIBUTES);
            if !used.contains(&attribute) {
                used.push(attribute);
                text += &format!(
                    " {attribute}='{}'",
                    self.dice.pick(VALUES).replace('\'', "&apos;")
                );
            }
        }
        if self.dice.one_in(4) {
            return text + "/>";
        }
        text += ">";
        for _ in 0..self.dice.below(4) {
            match self.dice.below(4) {
                0 if depth < 6 => text += &self.element(depth + 1),
                1 => {
                    text += &format!(
                        "<![CDATA[{}]]>",
                        self.dice.pick(&["<a>", "]]", "&amp;", "</iq>", ""])
                    )
                }
                _ => text += self.dice.pick(VALUES),
            }
        }
        text + &format!("</{name}>")
    }
}

fn nested(depth: usize) -> String {
    format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth))
}

/// The addresses at the gateway that are worth hitting. No server is named that would have to be looked for.
pub(super) fn targets(t: &Ctx) -> Vec<String> {
    let (gateway, server) = (t.gateway(), t.world().irc_name().to_owned());
    let mut all = vec![
        gateway.to_owned(),
        format!("{gateway}/res"),
        FIXED_GATEWAY.to_owned(),
        t.server(),
    ];
    let room = t.room(&t.channel_named("hostile"));
    all.extend([
        room.clone(),
        format!("{room}/{}", t.nick("mallory")),
        format!("{room}/🏳️‍🌈"),
    ]);
    all.push(t.person(&t.nick("nobody")));
    for local in [
        "%",
        "%%",
        "a%",
        "\\20x",
        "#",
        "#\\25",
        "..",
        "-",
        "a%b%c%closed.test",
        "#c%closed.test",
    ] {
        all.push(format!("{local}@{gateway}"));
    }
    all.push(format!("{}%{server}@{gateway}", "n".repeat(900)));
    all.push(format!(
        "#{}%{server}@{gateway}/{}",
        "c".repeat(400),
        "r".repeat(1_000)
    ));
    all
}
