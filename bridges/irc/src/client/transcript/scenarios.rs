//! The scenarios, and lines that make no sense.

use super::{Client, Play, play};

/// One test per file.
macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            play(include_str!(concat!("../../../tests/scenarios/", stringify!($name), ".txt")));
        })*

        /// A file that no test plays would be a promise that nobody keeps.
        #[test]
        fn every_file_is_played() {
            let played = [$(concat!(stringify!($name), ".txt")),*];
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
            for file in std::fs::read_dir(folder).expect("the folder is there") {
                let name = file.expect("readable").file_name();
                assert!(played.iter().any(|p| name == *p), "{name:?} is not in the list of scenarios");
            }
        }
    };
}

scenarios! {
    account_by_certificate
    account_login
    account_refused
    account_without_sasl
    bans
    capabilities_one_by_one
    capabilities_old_server
    channel_events
    channel_joined_late_modes
    channel_left_and_entered
    channel_refused
    channel_rejoined
    channel_twice
    chathistory
    ctcp
    echo
    echo_without_labels
    ends
    fence
    fence_errors
    flood
    forward
    labels
    lost
    messages
    nick_changes
    nick_in_use
    nick_too_long
    private_messages
    questions_wait
    ranks
    relations
    relations_fenced
    relations_unknown
    rename
    replies_of_the_standard
    split
    typing
}

/// Whatever bytes a server sends, the client lives on, and what it writes are lines.
#[test]
fn ten_thousand_random_lines() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % 1_000_003).expect("small")
    };
    let words = [
        "PRIVMSG",
        "NOTICE",
        "JOIN",
        "PART",
        "QUIT",
        "NICK",
        "MODE",
        "KICK",
        "TOPIC",
        "BATCH",
        "CAP",
        "ACK",
        "FAIL",
        "PONG",
        "AUTHENTICATE",
        "INVITE",
        "AWAY",
        "001",
        "005",
        "353",
        "366",
        "324",
        "332",
        "333",
        "367",
        "368",
        "401",
        "404",
        "433",
        "470",
        "471",
        "482",
        "900",
        "904",
        ":alice!u@h",
        ":bob!u@h",
        "alice",
        "bob",
        "#c",
        "#C,#d",
        "*",
        "+ov-b",
        "LS",
        "NEW",
        ":",
        "@time=x;label=0.0;batch=b",
        "+b",
        "-b",
        "fence1",
        "\u{1}ACTION",
        "CASEMAPPING=ascii",
        "PREFIX=(ov)@",
        "CHANMODES=,,,",
        "=",
        "\u{3}12,",
        "é",
        "%",
        " ",
    ];
    let mut play = Play::new();
    for round in 0..10_000_usize {
        if play.client.as_ref().is_none_or(|client| client.end().is_some()) {
            play.client = None;
            play.begin();
            for line in [":s 001 alice :hi", ":s 376 alice :end", ":alice!u@h JOIN #c"] {
                play.act("S", line);
            }
        }
        let line = if round % 3 == 0 {
            let bytes: Vec<u8> = (0..random() % 80)
                .map(|_| u8::try_from(random() % 256).expect("a byte"))
                .collect();
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            let picked: Vec<&str> = (0..random() % 9).map(|_| words[random() % words.len()]).collect();
            picked.join(" ")
        };
        play.act("S", &line);
        if round % 7 == 0 && play.client.as_ref().is_some_and(Client::is_online) {
            let wishes = [
                "say 1 #c x",
                "say 2 bob x",
                "nick 3 carol",
                "ban 4 #c bob",
                "unban 5 #c bob",
                "join #d",
                "leave #d",
            ];
            play.act("U", wishes[random() % wishes.len()]);
        }
        if round % 50 == 0 {
            play.act("T", "2");
        }
        for line in play.written.drain(..) {
            assert!(
                line.len() <= 520 && !line.contains(['\r', '\n', '\0']),
                "{line:?}"
            );
        }
        play.told.clear();
    }
}
