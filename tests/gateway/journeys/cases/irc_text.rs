//! Text between XMPP and IRC: length, charsets, formatting, and what must never get across.

use std::sync::{Arc, Mutex};

use viaduct_gateway_tests::prelude::*;

use super::irc_connection_script::{Seat, polite, seat};

pub(crate) const CASES: &[Case] = &[
    case!(long_lines_are_split_between_characters),
    case!(bytes_that_are_no_utf8_are_decoded),
    case!(formatting_goes_both_ways),
    case!(ctcp_never_comes_raw),
    case!(line_ends_inject_nothing),
    case!(what_is_no_xml_arrives_as_xml),
];

/// The connection as the server relays it: the prefix that it adds counts.
const PREFIX: &str = "user@host";

async fn long_lines_are_split_between_characters(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    let texts = [
        "0123456789".repeat(200),
        "😀".repeat(300),
        "aé漢😀".repeat(150),
        "e\u{301}".repeat(700),
        format!("{} {}", "long".repeat(100), "words ".repeat(150)),
        format!("*{}*", "bold ".repeat(200).trim_end()),
    ];
    for text in texts {
        let id = seat.phone.say(&seat.room, &text).await?;
        let reflected =
            |stanza: &Element| stanza.is_message() && stanza.id() == id && stanza.kind() == "groupchat";
        let reflection = seat.phone.expect("the reflection", reflected).await?;
        ensure!(
            reflection.body().as_deref() == Some(text.as_str()),
            "reflected as it was: {}",
            reflection.xml()
        );
        let lines = seat.session.take_all(|line| line.is("PRIVMSG", &[&seat.channel]));
        ensure!(lines.len() > 1, "{} lines", lines.len());
        let mut whole = String::new();
        for line in &lines {
            let relayed = format!(":{}!{PREFIX} ", seat.nick).len() + line.bytes.len() + 2;
            ensure!(relayed <= 512, "{relayed} bytes with the prefix: {line}");
            ensure!(
                std::str::from_utf8(&line.bytes).is_ok(),
                "cut within a character: {line}"
            );
            whole += line.last();
        }
        let bare = |text: &str| {
            text.chars()
                .filter(|c| !c.is_control() && *c != ' ' && *c != '*')
                .collect::<String>()
        };
        ensure!(bare(&whole) == bare(&text), "nothing is lost: {whole}");
        seat.phone
            .expect_none("a second reflection", &seat.room, reflected)
            .await?;
    }
    Ok(())
}

async fn bytes_that_are_no_utf8_are_decoded(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    let from = format!("{}/alice", seat.room);
    for (bytes, text) in [
        (&b"caf\xe9 \x80 5"[..], "café € 5"),
        ("café".as_bytes(), "café"),
        (&b"na\xefve \x93quoted\x94"[..], "naïve “quoted”"),
    ] {
        let line = [
            format!(":alice!u@h PRIVMSG {} :", seat.channel).as_bytes(),
            bytes,
            b"\r\n",
        ]
        .concat();
        seat.session.send_bytes(&line).await?;
        seat.phone.expect_body(&from, text).await?;
    }
    Ok(())
}

