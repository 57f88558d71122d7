//! The link to the XMPP server (XEP-0114): how it begins, ends, and begins again.

use std::time::Duration;

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::gateway::viaduct_program;
use viaduct_test_support::patience::{patience, start_patience};
use viaduct_test_support::process::{Process, Spec, User};

use super::link_fake::Second;

pub(crate) const CASES: &[Case] = &[
    case!(connects_when_the_server_is_not_there_yet).only(&[Backend::Prosody]),
    case!(what_only_the_operator_can_change_is_said_once)
        .only(&[Backend::Prosody])
        .deadline(120),
    case!(a_silent_server_is_asked_and_then_left)
        .only(&[Backend::Prosody])
        .deadline(120),
    case!(sigterm_closes_the_stream_properly).only(&[Backend::Prosody]),
    case!(addresses_that_are_not_ours_are_refused).only(&[Backend::Prosody]),
    case!(unconfirmed_messages_go_again_with_the_same_ids).only(&[Backend::Prosody]),
    case!(bytes_that_are_no_xml_lose_nothing)
        .own_world()
        .deadline(120),
    case!(a_second_copy_refuses_to_start),
];

async fn connects_when_the_server_is_not_there_yet(t: Ctx) -> Result<()> {
    let second = Second::without_server(&t, "").await?;
    second
        .gateway
        .process()
        .wait_for_log("nothing accepts component connections", start_patience())
        .await?;
    second.server.open().await?;
    for domain in [GATEWAY, FIXED_GATEWAY] {
        second
            .attached(domain)
            .await?
            .settle(&format!("bob@{DOMAIN}/x"))
            .await?;
    }
    second.stop().await
}

async fn what_only_the_operator_can_change_is_said_once(t: Ctx) -> Result<()> {
    let second = Second::start(&t, "").await?;
    let refusals = [
        ("not-authorized", "does not accept the secret"),
        ("conflict", "is connected already"),
        ("host-unknown", "knows no component"),
    ];
    // Both domains are refused for the same reason, again and again, with growing pauses between.
    for (condition, words) in refusals {
        for _ in 0..2 {
            second.server.refuse(condition, Duration::from_secs(60)).await?;
        }
        second.gateway.process().wait_for_log(words, patience()).await?;
    }
    let log = second.gateway.process().log_since(0);
    for (_, words) in refusals {
        for domain in [GATEWAY, FIXED_GATEWAY] {
            let lines = log
                .lines()
                .filter(|line| line.contains("ERROR") && line.contains(words) && line.contains(domain));
            let count = lines.count();
            ensure!(
                count <= 1,
                "'{words}' is logged {count} times for {domain}:\n{log}"
            );
        }
    }
    second.stop().await
}

async fn a_silent_server_is_asked_and_then_left(t: Ctx) -> Result<()> {
    let second = Second::start(&t, "").await?;
    let link = second.attached(GATEWAY).await?;
    link.settle(&format!("bob@{DOMAIN}/x")).await?;
    t.note("the server falls silent");
    link.swallow_pings();
    link.expect_closed(Duration::from_secs(90)).await?;
    // And comes back.
    second
        .attached(GATEWAY)
        .await?
        .settle(&format!("bob@{DOMAIN}/x"))
        .await?;
    second.stop().await
}

async fn sigterm_closes_the_stream_properly(t: Ctx) -> Result<()> {
    for signal in ["TERM", "INT"] {
        let second = Second::start(&t, "").await?;
        let links = [
            second.attached(GATEWAY).await?,
            second.attached(FIXED_GATEWAY).await?,
        ];
        let (channel, nick) = (t.channel_named(&signal.to_lowercase()), t.nick("bob"));
        let alice = t.irc(&format!("alice-{}", signal.to_lowercase())).await?;
        alice.join(&channel).await?;
        links[0]
            .join(&format!("bob@{DOMAIN}/phone"), &t.room(&channel), &nick)
            .await?;
        links[0].take_all();
        second.gateway.process().signal(signal).await?;
        let status = second.gateway.process().wait(Duration::from_secs(5)).await?;
        ensure!(status.success(), "SIG{signal}: {status}");
        for link in &links {
            let how = link.expect_closed(patience()).await?;
            ensure!(how == "the gateway closed the stream", "SIG{signal}: {how}");
            let gone: Vec<_> = link
                .take_all()
                .into_iter()
                .filter(|stanza| stanza.kind() == "unavailable")
                .collect();
            ensure!(gone.is_empty(), "clients stay joined, but: {}", gone[0].xml());
        }
        alice.expect_quit(&nick).await?;
        alice.quit("done").await?;
    }
    Ok(())
}

