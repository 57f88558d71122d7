//! Commands of several steps, their sessions, and their errors (XEP-0050 §2.4.2, §2.4.3, §3.3, §4.4).

use viaduct_gateway_tests::prelude::*;

use super::commands_support::{Stage, begin};
use super::registration_support::{ensure_error, value};
use super::stage::Script;

pub(crate) const CASES: &[Case] = &[
    case!(each_step_says_what_may_follow).rows("C6"),
    case!(steps_go_forward_and_back).rows("C7"),
    case!(a_cancelled_command_has_no_effect).rows("C8"),
    case!(a_command_that_waits_for_the_network_can_be_cancelled).rows("C8"),
    case!(a_session_belongs_to_one_client).rows("C9"),
    case!(mistakes_are_told_apart).rows("C10"),
];

/// The command with two steps: it leaves a room, with parting words.
const LEAVE: &str = "leave";

/// A user in the room of the case.
async fn in_a_room(t: &Ctx) -> Result<(Client, IrcPeer, String)> {
    let (phone, alice, channel) = (t.client("phone").await?, t.irc("alice").await?, t.channel());
    alice.join(&channel).await?;
    phone.join(&t.room(&channel), &t.nick("bob")).await?;
    Ok((phone, alice, t.room(&channel)))
}

async fn each_step_says_what_may_follow(t: Ctx) -> Result<()> {
    let (phone, _alice, room) = in_a_room(&t).await?;
    let first = begin(&phone, LEAVE).await?;
    ensure!(
        first.status == "executing" && !first.session.is_empty(),
        "{}",
        first.xml
    );
    let (actions, execute) = first.actions()?;
    ensure!(
        actions == ["next"] && execute == "next",
        "the first step is not the last: {}",
        first.xml
    );
    let second = first.go_on(&phone, LEAVE, "next", &[("room", &room)]).await?;
    ensure!(second.status == "executing", "{}", second.xml);
    let (actions, execute) = second.actions()?;
    ensure!(
        actions == ["prev", "complete"] && execute == "complete",
        "the last step is not the first: {}",
        second.xml
    );
    let third = second
        .go_on(&phone, LEAVE, "complete", &[("words", "so long")])
        .await?;
    ensure!(
        third.status == "completed" && third.actions().is_err(),
        "{}",
        third.xml
    );
    Ok(())
}

async fn steps_go_forward_and_back(t: Ctx) -> Result<()> {
    let (phone, alice, room) = in_a_room(&t).await?;
    let first = begin(&phone, LEAVE).await?;
    // What is not valid leads nowhere, and the step stays.
    for fields in [
        &[][..],
        &[("room", "")][..],
        &[("room", "#elsewhere@nowhere")][..],
    ] {
        let answer = Stage::next_of(&phone, LEAVE, &first.session, "next", fields).await?;
        ensure_error(&answer, "bad-request", "modify", "400").with_context(|| format!("{fields:?}"))?;
        ensure!(
            answer.find("bad-payload", ns::COMMANDS).is_some(),
            "{}",
            answer.xml()
        );
    }
    // 'execute' is what the actions say it is: 'next'.
    let second = first.go_on(&phone, LEAVE, "execute", &[("room", &room)]).await?;
    ensure!(second.actions()?.0.contains(&"prev".to_owned()), "{}", second.xml);
    let back = second
        .go_on(&phone, LEAVE, "prev", &[("words", "kept words")])
        .await?;
    ensure!(
        back.actions()?.0 == ["next"],
        "the first step again: {}",
        back.xml
    );
    ensure!(
        value(&parse(&back), "room")? == room,
        "with what was chosen in it: {}",
        back.xml
    );
    let second = back.go_on(&phone, LEAVE, "next", &[("room", &room)]).await?;
    ensure!(
        value(&parse(&second), "words")? == "kept words",
        "the later step has kept its values, too: {}",
        second.xml
    );
    // Here 'execute' is 'complete', and so is no action at all.
    let done = second.go_on(&phone, LEAVE, "", &[("words", "so long")]).await?;
    ensure!(done.status == "completed", "{}", done.xml);
    let nick = t.nick("bob");
    let left = |line: &Line| ["PART", "QUIT"].contains(&line.command.as_str()) && line.nick() == nick;
    let left = alice.expect("the leave", left).await?;
    ensure!(left.last().contains("so long"), "with the words: {left}");
    Ok(())
}

fn parse(stage: &Stage) -> Element {
    stage.xml.parse().expect("what was an element is one")
}

async fn a_cancelled_command_has_no_effect(t: Ctx) -> Result<()> {
    let (phone, alice, room) = in_a_room(&t).await?;
    let first = begin(&phone, LEAVE).await?;
    let gone = first.go_on(&phone, LEAVE, "cancel", &[("room", &room)]).await?;
    ensure!(gone.status == "canceled" && gone.form().is_none(), "{}", gone.xml);

    let first = begin(&phone, LEAVE).await?;
    let second = first.go_on(&phone, LEAVE, "next", &[("room", &room)]).await?;
    let gone = second
        .go_on(&phone, LEAVE, "cancel", &[("words", "never said")])
        .await?;
    ensure!(gone.status == "canceled", "{}", gone.xml);
    // A session that was cancelled is over.
    for session in [&first.session, &second.session] {
        let answer = Stage::next_of(&phone, LEAVE, session, "complete", &[("words", "still")]).await?;
        ensure_error(&answer, "not-allowed", "cancel", "405")?;
    }
    let register = begin(&phone, "register").await?;
    register
        .go_on(&phone, "register", "cancel", &[("nick", &t.nick("bob"))])
        .await?;
    ensure!(
        !super::registration_support::is_registered(&phone, GATEWAY).await?,
        "nobody has registered"
    );

    phone.say(&room, "I am still here").await?;
    phone.expect_body(&room, "I am still here").await?;
    alice
        .expect_none("a leave", |line| {
            ["PART", "QUIT"].contains(&line.command.as_str())
        })
        .await
}

