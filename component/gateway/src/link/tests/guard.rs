//! The guard: what it lets through, what it takes out, and that it does not matter how the bytes arrive.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::link::{Guard, Head, Limits, Offence};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns:stream='s' id=\"a>b\">";

fn limits() -> Limits {
    Limits {
        depth: 5,
        token: 100,
        stanza: 1000,
    }
}

/// Feeds the pieces; gives what the parser sees, and what was taken out.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (String, Vec<(Offence, Option<Head>)>) {
    let mut guard = Guard::new(limits());
    let mut seen = Vec::new();
    for piece in pieces {
        guard.buffer().extend_from_slice(piece);
        guard.scan();
        // The parser takes a little at a time.
        while !guard.safe().is_empty() {
            let part = guard.safe().len().min(7);
            seen.extend_from_slice(&guard.safe()[..part]);
            guard.consume(part);
        }
        assert!(
            guard.buffer().len() <= 1000 + 64 * 1024 + piece.len(),
            "what is held back is bounded"
        );
    }
    let dropped = guard
        .take_dropped()
        .into_iter()
        .map(|dropped| (dropped.offence, dropped.head))
        .collect();
    (String::from_utf8(seen).expect("UTF-8"), dropped)
}

fn whole(text: &str) -> (String, Vec<(Offence, Option<Head>)>) {
    feed([text.as_bytes()])
}

/// Feeds it in all ways, after the header and before an innocent stanza.
fn taken_out(stanza: &str) -> Vec<(Offence, Option<Head>)> {
    let text = format!("{HEADER}<message id='1'/>{stanza} <message id='2'/>");
    let (seen, dropped) = whole(&text);
    let (slow_seen, slow_dropped) = feed(text.as_bytes().chunks(1));
    assert_eq!(seen, slow_seen);
    assert_eq!(
        dropped.iter().map(|(_, head)| head).collect::<Vec<_>>(),
        slow_dropped.iter().map(|(_, head)| head).collect::<Vec<_>>()
    );
    if dropped.is_empty() {
        assert_eq!(seen, text);
    } else {
        assert_eq!(seen, format!("{HEADER}<message id='1'/> <message id='2'/>"));
    }
    dropped
}

#[test]
fn innocent_stanzas_pass_as_they_are() {
    for stanza in [
        "<message from='a' to='b'><body>1 > 0 &lt; 2</body></message>",
        "<message a=\"x>y'z\" b='>/>'><x/></message>",
        "<m><![CDATA[</m><a><b><c><d><e><f>]] ]]>]]></m>",
        "<a><b><c><d><e/></d></c></b></a>",
        "<m ><x  y = 'z' /></m >",
        "<m><x a='/'>text</x></m>",
    ] {
        assert_eq!(taken_out(stanza), [], "{stanza}");
    }
}

#[test]
fn offenders_are_taken_out_whole() {
    let long = "x".repeat(101);
    let head = "<iq from='a@b' to='c@d' id='7' type='get'>";
    for (inner, offence) in [
        ("<a><b><c><d><e/></d></c></b></a>".to_owned(), Offence::TooDeep),
        (format!("<a b='{long}'/>"), Offence::TooLong),
        (format!("<{long}/>"), Offence::TooLong),
        (format!("<a {long}='1'/>"), Offence::TooLong),
        (format!("<a></a{long}>"), Offence::TooLong),
        ("<b>ten chars.</b>".repeat(100), Offence::TooLarge),
        ("x".repeat(1000), Offence::TooLarge),
        ("<?evil ?>".to_owned(), Offence::Restricted),
        (
            "<!-- <a><b><c><d><e> </iq> -- > - -->".to_owned(),
            Offence::Restricted,
        ),
        ("<!ENTITY x 'y'>".to_owned(), Offence::Restricted),
    ] {
        let dropped = taken_out(&format!("{head}{inner}</iq>"));
        assert_eq!(dropped.len(), 1, "{inner}");
        assert_eq!(dropped[0].0, offence, "{inner}");
        let head = dropped[0].1.as_ref().expect("its head can be read");
        assert_eq!((head.from.as_str(), head.id.as_deref()), ("a@b", Some("7")));
    }
    let dropped = taken_out(&format!("<message from='a' to='b' id='{long}'/>"));
    assert_eq!(
        dropped[0].1.as_ref().and_then(|head| head.id.as_deref()),
        Some(long.as_str())
    );
    let endless = "x".repeat(70_000);
    assert_eq!(
        taken_out(&format!("<message from='a' to='b' id='{endless}'><a/></message>")),
        [(Offence::TooLong, None)]
    );
    assert_eq!(taken_out("<?between ?>"), [(Offence::Restricted, None)]);
    assert_eq!(taken_out("<!-- between -->"), [(Offence::Restricted, None)]);
}

#[test]
fn many_offenders_in_a_row_leave_the_rest_alone() {
    let bad = "<message from='a' to='b'><?x ?></message>";
    let text = format!("{HEADER}{}<message/>{bad}<iq/></stream:stream>", bad.repeat(50));
    let (seen, dropped) = whole(&text);
    assert_eq!(seen, format!("{HEADER}<message/><iq/></stream:stream>"));
    assert_eq!(dropped.len(), 51);
    assert_eq!(feed(text.as_bytes().chunks(3)).0, seen);
}

#[test]
fn what_is_no_xml_is_shown_to_the_parser_at_once() {
    for garbage in [
        "<<<>>>",
        "<message></iq>",
        "<message><a></message>",
        "</a>",
        "<a b='<'/>",
        "<a <b>",
        "<a></a <b>",
        "<1/>",
        "< a/>",
        "<a></>",
    ] {
        let text = format!("{HEADER}<message/>{garbage}<message/><message/>");
        let (seen, dropped) = whole(&text);
        assert_eq!(dropped, [], "{garbage}");
        if garbage == "</a>" {
            assert_eq!(seen, text, "the parser sees it anyway");
        } else {
            assert_eq!(seen, format!("{HEADER}<message/><<"), "{garbage}");
        }
        assert_eq!(feed(text.as_bytes().chunks(1)).0, seen, "{garbage}");
    }
}

/// Text that is rich in what matters to a scanner of XML.
fn xmlish() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<message from='a@b' to='c'>".to_owned()),
        Just("</message>".to_owned()),
        Just("<iq from='a' to='b' type='get' id='1'/>".to_owned()),
        Just("<a>".to_owned()),
        Just("</a>".to_owned()),
        Just("<a b='c>'/>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("]]>".to_owned()),
        Just("<!--".to_owned()),
        Just("-->".to_owned()),
        Just("<?x".to_owned()),
        Just("?>".to_owned()),
        Just("<!D".to_owned()),
        "[<>/'\"=!?\\-\\[\\] a-c]{0,12}",
        "[x]{90,130}",
        Just("y".repeat(600)),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_not_matter_how_the_bytes_arrive(text in xmlish(), size in 1usize..50) {
        let text = format!("{HEADER}{text}");
        let (whole_seen, whole_dropped) = whole(&text);
        for size in [1, size] {
            let (seen, dropped) = feed(text.as_bytes().chunks(size));
            prop_assert_eq!(&seen, &whole_seen);
            let heads = |all: &[(Offence, Option<Head>)]| all.iter().map(|(_, head)| head.clone()).collect::<Vec<_>>();
            prop_assert_eq!(heads(&dropped), heads(&whole_dropped));
        }
    }
}