async fn formatting_goes_both_ways(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    for (irc, xmpp) in [
        ("\u{2}bold\u{2} and \u{1d}italic\u{1d}", "*bold* and _italic_"),
        ("\u{1e}gone\u{1e} \u{11}code\u{11}", "~gone~ `code`"),
        ("\u{3}04,07red\u{3} plain\u{f}", "red plain"),
        ("\u{2}open", "*open*"),
        (
            "\u{7}bell \u{16}reverse\u{16} \u{1f}under\u{1f}",
            "bell reverse under",
        ),
    ] {
        seat.hear(irc, xmpp).await?;
    }
    for (xmpp, irc) in [
        ("*bold* and _italic_", "\u{2}bold\u{2} and \u{1d}italic\u{1d}"),
        ("~gone~", "\u{1e}gone\u{1e}"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        ("/me waves", "\u{1}ACTION waves\u{1}"),
    ] {
        let (_, line) = seat.say(xmpp).await?;
        // The end of the line ends all styles.
        let codes = ['\u{2}', '\u{1d}', '\u{1e}'];
        let same = line.last().trim_end_matches(codes) == irc.trim_end_matches(codes);
        ensure!(same, "{xmpp} became {:?}", line.last());
    }
    seat.alice_says("\u{1}ACTION nods\u{1}").await?;
    seat.phone
        .expect_body(&format!("{}/alice", seat.room), "/me nods")
        .await?;
    Ok(())
}

async fn ctcp_never_comes_raw(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    for target in [seat.channel.as_str(), seat.nick.as_str()] {
        for text in [
            "\u{1}VERSION\u{1}",
            "\u{1}DCC SEND evil.exe 2130706433 80 1\u{1}",
            "\u{1}",
            "\u{1}\u{1}",
            "\u{1}PING 1",
            "\u{1}UNKNOWN\u{1} and more",
        ] {
            for verb in ["PRIVMSG", "NOTICE"] {
                seat.session
                    .send(format!(":eve!u@h {verb} {target} :{text}"))
                    .await?;
            }
        }
    }
    seat.hear("flush", "flush").await?;
    let raw = |stanza: &Element| {
        let xml = stanza.xml();
        ["\u{1}", "DCC", "VERSION", "UNKNOWN", "PING 1"]
            .iter()
            .any(|word| xml.contains(word))
    };
    seat.phone.expect_none("raw CTCP", &seat.room, raw).await?;
    // A few requests of a person are answered, with a notice; those in channels and those that are notices never.
    seat.session.send("PING :fence").await?;
    seat.session.expect_command("PONG", &[]).await?;
    let answers = seat
        .session
        .take_all(|line| ["NOTICE", "PRIVMSG"].contains(&line.command.as_str()));
    let good = |line: &Line| {
        line.is("NOTICE", &["eve"]) && (line.last().contains("VERSION") || line.last().contains("PING"))
    };
    ensure!(answers.iter().all(good) && answers.len() <= 3, "{answers:?}");
    Ok(())
}

async fn line_ends_inject_nothing(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    let evil = Arc::new(Mutex::new(Vec::new()));
    let pen = evil.clone();
    seat.session.respond_and_pong(move |line| {
        let start = line.raw.trim_start();
        if ["QUIT", "EVIL", "OPER"]
            .iter()
            .any(|word| start.starts_with(word))
            || line.bytes.contains(&0)
        {
            pen.lock()
                .expect("no holder of this lock panics")
                .push(line.raw.clone());
        }
        polite(line)
    });
    let Seat {
        phone, room, nick, ..
    } = &seat;
    let ends = ["\n", "&#10;", "&#13;", "&#13;&#10;", "&#x2028;", "&#x85;"];
    for end in ends {
        let evil = format!("x{end}QUIT :bye{end}EVIL");
        let sent = [
            format!("<message type='groupchat' to='{room}' id='e'><body>{evil}</body></message>"),
            format!("<message type='groupchat' to='{room}' id='e'><body>/me {evil}</body></message>"),
            format!("<message type='groupchat' to='{room}'><subject>{evil}</subject></message>"),
            format!("<message type='chat' to='{room}/alice'><body>{evil}</body></message>"),
            format!("<presence to='{room}/{nick}'><show>away</show><status>{evil}</status></presence>"),
            format!("<presence to='{room}/{nick}'/>"),
            format!(
                "<iq type='set' id='k' to='{room}'><query xmlns='{}'><item nick='alice' role='none'>\
                 <reason>{evil}</reason></item></query></iq>",
                ns::MUC_ADMIN
            ),
            format!(
                "<presence to='{room}-2/{nick}'><x xmlns='{}'><password>{evil}</password></x></presence>",
                ns::MUC
            ),
        ];
        for stanza in sent {
            phone.send(stanza).await?;
        }
        phone.settle(t.gateway()).await?;
    }
    seat.say("the last word").await?;
    let evil = evil.lock().expect("no holder of this lock panics").clone();
    ensure!(evil.is_empty(), "injected: {evil:?}");
    Ok(())
}

async fn what_is_no_xml_arrives_as_xml(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    let mut all: Vec<Vec<u8>> = (1..32)
        .filter(|b| ![b'\n', b'\r', 1].contains(b))
        .map(|b| vec![b'a', b, b'z'])
        .collect();
    all.extend([
        b"a\xef\xbf\xbfz".to_vec(),
        b"a\xef\xbf\xbez".to_vec(),
        b"a\xed\xa0\x80z".to_vec(),
        b"a\xed\xb0\x80\xed\xa0\x80z".to_vec(),
        b"a\xff\xfe\x00z".to_vec(),
        b"a\xc0\x80z".to_vec(),
        b"a]]>z".to_vec(),
        b"a<&'\"z".to_vec(),
        b"a\x7f\xc2\x80\xc2\x9fz".to_vec(),
    ]);
    let (channel, nick) = (&seat.channel, &seat.nick);
    for text in &all {
        let places: [Vec<u8>; 5] = [
            format!(":alice!u@h PRIVMSG {channel} :").into_bytes(),
            format!(":alice!u@h PRIVMSG {nick} :").into_bytes(),
            format!(":alice!u@h TOPIC {channel} :").into_bytes(),
            format!(":carol!u@h PART {channel} :").into_bytes(),
            format!(":irc.test NOTICE {nick} :").into_bytes(),
        ];
        seat.session.send(format!(":carol!u@h JOIN {channel}")).await?;
        for place in places {
            seat.session
                .send_bytes(&[&place, text.as_slice(), b"\r\n"].concat())
                .await?;
        }
        // In names as well.
        let odd: Vec<u8> = text.iter().copied().filter(|b| !b" !@\0".contains(b)).collect();
        let line = [b":".as_slice(), &odd, b"!u@h JOIN ", channel.as_bytes(), b"\r\n"].concat();
        seat.session.send_bytes(&line).await?;
        let line = [
            b":".as_slice(),
            &odd,
            b"!u@h PRIVMSG ",
            channel.as_bytes(),
            b" :I am odd\r\n",
        ]
        .concat();
        seat.session.send_bytes(&line).await?;
    }
    seat.hear("flush", "flush").await?;
    let heard = seat
        .phone
        .take_all(|stanza| stanza.body().is_some_and(|body| body.starts_with('a')));
    ensure!(
        heard.len() >= 2 * all.len() - 10,
        "{} of {} arrived",
        heard.len(),
        2 * all.len()
    );
    let log = t.world().gateway().process().log_since(0);
    ensure!(
        !log.contains("not-well-formed") && !log.contains("xml-not-well-formed"),
        "the stream was ended"
    );
    Ok(())
}
