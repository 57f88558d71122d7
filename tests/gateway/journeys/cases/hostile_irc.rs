//! Ten thousand lines of random bytes from an IRC server (issue 2, 'It must show' 4).

use viaduct_gateway_tests::prelude::*;

use super::hostile_dice::Dice;
use super::irc_connection_script::seat;

pub(crate) const CASES: &[Case] = &[case!(ten_thousand_lines_of_random_bytes)
    .own_world()
    .deadline(120)];

const LINES: usize = 10_000;
const BATCH: usize = 500;
const COMMANDS: &[&str] = &[
    "PRIVMSG",
    "NOTICE",
    "JOIN",
    "PART",
    "QUIT",
    "TOPIC",
    "MODE",
    "KICK",
    "NICK",
    "AWAY",
    "INVITE",
    "CAP",
    "BATCH",
    "TAGMSG",
    "ACCOUNT",
    "CHGHOST",
    "SETNAME",
    "WALLOPS",
    "FAIL",
    "WARN",
    "NOTE",
    "PONG",
    "PING",
    "AUTHENTICATE",
    "privmsg",
    "",
];
const WORDS: &[&str] = &[
    "#other",
    "eve",
    "@eve",
    "~&@%+eve",
    "*",
    ":",
    "",
    "#",
    "+o",
    "-o+b",
    "+qqq",
    "LS",
    "NEW",
    "DEL",
    "ACK",
    "99999999999",
    "-1",
    "\u{1}ACTION",
    "\u{2}",
    "CASEMAPPING=rfc1459",
    "PREFIX=",
    "eve!u@h",
    "!@",
    "😀",
    "-",
    "+",
];
const TAGS: &[&str] = &[
    "",
    "@msgid=x ",
    "@time=nonsense ",
    "@label=1;batch=q ",
    "@=;;\\ ",
    "@account=* ",
    "@a=\\:\\s\\",
];

async fn ten_thousand_lines_of_random_bytes(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("carol"));
    let room = t.room(&channel);
    let alice = t.irc("dave").await?;
    alice.join(&channel).await?;
    let desk = t.client("desk").await?;
    desk.join(&room, &nick).await?;
    let streams = t.world().link().connections();

    let server = t.scripted().await?;
    let caps = [
        "batch",
        "echo-message",
        "labeled-response",
        "message-tags",
        "server-time",
        "away-notify",
        "chghost",
    ];
    let welcome = Welcome {
        caps: &caps,
        ..Welcome::default()
    };
    let seat = seat(&t, &server, &server.room(&channel), &welcome).await?;
    let mut dice = Dice::new(7);
    for round in 0..LINES / BATCH {
        let mut bytes = Vec::new();
        for _ in 0..BATCH {
            bytes.extend(if dice.one_in(2) {
                noise(&mut dice)
            } else {
                almost(&mut dice)
            });
            bytes.extend_from_slice(b"\r\n");
        }
        seat.session.send_bytes(&bytes).await?;
        // The user's own connection and those of others go on.
        seat.hear(&format!("after {round}"), &format!("after {round}"))
            .await?;
        seat.phone.take_all(|_| true);
        t.flush(&alice, &channel, &desk, &room).await?;
    }
    let (_, line) = seat.say("still here").await?;
    ensure!(line.last() == "still here", "{line}");
    desk.say(&room, "me too").await?;
    alice.expect_message(&nick, &channel, "me too").await?;
    ensure!(
        t.world().link().connections() == streams,
        "the component streams were opened again"
    );
    seat.phone.settle(t.gateway()).await
}

/// Bytes without any meaning.
fn noise(dice: &mut Dice) -> Vec<u8> {
    let length = if dice.one_in(100) {
        dice.below(20_000)
    } else {
        dice.below(200)
    };
    let mut bytes = dice.bytes(length);
    // That would be understood.
    if bytes.to_ascii_uppercase().starts_with(b"ERROR") {
        bytes.clear();
    }
    bytes
}

/// Something that looks like IRC.
fn almost(dice: &mut Dice) -> Vec<u8> {
    let mut line = dice.pick(TAGS).to_owned();
    line += dice.pick(&[
        ":eve!u@h ",
        ":irc.test ",
        ":eve ",
        ": ",
        "",
        ":!@ ",
        ":\u{feff}eve!u@h ",
    ]);
    // 001 would be another name for the user; 43x and 46x while online are about nothing.
    let numeric = 2 + dice.below(997);
    if dice.one_in(2) {
        line += dice.pick(COMMANDS)
    } else {
        line += &format!("{numeric:03}")
    }
    for _ in 0..dice.below(6) {
        line.push(' ');
        line += dice.pick(WORDS);
    }
    if dice.one_in(2) {
        line += " :";
        let mut bytes = line.into_bytes();
        let length = dice.below(60);
        bytes.extend(dice.bytes(length));
        return bytes;
    }
    line.into_bytes()
}
