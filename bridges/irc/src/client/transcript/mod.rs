//! Transcript tests of the client: what the server says, what the user wants, what is written and what is told, line
//! by line, in text files under `tests/scenarios`. What is written or told and not in the file fails the test.
//!
//! | line | meaning |
//! |---|---|
//! | `S: …` | the server sends this |
//! | `U: …` | the user wants this (see `wishes`) |
//! | `C: …` | the client writes this |
//! | `E: …` | the core is told this (see `show`) |
//! | `T: 5` | five seconds pass |
//! | `X: lost`, `X: left`, `X: end` | the connection is gone, was left, or ended by itself |
//! | `X: sts` | for how long the server wants to be reached encrypted |
//! | `O: …` | options of the login, before everything else |

mod scenarios;
mod show;
mod wishes;

use std::time::{Duration, Instant};

use viaduct_bridge::{Name, Secret, ServerId, Timestamp};

use super::{Client, Credentials, Identity, Now, Rooms, Security, Webirc};
use crate::config::Flood;

use show::show;
use wishes::command;

struct Play {
    client: Option<Client>,
    now: Now,
    written: Vec<String>,
    told: Vec<String>,
    flood: Flood,
    identity: Identity,
    rooms: Rooms,
}

/// Runs one scenario.
fn play(text: &str) {
    let mut play = Play::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        let Some((kind, rest)) = line.split_once(": ").filter(|(kind, _)| kind.len() == 1) else {
            assert!(
                line.is_empty() || line.starts_with('#'),
                "line {}: {line}",
                number + 1
            );
            continue;
        };
        let rest = rest.replace('␠', "").replace('¤', "\u{1}").replace('§', "\u{2}");
        play.step(kind, &rest, number + 1);
    }
    play.nothing_left("the end");
}

impl Play {
    fn new() -> Self {
        Self {
            client: None,
            now: Now {
                at: Instant::now(),
                clock: Timestamp(1_000_000_000_000_000),
            },
            written: Vec::new(),
            told: Vec::new(),
            flood: Flood::Off,
            identity: Identity {
                nick: Name::from("alice"),
                username: "al".into(),
                realname: "Alice".into(),
                webirc: None,
                server_password: None,
                credentials: None,
                security: Security::Verified,
                only_upgrade: false,
                warning: None,
                away: None,
                commands: Vec::new(),
                motd: false,
            },
            rooms: Rooms::default(),
        }
    }

    fn step(&mut self, kind: &str, rest: &str, number: usize) {
        let place = format!("line {number}: {kind}: {rest}");
        match kind {
            "O" => self.option(rest),
            "C" => {
                self.begin();
                assert!(
                    !self.written.is_empty(),
                    "{place}\nnothing was written; told: {:#?}",
                    self.told
                );
                assert_eq!(self.written.remove(0), rest, "{place}");
            }
            "E" => {
                assert!(
                    !self.told.is_empty(),
                    "{place}\nnothing was told; written: {:#?}",
                    self.written
                );
                assert_eq!(self.told.remove(0), rest, "{place}");
            }
            _ => {
                self.begin();
                self.nothing_left(&place);
                self.act(kind, rest);
            }
        }
    }

    fn act(&mut self, kind: &str, rest: &str) {
        let now = self.now;
        let Some(client) = self.client.as_mut() else {
            panic!("the connection is gone before {kind}: {rest}");
        };
        match (kind, rest) {
            ("S", line) => {
                client.heard(now);
                client.line(now, line);
            }
            ("U", wish) => client.command(now, command(wish)),
            ("T", seconds) => {
                let mut left: u64 = seconds.parse().expect("seconds");
                while left > 0 {
                    left -= 1;
                    self.now.at += Duration::from_secs(1);
                    self.now.clock.0 += 1_000_000;
                    self.look();
                }
                return;
            }
            ("X", "sts") => {
                self.told.push(format!("{:?}", client.take_sts()));
            }
            ("X", "end") => {
                let end = client.end().expect("the connection has ended");
                self.told.push(format!("{end:?}"));
            }
            ("X", how) => {
                self.look();
                let client = self.client.take().expect("there was one");
                let events = if how == "lost" {
                    let (events, rooms) = client.lost();
                    self.rooms = rooms;
                    events
                } else {
                    client.left(Some(&Name::from("bye")))
                };
                self.told.extend(events.iter().map(show));
                return;
            }
            _ => panic!("unknown step {kind}: {rest}"),
        }
        self.look();
    }

    fn begin(&mut self) {
        if self.client.is_none() {
            let server = ServerId(Name::from("irc.test"));
            let rooms = std::mem::take(&mut self.rooms);
            self.client = Some(Client::new(
                server,
                self.identity.clone(),
                self.flood,
                rooms,
                self.now,
            ));
            self.look();
        }
    }

    fn look(&mut self) {
        let Some(client) = self.client.as_mut() else {
            return;
        };
        client.tick(self.now);
        let mut out = Vec::new();
        client.transmit(self.now, &mut out);
        let out = String::from_utf8(out).expect("lines are text");
        self.written
            .extend(out.split_terminator("\r\n").map(str::to_owned));
        self.told.extend(client.take_events().iter().map(show));
    }

    fn option(&mut self, option: &str) {
        let (name, value) = option.split_once(' ').unwrap_or((option, ""));
        match name {
            "sasl" | "certificate" => {
                let (account, password) = value.split_once(' ').unwrap_or((value, ""));
                self.identity.credentials = Some(Credentials {
                    account: account.into(),
                    password: (!password.is_empty()).then(|| Secret::new(password)),
                    certificate: name == "certificate",
                });
            }
            "plain" => self.identity.security = Security::PlainByChoice,
            "fallback" => self.identity.security = Security::PlainByFallback,
            "unverified" => self.identity.security = Security::Unverified,
            "webirc" => {
                let words: Vec<&str> = value.split(' ').collect();
                let [password, gateway, host, ip] = words[..] else {
                    panic!("webirc has four words");
                };
                self.identity.webirc = Some(Webirc {
                    password: Secret::new(password),
                    gateway: gateway.into(),
                    host: host.into(),
                    ip: ip.into(),
                });
            }
            "pass" => self.identity.server_password = Some(Secret::new(value)),
            "nick" => self.identity.nick = Name::from(value),
            "away" => self.identity.away = Some(Name::from(value)),
            "warning" => self.identity.warning = Some(Name::from(value)),
            "flood" => {
                self.flood = Flood::Rate {
                    burst: value.parse().expect("a number"),
                    per_second: 0.5,
                };
            }
            _ => panic!("unknown option {name}"),
        }
    }

    fn nothing_left(&self, place: &str) {
        assert!(
            self.written.is_empty(),
            "{place}\nstill written: {:#?}",
            self.written
        );
        assert!(self.told.is_empty(), "{place}\nstill told: {:#?}", self.told);
    }
}