async fn a_command_that_waits_for_the_network_can_be_cancelled(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    let fields = [("who", s.server.person("alice"))];
    let fields = fields.each_ref().map(|(var, value)| (*var, value.as_str()));
    let begun = begin(&s.phone, "whois").await?;
    let waits = begun.go_on(&s.phone, "whois", "complete", &fields);
    let gives_up = async {
        // The network has the question, and keeps silent.
        s.session.expect_command("WHOIS", &[]).await?;
        let again = Stage::next_of(&s.phone, "whois", &begun.session, "complete", &fields).await?;
        ensure_error(&again, "resource-constraint", "wait", "500")?;
        begun.go_on(&s.phone, "whois", "cancel", &[]).await
    };
    let (waited, cancelled) = tokio::try_join!(waits, gives_up)?;
    for answer in [waited, cancelled] {
        ensure!(
            answer.status == "canceled",
            "every request is answered: {}",
            answer.xml
        );
    }
    Ok(())
}

async fn a_session_belongs_to_one_client(t: Ctx) -> Result<()> {
    let (phone, _alice, room) = in_a_room(&t).await?;
    let laptop = t.client_of(&phone, "laptop").await?;
    let other = t.client("other").await?;
    let mut sessions = Vec::new();
    for client in [&phone, &phone, &laptop, &other] {
        let begun = begin(client, "preferences").await?;
        ensure!(
            begun.session.len() >= 16 && !sessions.contains(&begun.session),
            "long and new each time: {} after {sessions:?}",
            begun.session
        );
        sessions.push(begun.session);
    }
    // Nothing in one tells the next: they share no beginning.
    let alike = |one: &str, two: &str| one.bytes().zip(two.bytes()).take_while(|(a, b)| a == b).count();
    ensure!(alike(&sessions[0], &sessions[1]) < 6, "no counter: {sessions:?}");

    let first = begin(&phone, LEAVE).await?;
    for thief in [&laptop, &other] {
        for action in ["next", "cancel"] {
            let answer = Stage::next_of(thief, LEAVE, &first.session, action, &[("room", &room)]).await?;
            ensure_error(&answer, "bad-request", "modify", "400")?;
            ensure!(
                answer.find("bad-sessionid", ns::COMMANDS).is_some(),
                "{}",
                answer.xml()
            );
        }
    }
    // Its owner was not disturbed.
    let second = first.go_on(&phone, LEAVE, "next", &[("room", &room)]).await?;
    ensure!(second.status == "executing", "{}", second.xml);
    Ok(())
}

async fn mistakes_are_told_apart(t: Ctx) -> Result<()> {
    let (phone, _alice, room) = in_a_room(&t).await?;
    let command = |node: &str| tag("command").ns(ns::COMMANDS).attr("node", node);

    let unknown = phone.set(GATEWAY, command("no-such-command")).await?;
    ensure_error(&unknown, "item-not-found", "cancel", "404")?;

    let bad = ("bad-request", "modify", "400");
    let answer = phone.set(GATEWAY, command(LEAVE).attr("action", "dance")).await?;
    special(&answer, bad, "malformed-action")?;
    let answer = phone.set(GATEWAY, command(LEAVE).attr("action", "prev")).await?;
    special(&answer, bad, "bad-action")?;
    let answer = phone
        .set(GATEWAY, command(LEAVE).attr("sessionid", "made-up-by-a-client"))
        .await?;
    special(&answer, bad, "bad-sessionid")?;

    let first = begin(&phone, LEAVE).await?;
    let fields = [("room", room.as_str())];
    for action in ["prev", "complete"] {
        let answer = Stage::next_of(&phone, LEAVE, &first.session, action, &fields).await?;
        special(&answer, bad, "bad-action").context(action)?;
    }
    let answer = phone
        .set(
            GATEWAY,
            command(LEAVE)
                .attr("sessionid", &first.session)
                .attr("action", "next"),
        )
        .await?;
    special(&answer, bad, "bad-payload").context("without a form")?;
    // A session is of one command.
    let answer = Stage::next_of(&phone, "preferences", &first.session, "complete", &fields).await?;
    special(&answer, bad, "bad-sessionid").context("another command")?;

    let second = first.go_on(&phone, LEAVE, "next", &fields).await?;
    let answer = Stage::next_of(&phone, LEAVE, &second.session, "next", &[("words", "x")]).await?;
    special(&answer, bad, "bad-action").context("beyond the last step")?;
    let done = second.go_on(&phone, LEAVE, "complete", &[("words", "x")]).await?;
    ensure!(done.status == "completed", "{}", done.xml);
    let answer = Stage::next_of(&phone, LEAVE, &done.session, "complete", &[]).await?;
    special(&answer, ("not-allowed", "cancel", "405"), "session-expired")?;
    Ok(())
}

/// Fails unless the answer is this error with this condition of XEP-0050 §4.4.
fn special(answer: &Element, error: (&str, &str, &str), name: &str) -> Result<()> {
    ensure_error(answer, error.0, error.1, error.2)?;
    ensure!(
        answer.find(name, ns::COMMANDS).is_some(),
        "{name} was expected: {}",
        answer.xml()
    );
    Ok(())
}
