//! The second half of `deploy/try`: starts the servers and viaduct, has a conversation, and stays up.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use viaduct_test_support::gateway::GatewayKind;
use viaduct_test_support::irc::{IrcPeer, Line};
use viaduct_test_support::servers::{DOMAIN, FIXED_GATEWAY, GATEWAY};
use viaduct_test_support::transcript::Transcript;
use viaduct_test_support::world::{World, WorldOptions};
use viaduct_test_support::xmpp::{Client, Login, StanzaExt as _};

/// The account that a person uses afterwards.
const USER: &str = "visitor";
/// Its password: it is good on this machine, while this program runs.
const PASSWORD: &str = "viaduct";
/// The channel of the conversation.
const CHANNEL: &str = "#viaduct";
/// Who is on IRC, and answers.
const ALICE: &str = "alice";

struct Options {
    once: bool,
    gateway: GatewayKind,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("this machine can run threads");
    let outcome = runtime.block_on(async {
        let options = options()?;
        let (mut interrupt, mut end) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            outcome = Box::pin(show(&options)) => outcome,
            // Whatever was started ends when it is dropped.
            _ = interrupt.recv() => Ok(()),
            _ = end.recv() => Ok(()),
        }
    });
    match outcome {
        Ok(()) => {
            println!("\nEverything has ended and its files are gone.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options> {
    let mut options = Options {
        once: false,
        gateway: GatewayKind::Viaduct,
    };
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--once" => options.once = true,
            "--with-biboumi" => options.gateway = GatewayKind::Biboumi,
            _ => bail!("usage: deploy/try [--once]\n'{word}' is not known"),
        }
    }
    Ok(options)
}

async fn show(options: &Options) -> Result<()> {
    println!(
        "Starting Prosody, ngIRCd and {} on loopback …",
        options.gateway.name()
    );
    let world = WorldOptions {
        gateway: options.gateway,
        for_people: true,
        ..WorldOptions::prosody()
    };
    let world = Box::pin(World::start(world)).await?;
    println!("Ready after {:.1} s.\n", world.started_in().as_secs_f64());

    let begin = Instant::now();
    let alice = Box::pin(converse(&world, begin)).await;
    let alice = alice.map_err(|error| {
        world
            .gateway()
            .process()
            .trouble(format!("does not carry it: {error}"))
    })?;
    println!(
        "\nA conversation both ways in {:.2} s: it works.",
        begin.elapsed().as_secs_f64()
    );
    if options.once {
        return world.stop().await;
    }
    invite(&world);
    attend(&alice).await?;
    world.stop().await
}

/// Somebody on XMPP and somebody on IRC meet in a channel. Gives the one on IRC, who stays.
async fn converse(world: &World, begin: Instant) -> Result<IrcPeer> {
    let transcript = Transcript::alone();
    let room = format!("{CHANNEL}%{}@{GATEWAY}", world.irc_name());
    let say = |what: String| println!("  {:6.3} s  {what}", begin.elapsed().as_secs_f64());

    let alice = IrcPeer::connect(world.irc().plain_addr(), ALICE, transcript.voice(ALICE)).await?;
    alice.join(CHANNEL).await?;
    alice.topic(CHANNEL, "Trying viaduct").await?;
    say(format!("{ALICE} is on IRC and has joined {CHANNEL}"));

    let login = Login {
        password: PASSWORD.to_owned(),
        ..Login::new(USER, DOMAIN, "try")
    };
    let visitor = Client::connect(world.xmpp().c2s_addr(), &login, transcript.voice(USER)).await?;
    visitor.go_online().await?;
    say(format!("{} has a new account and is on XMPP", visitor.bare()));
    let joined = visitor.join(&room, USER).await?;
    let topic = joined.subject.subject().unwrap_or_default();
    say(format!(
        "{USER} has joined {room} and sees: {}; topic: {}",
        joined.nicks().join(", "),
        topic
    ));

    visitor.say(&room, "Hello IRC, this is XMPP.").await?;
    say(format!("XMPP  <{USER}> Hello IRC, this is XMPP."));
    alice
        .expect_message(USER, CHANNEL, "Hello IRC, this is XMPP.")
        .await?;
    say(format!("IRC   <{USER}> Hello IRC, this is XMPP."));

    alice.say(CHANNEL, "Hello XMPP, nice to see you!").await?;
    say(format!("IRC   <{ALICE}> Hello XMPP, nice to see you!"));
    visitor
        .expect_body(&format!("{room}/{ALICE}"), "Hello XMPP, nice to see you!")
        .await?;
    say(format!("XMPP  <{ALICE}> Hello XMPP, nice to see you!"));

    visitor.leave(&room, USER, "See you").await?;
    visitor.close().await?;
    Ok(alice)
}

/// Prints what a person needs to come in.
fn invite(world: &World) {
    let (c2s, irc) = (world.xmpp().c2s_addr(), world.irc().plain_addr());
    println!(
        "
Now you. {ALICE} is still there, and answers. Ctrl-C ends and removes everything.

  With an XMPP client
    account    {USER}@{DOMAIN}
    password   {PASSWORD}
    server     {} port {}
               (trust the certificate that it shows, or allow a connection without TLS)
    join       {CHANNEL}%{}@{GATEWAY}
    or         {CHANNEL}@{FIXED_GATEWAY}   (the same channel, by the domain that has one IRC server)
    gateway    {GATEWAY}   (register there, or send it 'help')

  With an IRC client
    server     {} port {}, without TLS
    join       {CHANNEL}

  Logs and configuration: {}
",
        c2s.ip(),
        c2s.port(),
        world.irc_name(),
        irc.ip(),
        irc.port(),
        world.scratch().path().display(),
    );
}

/// Alice answers whoever speaks to her, until she is thrown out.
async fn attend(alice: &IrcPeer) -> Result<()> {
    const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);
    let speech = |line: &Line| line.command == "PRIVMSG" && line.nick() != ALICE;
    while let Some(line) = alice.maybe(FOR_EVER, speech).await {
        let heard = line.last().replace('\u{1}', "");
        let (target, answer) = match line.param(0) {
            CHANNEL => (CHANNEL, format!("{}: I heard '{heard}'", line.nick())),
            _ => (line.nick(), format!("I heard '{heard}'")),
        };
        alice.say(target, &answer).await?;
    }
    bail!("the IRC server has ended")
}
