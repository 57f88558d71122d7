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
    accounts_of_people
    account_login
    account_refused
    account_required
    account_refused_in_plain_text
    account_without_certificate
    account_without_sasl
    away_queued
    ban_list
    bans
    bots
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
    folded_names
    forward
    invitations
    labels
    list
    lost
    messages
    multiline
    netsplit
    nick_changes
    real_name
    nick_in_use
    nick_too_long
    private_messages
    programs
    questions_wait
    ranks
    read_markers
    relations
    relations_fenced
    relations_unknown
    rename
    replies_of_the_standard
    services
    settings
    signup
    split
    sts_encrypted
    sts_late
    sts_plain_by_choice
    sts_unencrypted
    sts_unverified
    typing
    utf8_only
    warned
    webirc
    watch_ison
    watch_monitor
    who_is_away
    who_is_away_once
    whois
}

/// The answer to WHO has a line for each person, so nobody asks about a crowd.
#[test]
fn who_is_away_in_a_crowd_is_not_asked() {
    for (people, asked) in [(299, "C: WHO #c\n"), (300, "")] {
        let names: Vec<String> = (0..people).map(|n| format!("n{n}")).collect();
        let names = names.join(" ");
        play(&format!(
            "C: CAP LS 302\nC: NICK alice\nC: USER al 0 * :Alice\nS: :s 001 alice :hi\nS: :s 376 alice :end\n\
             E: online as alice (alice)\nS: :alice!u@h JOIN #c\nC: MODE #c\nS: :s 353 alice = #c :alice {names}\n\
             S: :s 366 alice #c :End\nS: :s 324 alice #c +n\nE: #c joined as alice: alice {names}\nT: 100\n{asked}"
        ));
    }
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

/// Who writes faster than the server takes lines is told so, and to slow down; what was taken before is not lost.
#[test]
fn what_waits_is_bounded() {
    let mut play = Play::new();
    play.option("flood 4");
    play.begin();
    for line in [
        ":irc.test CAP * LS :",
        ":irc.test 001 alice :Welcome",
        ":irc.test 376 alice :End of MOTD",
    ] {
        play.act("S", line);
    }
    play.told.clear();
    for number in 1..=300 {
        play.act("U", &format!("say {number} bob x"));
    }
    let refused = |line: &&String| line.contains(" failed Throttled: ") && line.contains("Try again in ");
    let refused = play.told.iter().filter(refused).count();
    assert_eq!(refused, play.told.len(), "{:?}", play.told);
    assert!((90..=100).contains(&refused), "{refused} were refused");
    let written = |play: &Play| {
        play.written
            .iter()
            .filter(|line| line.starts_with("PRIVMSG"))
            .count()
    };
    for _ in 0..10_000 {
        let fence = play
            .written
            .iter()
            .rev()
            .find(|line| line.starts_with("PING"))
            .cloned();
        if let Some(fence) = fence {
            play.act("S", &fence.replace("PING :", ":irc.test PONG irc.test :"));
        }
        play.act("T", "1");
        if written(&play) + refused == 300 {
            return;
        }
    }
    panic!("{} of {} were written", written(&play), 300 - refused);
}