async fn addresses_that_are_not_ours_are_refused(t: Ctx) -> Result<()> {
    let second = Second::start(&t, "").await?;
    let link = second.attached(GATEWAY).await?;
    let ping = |from: &str, to: &str| {
        let iq = tag("iq").attr("type", "get").attr("id", "odd");
        let iq = if from.is_empty() {
            iq
        } else {
            iq.attr("from", from)
        };
        let iq = if to.is_empty() { iq } else { iq.attr("to", to) };
        iq.child(tag("ping").ns(ns::PING)).to_string()
    };
    let bob = "bob@localhost/x";
    let odd = [
        ping(bob, "a@elsewhere.example"),
        ping(bob, DOMAIN),
        ping(bob, "irc.localhost.evil.example"),
        ping(bob, ""),
        ping("", GATEWAY),
        ping(GATEWAY, GATEWAY),
        ping(&t.person("alice"), GATEWAY),
        ping("not a jid@@/", GATEWAY),
    ];
    for xml in odd {
        link.send(&xml).await?;
    }
    link.settle(bob).await?;
    let answers = link.take_all();
    ensure!(
        answers.is_empty(),
        "nobody is answered, but: {}",
        answers[0].xml()
    );
    second.only_one_stream_each()?;
    second.stop().await
}

async fn unconfirmed_messages_go_again_with_the_same_ids(t: Ctx) -> Result<()> {
    let second = Second::start(&t, "").await?;
    let link = second.attached(GATEWAY).await?;
    let (channel, bob) = (t.channel(), format!("bob@{DOMAIN}/phone"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    link.join(&bob, &room, &t.nick("bob")).await?;
    alice.say(&channel, "confirmed").await?;
    link.expect("the first message", |stanza| {
        stanza.body().as_deref() == Some("confirmed")
    })
    .await?;
    link.settle(&bob).await?;

    // From now on the server takes everything and confirms nothing.
    link.swallow_pings();
    let words = ["one", "two", "three"];
    let mut ids = Vec::new();
    for word in words {
        alice.say(&channel, word).await?;
        let message = link
            .expect(word, |stanza| stanza.body().as_deref() == Some(word))
            .await?;
        ids.push((
            message.id().to_owned(),
            message.stanza_id(&room).map(str::to_owned),
        ));
    }
    drop(link);
    let link = second.attached(GATEWAY).await?;
    for (word, (id, stanza_id)) in words.iter().zip(ids) {
        let message = link
            .expect("the next message again", |stanza| {
                // Its confirmation may have been lost as well.
                let body = stanza.body();
                stanza.is_message() && body.is_some_and(|body| body != "confirmed")
            })
            .await?;
        ensure!(
            message.body().as_deref() == Some(*word),
            "'{word}' should be next: {}",
            message.xml()
        );
        let same = message.id() == id && message.stanza_id(&room).map(str::to_owned) == stanza_id;
        ensure!(
            same && stanza_id.is_some(),
            "'{word}' had {id} and {stanza_id:?}: {}",
            message.xml()
        );
    }
    second.stop().await
}

/// Issue 2, 'It must show' 4: the link reconnects and nothing is lost.
async fn bytes_that_are_no_xml_lose_nothing(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    phone.settle(t.gateway()).await?;
    let garbage: [&[u8]; 3] = [
        b"<a><b></a></b>",
        b"\x00\xff\xfe<<&;>",
        b"HTTP/1.1 400 Bad Request\r\n\r\n<html>&nbsp;",
    ];
    let mut wanted = Vec::new();
    for (round, bytes) in garbage.into_iter().enumerate() {
        let before = t.world().link().connections();
        for number in 0..20 {
            wanted.push(format!("message {round}.{number}"));
            alice.say(&channel, &wanted[wanted.len() - 1]).await?;
            if number == 7 {
                t.world().link().inject(Way::Down, bytes);
            }
        }
        // Both domains' streams.
        t.world().link().wait_for_connections(before + 2).await?;
        t.world().await_gateway().await?;
        phone.say(&room, &format!("reply {round}")).await?;
        alice
            .expect_message(&nick, &channel, &format!("reply {round}"))
            .await?;
    }
    t.flush(&alice, &channel, &phone, &room).await?;
    super::faults::in_order_and_once(&phone, &room, &format!("{room}/{}", alice.nick()), &wanted)?;
    let removed =
        |stanza: &Element| stanza.is_presence() && stanza.kind() == "unavailable" && stanza.has_status(110);
    phone.expect_none("a leave", &room, removed).await
}

async fn a_second_copy_refuses_to_start(t: Ctx) -> Result<()> {
    let gateway = t.world().gateway();
    let config = gateway.process().log().with_file_name("viaduct.toml");
    let directory = t.world().scratch().subdirectory("second-copy", &User::Myself)?;
    let program = viaduct_program()?.display().to_string();
    let spec = Spec::new("second", &program, &directory, &User::Myself)?
        .args(["run", "--config"])
        .args([config.display()]);
    let second = Process::new(spec);
    second.start().await?;
    let status = second.wait(start_patience()).await?;
    ensure!(
        !status.success(),
        "a second copy on the same database should not run"
    );
    let log = second.log_since(0);
    let said = log
        .lines()
        .any(|line| line.contains("another") || line.contains("already") || line.contains("second"));
    ensure!(said, "it says why: {log}");
    ensure!(!log.contains("panicked"), "{log}");
    t.world().await_gateway().await
}
